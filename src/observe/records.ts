import type { Provider } from '../apply/providers/provider.ts';
import type { Authorities, Resolver } from '../dns/answer.ts';
import type { RecordSet } from '../dns/rrset.ts';
import { recordKey, type RecordView } from '../plan/record-view.ts';
import { shownEverywhere } from './dns/shown.ts';
import { isSynthesised } from './dns/wildcard.ts';

/** A record set to look for, with the values that are wanted there. */
export interface Sought extends Omit<RecordSet, 'ttl'> {
  readonly provider: string;
  readonly zone: string;
  /** The name that must exist by itself before anything is written below it; undefined for the zone's own apex. */
  readonly host: string | undefined;
}

export interface RecordObserver {
  readonly providerOf: (name: string) => Promise<Provider>;
  readonly outside: Resolver;
  readonly inside: Resolver | undefined;
  readonly authorities: Authorities;
}

type Live = ReadonlyMap<string, RecordSet>;

const views = async (world: RecordObserver, sought: Sought, all: Live): Promise<RecordView> => {
  const live = all.get(recordKey(sought));
  if (live === undefined) {
    const alias = all.get(recordKey({ name: sought.name, type: 'CNAME' }))?.values[0];
    const synthesised =
      sought.host === undefined ? false : await isSynthesised(world.authorities, sought.zone, sought.host);
    return {
      live,
      alias,
      servers: undefined,
      outside: undefined,
      inside: undefined,
      synthesised,
      negativeTtl: await negativeTtl(world, sought),
    };
  }
  const [servers, outside, inside] = await Promise.all([
    world.authorities.lookupAll(sought.zone, sought.name, sought.type),
    world.outside.lookup(sought.name, sought.type),
    world.inside?.lookup(sought.name, sought.type),
  ]);
  return {
    live,
    servers: shownEverywhere(servers, sought.values),
    outside,
    inside,
    synthesised: false,
    negativeTtl: 0,
  };
};

/** Seconds for which the absence of a name may be cached: the SOA's minimum, or its TTL where that is less (RFC 2308 §5). */
async function negativeTtl(world: RecordObserver, { zone, name, type }: Sought): Promise<number> {
  const answers = await world.authorities.lookupAll(zone, name, type);
  return Math.max(0, ...answers.map(({ answer }) => answer.ttl));
}

/** Within one look every question is put to the name servers once: names of one host share most of theirs. */
function askedOnce(authorities: Authorities): Authorities {
  const asked = new Map<string, ReturnType<Authorities['lookupAll']>>();
  return {
    lookupAll: (zone, name, type) => {
      const key = `${zone} ${name} ${type}`;
      const answers = asked.get(key) ?? authorities.lookupAll(zone, name, type);
      asked.set(key, answers);
      return answers;
    },
  };
}

/** What stands at each name: in the provider's eyes, at all authoritative servers, and from outside. */
export async function observeRecords(
  world: RecordObserver,
  sought: readonly Sought[],
): Promise<ReadonlyMap<string, RecordView>> {
  const live = await listLive(world, sought);
  const once: RecordObserver = { ...world, authorities: askedOnce(world.authorities) };
  const seen = await Promise.all(
    sought.map(async (entry) => [recordKey(entry), await views(once, entry, live)] as const),
  );
  return new Map(seen);
}

/** One list call a zone; record sets by `recordKey`. */
export async function listLive(
  world: Pick<RecordObserver, 'providerOf'>,
  sought: readonly Pick<Sought, 'provider' | 'zone' | 'name' | 'type'>[],
): Promise<Live> {
  const byZone = Map.groupBy(sought, ({ provider, zone }) => `${provider} ${zone}`);
  const lists = await Promise.all(
    [...byZone.values()].map(async (group) => {
      const [first] = group;
      if (first === undefined) return [];
      const provider = await world.providerOf(first.provider);
      return provider.list(first.zone, group);
    }),
  );
  return new Map(lists.flat().map((set) => [recordKey(set), set]));
}
