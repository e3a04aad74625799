import { traitsOfAll, zonesOf } from '../desired/zones.ts';
import { MailsealError } from '../errors.ts';
import type { Authorities, Resolver } from '../dns/answer.ts';
import { parentsUpTo } from '../dns/names.ts';
import { lookedUpAt, standsAt } from '../dns/place.ts';
import { formatStsRecord, stsRecordName } from '../mtasts/record.ts';
import { isOurs } from '../plan/byhand.ts';
import { marksBeside } from '../plan/ownership.ts';
import { policyAddressSets } from '../plan/domain.ts';
import { recordKey } from '../plan/record-view.ts';
import type { GoneView, ObservedRemoval } from '../plan/removal.ts';
import type { ObservedDomainRetirement } from '../plan/retirement.ts';
import type { AppliedSet, DomainState, State } from '../plan/state.ts';
import type { World } from '../world.ts';
import { observeChallenges } from './certificate.ts';
import { fetchFromOutside, observePods } from './domain.ts';
import { askedOnce, listLive, observeRecords, type RecordObserver, type Sought } from './records.ts';

/** What was seen, and what could not be looked at, which must not hold up the rest. */
export interface Looked<O> {
  readonly observed: O;
  readonly failures: readonly MailsealError[];
}

/** `undefined`: it failed, and that is noted. */
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

/** What only a human can mend: until then nothing can be removed but by hand. */
const isLost = (failures: readonly MailsealError[]): boolean => failures.some(({ kind }) => kind === 'Stalled');

const observerOf = (world: World): RecordObserver => ({
  providerOf: grantedProviderOf(world),
  outside: world.outside,
  inside: world.inside,
  authorities: askedOnce(world.authorities),
  recents: world.recents,
});

/** What was granted when a record was published may have been taken back since. */
function grantedProviderOf({ providerOf, cache }: World): RecordObserver['providerOf'] {
  return async (name) => {
    const provider = await providerOf(name);
    const object = cache.providers().find(({ metadata }) => metadata.name === name);
    return {
      ...provider,
      list: async (zone, names) => {
        if (object !== undefined && zonesOf(object).includes(zone)) return provider.list(zone, names);
        const message = `the DNSProvider ${name} does not grant the zone ${zone} any more`;
        throw new MailsealError('ZoneNotGranted', message, { kind: 'Stalled' });
      },
    };
  };
}

/** Whether no server and no cache that we can ask shows any of our values; what others put there does not count. */
async function lookWhetherGone(
  { authorities, outside }: { readonly authorities: Authorities; readonly outside: Resolver },
  set: Pick<AppliedSet, 'zone' | 'delegatedFrom' | 'name' | 'type' | 'values'>,
): Promise<GoneView['gone']> {
  const { zone, type, values } = set;
  const [servers, seen] = await Promise.all([
    authorities.lookupAll(zone, standsAt(set), type),
    outside.lookup(lookedUpAt(set), type),
  ]);
  const heard = servers.filter(({ answer }) => answered(answer.outcome));
  const shown = heard.flatMap(({ answer }) => answer.values.filter((value) => values.includes(value)));
  const not = (why: string): GoneView['gone'] => ({ ok: false, why, shown });
  const silent = servers.find(({ server }) => !heard.some((one) => one.server === server));
  if (heard.length === 0) return not(`no authoritative server of ${zone} answers`);
  if (silent !== undefined) return not(`${silent.server} gives no answer`);
  const showing = heard.find(({ answer }) => answer.values.some((value) => values.includes(value)));
  if (showing !== undefined) return not(`${showing.server} still shows it`);
  if (!answered(seen.outcome)) return not(`the outside resolver answers ${seen.detail ?? seen.outcome}`);
  return seen.values.some((value) => values.includes(value))
    ? not('the outside resolver still remembers it')
    : { ok: true };
}

const answered = (outcome: string): boolean => outcome === 'Found' || outcome === 'NoData' || outcome === 'NxDomain';

/** What was meant last may never have been written: of a domain's policy any id that was announced counts. */
function everSaid(state: State, { name, type, values }: AppliedSet): readonly string[] {
  if (state.kind !== 'domain' || type !== 'TXT' || name !== stsRecordName(state.domain)) return values;
  const announced = state.publications.filter(({ shownSince }) => shownSince !== undefined);
  return [...new Set([...values, ...announced.map(({ id }) => formatStsRecord(id))])];
}

/** What still stands of all that was applied; where nobody can ask the provider, what the world sees of it. */
async function observeGone(
  world: World,
  observer: RecordObserver,
  state: State,
  failures: MailsealError[],
): Promise<ReadonlyMap<string, GoneView>> {
  const traits = traitsOfAll(world.cache.providers());
  const sought = [...state.applied, ...marksBeside(state.applied, world.installationId)];
  const zones = Map.groupBy(sought, ({ provider, zone }) => `${provider} ${zone}`);
  const views = await Promise.all(
    [...zones.values()].map(async (sets) => {
      const { attempt, failures: own } = attempting();
      const [first] = sets;
      const mayRemove = isOurs({ after: undefined }, traits[first?.provider ?? '']);
      const live = mayRemove ? await attempt(() => listLive(observer, sets)) : undefined;
      failures.push(...own);
      if (mayRemove && live === undefined && !isLost(own)) return [];
      return Promise.all(
        sets.map(async (set): Promise<readonly [string, GoneView]> => {
          const gone = await lookWhetherGone(world, { ...set, values: everSaid(state, set) });
          const view = { live: live?.get(recordKey(set)), gone };
          return [recordKey(set), live === undefined ? { ...view, byHand: true } : view];
        }),
      );
    }),
  );
  return new Map(views.flat());
}

