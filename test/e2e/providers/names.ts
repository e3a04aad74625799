/** The ways to publish, and what each has in the lab: a domain that is a zone of its own, with an MX host. */
import type { ZoneSpec } from '../../lab/dns-zone.ts';

/** By the name of the DNSProvider and of the MailDomain. */
export const domains = {
  knot: 'knot.test',
  powerdns: 'power.test',
  route53: 'aws.test',
  cloudflare: 'cloud.test',
  webhook: 'hook.test',
  'external-dns': 'endpoints.test',
  manual: 'manual.test',
  observe: 'observe.test',
  'upsert-only': 'upsert.test',
  delegated: 'human.test',
  selector: 'a.many.test',
} as const;

export type WayName = keyof typeof domains;

export const wayNames = Object.keys(domains) as readonly WayName[];

/** Ours, for what is behind the CNAMEs of `delegated`. */
export const ownZone = 'ours.test';

const at = (last: number): string => `10.53.70.${last}`;

export const mxHost = (way: WayName): string => `mx.${domains[way]}`;
export const mxAddress = (way: WayName): string => at(101 + wayNames.indexOf(way));
export const policyServers: readonly string[] = [at(80), at(81)];

/** Name servers that are not the lab's BIND: the zones of `test` lead there, as soon as they run. */
export const elsewhere: Readonly<Record<'knot' | 'powerdns', { readonly name: string; readonly address: string }>> = {
  knot: { name: 'knot.places.test', address: at(1) },
  powerdns: { name: 'power.places.test', address: at(2) },
};

/** As every name server of the lab has it: with short TTLs, so that nothing waits for a cache. */
export const zoneOf = (way: WayName): ZoneSpec => ({
  name: domains[way],
  ttl: 1,
  negativeTtl: 1,
  records: `@ MX 10 mx\nmx A ${mxAddress(way)}`,
  ...(way === 'knot' || way === 'powerdns' ? { servers: [elsewhere[way].name] } : {}),
});

/** What BIND serves. */
export const bindZones: readonly ZoneSpec[] = [
  {
    name: 'places.test',
    records: Object.values(elsewhere)
      .map(({ name, address }) => `${name}. A ${address}`)
      .join('\n'),
  },
  { name: ownZone, ttl: 1, negativeTtl: 1 },
  ...wayNames.filter((way) => way !== 'knot' && way !== 'powerdns').map(zoneOf),
];
