/** The names of the campaign, and what is known of them without the product: where a mark stands for which names. */
import type { RecordSet, RecordType } from '../../src/dns/rrset.ts';

export const zone = 'example.test';
/** Wholly ours, where a human's CNAMEs may lead. */
export const ownZone = 'keys.test';
export const domain: string = `news.${zone}`;
export const hosts: readonly string[] = [`mx1.${zone}`, `mx2.${zone}`, `mx3.${zone}`];
/** It has no record of its own: a wildcard may provide it. */
export const bareHost: string = `mx3.${zone}`;

export const zoneOf = (name: string): string => (name.endsWith(`.${ownZone}`) ? ownZone : zone);
export const behind = (name: string): string => `${name}.${ownZone}`;
export const keyOf = ({ name, type }: { readonly name: string; readonly type: string }): string => `${name} ${type}`;

export type Role = 'mark' | 'tlsa' | 'address' | 'reports' | 'policy';

/** A record set that Mailseal may write, by its name in front of a delegation. */
export interface Spot {
  readonly name: string;
  readonly type: RecordType;
  readonly role: Role;
  /** The host or domain whose mark speaks for it. */
  readonly place: string;
}

export const spots: readonly Spot[] = [
  ...hosts.flatMap((host): readonly Spot[] => [
    { name: `_mailseal.${host}`, type: 'TXT', role: 'mark', place: host },
    { name: `_25._tcp.${host}`, type: 'TLSA', role: 'tlsa', place: host },
  ]),
  { name: `_mailseal.${domain}`, type: 'TXT', role: 'mark', place: domain },
  { name: `mta-sts.${domain}`, type: 'A', role: 'address', place: domain },
  { name: `mta-sts.${domain}`, type: 'AAAA', role: 'address', place: domain },
  { name: `_smtp._tls.${domain}`, type: 'TXT', role: 'reports', place: domain },
  { name: `_mta-sts.${domain}`, type: 'TXT', role: 'policy', place: domain },
];

/** A spot in the zone of its name, or in our own. */
export interface PlacedSpot extends Spot {
  readonly own: boolean;
}

/** As `spots`, with the names at which they stand in either zone. */
export const placedSpots: readonly PlacedSpot[] = spots.flatMap((spot): readonly PlacedSpot[] => [
  { ...spot, own: false },
  { ...spot, name: behind(spot.name), own: true },
]);
const spotByKey: ReadonlyMap<string, PlacedSpot> = new Map(placedSpots.map((spot) => [keyOf(spot), spot]));

export const spotAt = (key: string): PlacedSpot | undefined => spotByKey.get(key);

/** The spots beside one, in its zone. */
export const besides = ({ place, own }: PlacedSpot, role: Role): readonly PlacedSpot[] =>
  placedSpots.filter((spot) => spot.place === place && spot.own === own && spot.role === role);

/** What stands in the zones before anybody comes; it stays whatever happens. */
export const strangers: readonly RecordSet[] = [
  { name: `mx1.${zone}`, type: 'A', ttl: 300, values: ['192.0.2.1'] },
  { name: `mx2.${zone}`, type: 'A', ttl: 300, values: ['192.0.2.2'] },
  { name: `_mta-sts.${zone}`, type: 'TXT', ttl: 300, values: ['v=STSv1; id=theirs;'] },
  { name: `_25._tcp.other.${zone}`, type: 'TLSA', ttl: 300, values: ['3 1 1 00'] },
  { name: `_mailseal.other.${zone}`, type: 'TXT', ttl: 300, values: ['heritage=mailseal,owner=someone-else'] },
];

export const markOf = (id: string): string => `heritage=mailseal,owner=${id}`;

/** What stands at each key. */
export type Sets = ReadonlyMap<string, RecordSet>;
export const byKey = (sets: readonly RecordSet[]): Sets => new Map(sets.map((set) => [keyOf(set), set]));

export const sameValues = (a: readonly string[], b: readonly string[]): boolean =>
  [...a].sort().join('\n') === [...b].sort().join('\n');
export const sameSet = (a: RecordSet | undefined, b: RecordSet | undefined): boolean =>
  a === undefined || b === undefined ? a === b : a.ttl === b.ttl && sameValues(a.values, b.values);