interface Challenges {
  readonly challenges: ObservedRemoval['challenges'];
  /** The provider was asked: an order may go on from it. */
  readonly asked: boolean;
}

/** What stands at challenge names; where nobody can ask the provider, whether the world sees nothing of it any more. */
async function challengesOf(
  world: World,
  observer: RecordObserver,
  state: State,
  namespace: string,
  failures: MailsealError[],
): Promise<Challenges> {
  const { attempt, failures: own } = attempting();
  const providers = world.cache.providers();
  const traits = traitsOfAll(providers);
  const at = { ...observer, providers, traits, namespace, providerRef: state.applied[0]?.provider };
  const seen = await attempt(() => observeChallenges(at, state));
  failures.push(...own);
  if (seen !== undefined) return { challenges: seen, asked: true };
  if (!isLost(own)) return { challenges: undefined, asked: false };
  const open = (state.order?.authorizations ?? []).map(({ txtName, txtValue }) => ({ name: txtName, value: txtValue }));
  const views = await Promise.all(
    [...state.spent, ...open].map(async ({ name, value }) => {
      const place = await placeOf(observer.outside, name);
      return place !== undefined && (await lookWhetherGone(world, { ...place, type: 'TXT', values: [value] })).ok;
    }),
  );
  const none = views.every((gone) => gone);
  return { challenges: none ? { challenges: [], spentLive: new Map() } : undefined, asked: false };
}

/** Where a name leads by its CNAMEs, and the zone that holds that; undefined where it can't be looked up. */
async function placeOf(outside: Resolver, at: string): Promise<{ name: string; zone: string } | undefined> {
  const { outcome, canonicalName: name } = await outside.lookup(at, 'TXT');
  if (!answered(outcome)) return undefined;
  for (const zone of [name, ...parentsUpTo(name, '')]) {
    const cut = await outside.lookup(zone, 'NS');
    if (!answered(cut.outcome)) return undefined;
    if (cut.outcome === 'Found' && cut.canonicalName === zone) return { name, zone };
  }
  return undefined;
}

/** Everything that the end of an object's records is planned from. */
export async function observeRemoval<S extends State>(
  world: World,
  state: S,
  /** That of the object that was deleted. */
  namespace: string,
): Promise<Looked<ObservedRemoval<S>>> {
  const { asked: _, ...looked } = await lookAtRemoval(world, state, namespace);
  return looked;
}

async function lookAtRemoval<S extends State>(
  world: World,
  state: S,
  namespace: string,
): Promise<Looked<ObservedRemoval<S>> & { readonly asked: boolean }> {
  const failures: MailsealError[] = [];
  const observer = observerOf(world);
  const [gone, { challenges, asked }] = await Promise.all([
    observeGone(world, observer, state, failures),
    challengesOf(world, observer, state, namespace, failures),
  ]);
  return {
    observed: { state, installationId: world.installationId, gone, challenges },
    failures,
    asked,
  };
}

/** The sets that stand, each with what it is to hold: the address of the policy host may have changed. */
function soughtRecords({ domain, applied }: DomainState, world: World): readonly Sought[] {
  const host = `mta-sts.${domain}`;
  const addresses = policyAddressSets(host, world.cache.policyAddresses(), applied);
  const place = applied.find(({ name }) => name === host) ?? applied[0];
  if (place === undefined) return [];
  const { provider, zone, delegatedFrom } = place;
  const here = addresses.map(({ name, type, values }) => ({
    name,
    type,
    values,
    provider,
    zone,
    delegatedFrom,
    host: undefined,
  }));
  const known = new Set(here.map(recordKey));
  const others = applied.filter((entry) => !known.has(recordKey(entry)));
  return [...here, ...others.map((entry) => ({ ...entry, host: undefined }))];
}

/** Everything that the plan of a domain's retirement looks at. */
export async function observeDomainRetirement(
  world: World,
  state: DomainState,
  request: {
    /** That of the object that was deleted. */
    readonly namespace: string;
    readonly settling: boolean;
    /** When someone last asked for a fresh look. */
    readonly askedAt: number;
  },
): Promise<Looked<ObservedDomainRetirement>> {
  const { namespace, settling, askedAt } = request;
  const { attempt, failures } = attempting();
  const names = { domain: state.domain, policyHost: `mta-sts.${state.domain}` };
  const [removal, views, issuer, pods, outsideFetch, entry] = await Promise.all([
    lookAtRemoval(world, state, namespace),
    attempt(() => observeRecords(observerOf(world), soughtRecords(state, world))),
    attempt(() => world.issuerOf(state.issuer)),
    observePods(world, names, state, askedAt),
    fetchFromOutside(world, names, state, askedAt),
    world.shards.read(names.policyHost),
  ]);
  const open = state.order;
  const order =
    open === undefined || issuer === undefined ? undefined : await attempt(() => world.orders.view(issuer, open));
  const { challenges } = removal.observed;
  const renewable = issuer !== undefined && challenges !== undefined && removal.asked;
  const certificate = renewable ? { issuer, order, ...challenges } : undefined;
  return {
    observed: {
      ...removal.observed,
      settling,
      views: views ?? new Map(),
      pods,
      addresses: world.cache.policyAddresses(),
      traits: traitsOfAll(world.cache.providers()),
      outsideFetch,
      entry,
      certificate,
    },
    failures: [...failures, ...removal.failures],
  };
}
