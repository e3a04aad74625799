import { traitsOfAll } from '../desired/zones.ts';
import type { MailsealError } from '../errors.ts';
import type { Resolver } from '../dns/answer.ts';
import { parentsUpTo } from '../dns/names.ts';
import { policyAddressSets } from '../plan/domain-records.ts';
import { recordKey } from '../plan/record-view.ts';
import type { ObservedRemoval } from '../plan/removal.ts';
import type { ObservedDomainRetirement } from '../plan/retirement.ts';
import type { DomainState, State } from '../plan/state.ts';
import type { World } from '../world.ts';
import { attempting, isLost } from './attempt.ts';
import { challengesLed, observeChallenges, suggestionFor } from './certificate.ts';
import { observeHttp } from './challenge.ts';
import { observeLeads } from './leads.ts';
import { answered } from './dns/shown.ts';
import { fetchFromOutside, observePods } from './domain.ts';
import { observeGone } from './gone.ts';
import { lookWhetherGone } from './whether-gone.ts';
import { askedOnce, observeRecords, type RecordObserver, type Sought } from './records.ts';

/** What was seen, and what could not be looked at, which must not hold up the rest. */
export interface Looked<O> {
  readonly observed: O;
  readonly failures: readonly MailsealError[];
}

const observerOf = (world: World, askedAt: number): RecordObserver => ({
  askedAt,
  providerOf: world.providerOf,
  outside: world.outside,
  inside: world.inside,
  authorities: askedOnce(world.authorities),
  recents: world.recents,
});

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
  const answer = await outside.lookup(at, 'TXT');
  if (!answered(answer)) return undefined;
  const { canonicalName: name } = answer;
  for (const zone of [name, ...parentsUpTo(name, '')]) {
    const cut = await outside.lookup(zone, 'NS');
    if (!answered(cut)) return undefined;
    if (cut.outcome === 'Found' && cut.canonicalName === zone) return { name, zone };
  }
  return undefined;
}

interface RemovalRequest {
  /** That of the object that was deleted. */
  readonly namespace: string;
  /** When someone last asked for a fresh look. */
  readonly askedAt: number;
}

/** Everything that the end of an object's records is planned from. */
export async function observeRemoval<S extends State>(
  world: World,
  state: S,
  request: RemovalRequest,
): Promise<Looked<ObservedRemoval<S>>> {
  const { asked: _, ...looked } = await lookAtRemoval(world, state, request);
  return looked;
}

async function lookAtRemoval<S extends State>(
  world: World,
  state: S,
  { namespace, askedAt }: RemovalRequest,
): Promise<Looked<ObservedRemoval<S>> & { readonly asked: boolean }> {
  const failures: MailsealError[] = [];
  const observer = observerOf(world, askedAt);
  const [gone, { challenges, asked }] = await Promise.all([
    observeGone(world, observer, state, failures),
    challengesOf(world, observer, state, namespace, failures),
  ]);
  return {
    observed: {
      state,
      installationId: world.installationId,
      gone,
      challenges,
      traits: traitsOfAll(world.cache.providers()),
    },
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
  const led = challengesLed({ providers: world.cache.providers(), namespace, providerRef: undefined }, [
    names.policyHost,
  ]);
  const [removal, leads, views, issuer, pods, outsideFetch, entry] = await Promise.all([
    lookAtRemoval(world, state, request),
    observeLeads(world, led, false),
    attempt(() => observeRecords(observerOf(world, askedAt), soughtRecords(state, world))),
    attempt(() => world.issuerOf(state.issuer)),
    observePods(world, names, state, askedAt),
    fetchFromOutside(world, names, state, askedAt),
    world.shards.read(names.policyHost),
  ]);
  const open = state.order;
  const order =
    open === undefined || issuer === undefined ? undefined : await attempt(() => world.orders.view(issuer, open));
  const suggested = issuer === undefined ? undefined : await suggestionFor(world, issuer, state, askedAt);
  const { challenges } = removal.observed;
  const renewable = issuer !== undefined && challenges !== undefined && removal.asked;
  const certificate = renewable
    ? { issuer, order, suggested, ...challenges, http: await observeHttp(world, issuer, state, order) }
    : undefined;
  return {
    observed: {
      ...removal.observed,
      settling,
      leads,
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
