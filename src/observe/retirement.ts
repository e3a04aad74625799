import { MailsealError } from '../errors.ts';
import type { Authorities, Resolver } from '../dns/answer.ts';
import { policyAddressSets } from '../plan/domain.ts';
import { recordKey } from '../plan/record-view.ts';
import type { GoneView, ObservedRemoval } from '../plan/removal.ts';
import type { ObservedDomainRetirement } from '../plan/retirement.ts';
import type { AppliedSet, DomainState, State } from '../plan/state.ts';
import type { World } from '../world.ts';
import { observeChallenges } from './certificate.ts';
import { fetchFromOutside, observePods } from './domain.ts';
import { listLive, observeRecords, type RecordObserver, type Sought } from './records.ts';

/** What was seen, and what could not be looked at, which must not hold up the rest. */
export interface Looked<O> {
  readonly observed: O;
  readonly failures: readonly MailsealError[];
}

type Attempt = <T>(look: () => Promise<T>) => Promise<T | undefined>;

/** A provider or issuer that has gone, or refuses us, is said and not waited for. */
function attempting(): { readonly attempt: Attempt; readonly failures: MailsealError[] } {
  const failures: MailsealError[] = [];
  const attempt: Attempt = async (look) => {
    try {
      return await look();
    } catch (error) {
      if (!(error instanceof MailsealError)) throw error;
      failures.push(error);
      return undefined;
    }
  };
  return { attempt, failures };
}

const observerOf = (world: World): RecordObserver => ({
  providerOf: world.providerOf,
  outside: world.outside,
  inside: world.inside,
  authorities: world.authorities,
});

/** Whether no server and no cache that we can ask shows any of our values; what others put there does not count. */
async function lookWhetherGone(
  { authorities, outside }: { readonly authorities: Authorities; readonly outside: Resolver },
  { zone, name, type, values }: AppliedSet,
): Promise<GoneView['gone']> {
  const [servers, seen] = await Promise.all([authorities.lookupAll(zone, name, type), outside.lookup(name, type)]);
  const heard = servers.filter(({ answer }) => answered(answer.outcome));
  const silent = servers.find(({ server }) => !heard.some((one) => one.server === server));
  if (heard.length === 0) return { ok: false, why: `no authoritative server of ${zone} answers` };
  if (silent !== undefined) return { ok: false, why: `${silent.server} gives no answer` };
  const showing = heard.find(({ answer }) => answer.values.some((value) => values.includes(value)));
  if (showing !== undefined) return { ok: false, why: `${showing.server} still shows it` };
  if (!answered(seen.outcome)) return { ok: false, why: `the outside resolver answers ${seen.detail ?? seen.outcome}` };
  return seen.values.some((value) => values.includes(value))
    ? { ok: false, why: 'the outside resolver still remembers it' }
    : { ok: true };
}

const answered = (outcome: string): boolean => outcome === 'Found' || outcome === 'NoData' || outcome === 'NxDomain';

/** What still stands of all that was applied. */
async function observeGone(world: World, state: State, attempt: Attempt): Promise<ReadonlyMap<string, GoneView>> {
  const zones = Map.groupBy(state.applied, ({ provider, zone }) => `${provider} ${zone}`);
  const views = await Promise.all(
    [...zones.values()].map(async (sets) => {
      const live = await attempt(() => listLive(world, sets));
      if (live === undefined) return [];
      return Promise.all(
        sets.map(async (set): Promise<readonly [string, GoneView]> => {
          const gone = await lookWhetherGone(world, set);
          return [recordKey(set), { live: live.get(recordKey(set)), gone }];
        }),
      );
    }),
  );
  return new Map(views.flat());
}

const challengesOf = (
  world: World,
  state: State,
  namespace: string,
  attempt: Attempt,
): Promise<ObservedRemoval['challenges']> =>
  attempt(() =>
    observeChallenges(
      {
        ...observerOf(world),
        providers: world.cache.providers(),
        namespace,
        providerRef: state.applied[0]?.provider,
      },
      state,
    ),
  );

/** Everything that the end of an object's records is planned from. */
export async function observeRemoval<S extends State>(
  world: World,
  state: S,
  /** That of the object that was deleted. */
  namespace: string,
): Promise<Looked<ObservedRemoval<S>>> {
  const { attempt, failures } = attempting();
  const [gone, challenges] = await Promise.all([
    observeGone(world, state, attempt),
    challengesOf(world, state, namespace, attempt),
  ]);
  return { observed: { state, gone, challenges }, failures };
}

/** The sets that stand, each with what it is to hold: the address of the policy host may have changed. */
function soughtRecords({ domain, applied }: DomainState, world: World): readonly Sought[] {
  const host = `mta-sts.${domain}`;
  const addresses = policyAddressSets(host, world.cache.policyAddresses(), applied);
  const place = applied.find(({ name }) => name === host) ?? applied[0];
  if (place === undefined) return [];
  const { provider, zone } = place;
  const here = addresses.map(({ name, type, values }) => ({ name, type, values, provider, zone, host: undefined }));
  const known = new Set(here.map(recordKey));
  const others = applied.filter((entry) => !known.has(recordKey(entry)));
  return [...here, ...others.map((entry) => ({ ...entry, host: undefined }))];
}

/** Everything that the plan of a domain's retirement looks at. */
export async function observeDomainRetirement(
  world: World,
  state: DomainState,
  namespace: string,
  settling: boolean,
): Promise<Looked<ObservedDomainRetirement>> {
  const { attempt, failures } = attempting();
  const names = { domain: state.domain, policyHost: `mta-sts.${state.domain}` };
  const [removal, views, issuer, pods, outsideFetch, entry] = await Promise.all([
    observeRemoval(world, state, namespace),
    attempt(() => observeRecords(observerOf(world), soughtRecords(state, world))),
    attempt(() => world.issuerOf(state.issuer)),
    observePods(world, names, state),
    fetchFromOutside(world, names, state),
    world.shards.read(names.policyHost),
  ]);
  const open = state.order;
  const order =
    open === undefined || issuer === undefined ? undefined : await attempt(() => world.orders.view(issuer, open));
  const { challenges } = removal.observed;
  const certificate = issuer === undefined || challenges === undefined ? undefined : { issuer, order, ...challenges };
  return {
    observed: {
      ...removal.observed,
      settling,
      views: views ?? new Map(),
      pods,
      addresses: world.cache.policyAddresses(),
      outsideFetch,
      entry,
      certificate,
    },
    failures: [...failures, ...removal.failures],
  };
}
