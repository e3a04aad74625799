import type { Provider, SetKey } from '../apply/providers/provider.ts';
import type { Answer, Authorities, Resolver } from '../dns/answer.ts';
import { lookedUpAt, type Place, standsAt } from '../dns/place.ts';
import { equalSets, type RecordSet } from '../dns/rrset.ts';
import { MailsealError } from '../errors.ts';
import { recordKey, type RecordView } from '../plan/record-view.ts';
import type { AppliedSet } from '../plan/state.ts';
import { shownEverywhere } from './dns/shown.ts';
import { isSynthesised } from './dns/wildcard.ts';
import { lookWhetherGone } from './whether-gone.ts';
import { type Absence, recentListMs, type Recents } from './recent.ts';

/** A record set to look for, with the values that are wanted there. */
export interface Sought extends Omit<RecordSet, 'ttl'>, Place {
  /** The name that must exist by itself before anything is written below it; undefined for the zone's own apex. */
  readonly host: string | undefined;
  /** What is stored of it: as long as that stays, a view that agreed with it may be a moment old. Absent: never. */
  readonly stored?: { readonly entry: AppliedSet | undefined };
  /** It is not wanted any more, or not where it stands: only whether it has gone is asked. */
  readonly left?: true;
}

export interface RecordObserver {
  readonly providerOf: (name: string) => Promise<Provider>;
  readonly outside: Resolver;
  readonly inside: Resolver | undefined;
  readonly authorities: Authorities;
  readonly recents: Recents;
  /** Milliseconds since 1970 at which someone last asked for a fresh look at what is observed. */
  readonly askedAt?: number;
}

type Live = ReadonlyMap<string, RecordSet>;

const views = async (world: RecordObserver, sought: Sought, all: Live): Promise<RecordView> => {
  const live = all.get(recordKey(sought));
  if (live === undefined) {
    const alias = all.get(recordKey({ name: sought.name, type: 'CNAME' }))?.values[0];
    const absence = await absenceOf(world, sought);
    return { live, alias, servers: undefined, outside: undefined, inside: undefined, ...absence };
  }
  const view = { live, synthesised: false, negativeTtl: 0 } as const;
  const servers = await shownAt(world, sought, live);
  // A resolver that is asked too early remembers the denial of the server that lags, for itself and for the CA.
  if (!servers.ok) return { ...view, servers, outside: undefined, inside: undefined };
  const [outside, inside] = await Promise.all([
    world.outside.lookup(lookedUpAt(sought), sought.type),
    world.inside?.lookup(lookedUpAt(sought), sought.type),
  ]);
  return { ...view, servers, outside, inside };
};

/** Whether all servers show it; where they were seen to a moment ago, only the resolvers are still to follow. */
async function shownAt(
  world: RecordObserver,
  sought: Sought,
  live: RecordSet,
): Promise<NonNullable<RecordView['servers']>> {
  const wish = JSON.stringify([sought.values, live, sought.stored]);
  const known = sought.stored && world.recents.shown.find(placeOf(sought), wish);
  if (known !== undefined) return known;
  const shown = shownEverywhere(
    await world.authorities.lookupAll(sought.zone, standsAt(sought), sought.type),
    sought.values,
  );
  if (shown.ok && sought.stored !== undefined) world.recents.shown.keep(placeOf(sought), wish, shown);
  return shown;
}

const absenceOf = async (world: RecordObserver, sought: Sought): Promise<Absence> => {
  const { zone, host, stored } = sought;
  const known = stored && world.recents.absences.find(placeOf(sought), zone);
  if (known !== undefined) return known;
  const [synthesised, ttl] = await Promise.all([
    // Under delegation the zone is ours alone, and the host's own is looked at where its CNAME is missing.
    host === undefined || sought.delegatedFrom !== undefined ? false : isSynthesised(world.authorities, zone, host),
    negativeTtl(world, sought),
  ]);
  const absence = { synthesised, negativeTtl: ttl };
  if (stored !== undefined && synthesised === false && ttl > 0)
    world.recents.absences.keep(placeOf(sought), zone, absence);
  return absence;
};

/** Seconds for which the absence of a name may be cached: the SOA's minimum, or its TTL where that is less (RFC 2308 §5). */
async function negativeTtl(world: RecordObserver, sought: Sought): Promise<number> {
  const { zone, type, delegatedFrom } = sought;
  const asked = [deniedTtl(world, sought, { zone, name: standsAt(sought), type })];
  if (delegatedFrom !== undefined)
    asked.push(deniedTtl(world, sought, { zone: delegatedFrom, name: sought.name, type: 'CNAME' }));
  return Math.max(...(await Promise.all(asked)));
}

async function deniedTtl(
  world: RecordObserver,
  { stored }: Pick<Sought, 'stored'>,
  { zone, name, type }: Pick<Sought, 'zone' | 'name' | 'type'>,
): Promise<number> {
  const known = stored && world.recents.denials.find(zone, '');
  if (known !== undefined) return known;
  const answers = await world.authorities.lookupAll(zone, name, type);
  const ttl = Math.max(0, ...answers.map(({ answer }) => answer.ttl));
  if (answers.every(({ answer }) => denials.has(answer.outcome)) && ttl > 0) world.recents.denials.keep(zone, '', ttl);
  return ttl;
}

const denials: ReadonlySet<Answer['outcome']> = new Set(['NoData', 'NxDomain']);

/** Within one look every question is put to the name servers once: names of one host share most of theirs. */
export function askedOnce(authorities: Authorities): Authorities {
  const asked = new Map<string, ReturnType<Authorities['lookupAll']>>();
  return {
    lookupAll: (zone, name, type, most) => {
      const key = `${zone} ${name} ${type} ${most ?? ''}`;
      const answers = asked.get(key) ?? authorities.lookupAll(zone, name, type, most);
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
  const wanted = sought.filter(({ left }) => left !== true);
  const left = observeLeft(
    world,
    sought.filter((one) => one.left === true),
  );
  const recent = wanted.map((one) => [one, recentView(world, one)] as const);
  const open = recent.flatMap(([one, view]) => (view === undefined ? [one] : []));
  const live = await listLive(
    world,
    open.map((one) => (one.stored === undefined ? one : { ...one, recentMs: recentListMs })),
  );
  const seen = await Promise.all(
    recent.map(async ([one, known]) => {
      const view = known ?? (await views(world, one, live));
      if (known === undefined && one.stored !== undefined && agrees(view, one.stored.entry)) {
        world.recents.views.keep(placeOf(one), JSON.stringify(one.stored), view);
      }
      return [recordKey(one), view] as const;
    }),
  );
  return new Map([...seen, ...(await left)]);
}

/** What is left of earlier wishes; a provider that has gone since, or its grant, holds up nothing else. */
async function observeLeft(
  world: RecordObserver,
  left: readonly Sought[],
): Promise<readonly (readonly [string, RecordView])[]> {
  const groups = [...Map.groupBy(left, ({ provider, zone }) => `${provider} ${zone}`).values()];
  const seen = await Promise.all(
    groups.map(async (group) => {
      try {
        const live = await listLive(world, group);
        return group.map((one) => [recordKey(one), leftView(live.get(recordKey(one)))] as const);
      } catch (error) {
        if (!(error instanceof MailsealError) || error.kind !== 'Stalled') throw error;
        return Promise.all(
          group.map(async (one) => {
            const { ok } = await lookWhetherGone(world, one);
            const { name, type, values } = one;
            return [recordKey(one), leftView(ok ? undefined : { name, type, values, ttl: 0 }, error.message)] as const;
          }),
        );
      }
    }),
  );
  return seen.flat();
}

const leftView = (live: RecordSet | undefined, lost?: string): RecordView => ({
  live,
  servers: undefined,
  outside: undefined,
  inside: undefined,
  synthesised: false,
  negativeTtl: 0,
  ...(lost === undefined ? {} : { lost }),
});

const placeOf = (sought: Sought): string => `${sought.provider} ${sought.zone} ${recordKey(sought)}`;

const recentView = (world: RecordObserver, sought: Sought): RecordView | undefined =>
  sought.stored && world.recents.views.find(placeOf(sought), JSON.stringify(sought.stored));

/** All that could be asked shows what is stored, or nothing where nothing is: there is nothing to wait for. */
function agrees(
  { live, alias, servers, outside, inside, synthesised }: RecordView,
  entry: AppliedSet | undefined,
): boolean {
  if (live === undefined) return entry === undefined && alias === undefined && synthesised === false;
  const shows = (answer: Answer | undefined): boolean =>
    answer?.outcome === 'Found' && equalSets({ ...live, values: answer.values }, live);
  const stands = entry !== undefined && equalSets(live, entry, { ttl: true });
  return stands && servers?.ok === true && shows(outside) && (inside === undefined || shows(inside));
}

/** One list call a zone; record sets by `recordKey` of the names that lead to them. */
export async function listLive(
  world: Pick<RecordObserver, 'providerOf' | 'askedAt'>,
  sought: readonly (SetKey & Place)[],
): Promise<Live> {
  const asked = world.askedAt === undefined ? {} : { askedAt: world.askedAt };
  const byZone = Map.groupBy(sought, ({ provider, zone }) => `${provider} ${zone}`);
  const lists = await Promise.all(
    [...byZone.values()].map(async (group) => {
      const [first] = group;
      if (first === undefined) return [];
      const provider = await world.providerOf(first.provider);
      const names = new Map(group.map((one) => [standsAt(one), one.name]));
      const sets = await provider.list(
        first.zone,
        group.map((one) => ({ ...one, ...asked, name: standsAt(one) })),
      );
      return sets.map((set) => ({ ...set, name: names.get(set.name) ?? set.name }));
    }),
  );
  return new Map(lists.flat().map((set) => [recordKey(set), set]));
}
