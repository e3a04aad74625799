import type { DesiredDomain } from '../desired/domain.ts';
import { traitsOfAll } from '../desired/zones.ts';
import type { Answer, ServerAnswer } from '../dns/answer.ts';
import { lastMeant } from '../mtasts/lifecycle.ts';
import { type ObservedDomain, type ObservedExchangerRef, type ObservedPod, mxHosts } from '../plan/domain.ts';
import type { MxAtServers } from '../plan/publication.ts';
import type { DomainState } from '../plan/state.ts';
import type { World } from '../world.ts';
import { challengesLed, observeIssuance } from './certificate.ts';
import { observeHttp } from './challenge.ts';
import { drawKey } from './exchanger.ts';
import { observeLeads } from './leads.ts';
import { longestKeptMs } from './recent.ts';
import { soughtLed, soughtRecords } from './domain-sought.ts';
import { askedOnce, observeRecords } from './records.ts';
import type { PolicyFetch } from '../pki/observed.ts';

const httpsPort = 443;

/** What every authoritative server names as MX; undefined while one of them gives no answer. */
function mxAtServers(answers: readonly ServerAnswer[]): MxAtServers {
  const heard = new Map<string, Answer>();
  for (const { server, answer } of answers) {
    if (answer.outcome === 'Found' || answer.outcome === 'NoData' || answer.outcome === 'NxDomain')
      heard.set(server, answer);
  }
  const servers = new Set(answers.map(({ server }) => server));
  if (heard.size === 0 || heard.size !== servers.size) return undefined;
  const all = [...heard.values()];
  return {
    hosts: [...new Set(all.flatMap(({ values }) => mxHosts(values)))],
    ttl: Math.max(...all.map(({ ttl }) => ttl)),
  };
}

/** What each policy pod that exists serves for the domain. `askedAt`: when someone last asked for a fresh look. */
export async function observePods(
  world: World,
  desired: Pick<DesiredDomain, 'domain'>,
  state: DomainState | undefined,
  askedAt: number,
): Promise<readonly ObservedPod[]> {
  const publication = lastMeant(state?.publications ?? []);
  if (state?.certificate === undefined || publication === undefined) {
    return world.cache.policyPods().map(({ name }) => ({ pod: name, served: undefined }));
  }
  const wanted = { id: publication.id, body: publication.body, spkiSha256: state.key.spkiSha256 };
  return Promise.all(
    world.cache.policyPods().map(async ({ name, uid, ip }): Promise<ObservedPod> => {
      if (ip === undefined) return { pod: name, served: undefined };
      const question = {
        domain: desired.domain,
        address: ip,
        port: world.policyPort,
        endpoint: uid,
        wanted,
        askedAt,
        verify: false,
      };
      return { pod: name, served: await world.policyWatch.fetch(question) };
    }),
  );
}

/** The policy as a sender would fetch it, by every address that the outside view gives; the first that fails decides. */
export async function fetchFromOutside(
  world: World,
  desired: Pick<DesiredDomain, 'domain' | 'policyHost'>,
  state: DomainState | undefined,
  askedAt: number,
): Promise<PolicyFetch | undefined> {
  const publication = lastMeant(state?.publications ?? []);
  if (state?.certificate === undefined || publication === undefined) return undefined;
  const answers = await Promise.all([
    world.outside.lookup(desired.policyHost, 'A'),
    world.outside.lookup(desired.policyHost, 'AAAA'),
  ]);
  const addresses = answers.flatMap(({ outcome, values }) => (outcome === 'Found' ? values : []));
  const wanted = { id: publication.id, body: publication.body, spkiSha256: state.key.spkiSha256 };
  const fetches = await Promise.all(
    addresses.map(async (address): Promise<PolicyFetch> => {
      if (!world.allow.permits(address)) {
        const detail = `${address} is not an address of the public Internet, and is not asked unless the installation allows its range`;
        return { address, at: world.clock.now(), outcome: 'Failed', detail };
      }
      const question = {
        domain: desired.domain,
        address,
        port: httpsPort,
        endpoint: 'outside',
        wanted,
        askedAt,
        verify: true,
      };
      return world.policyWatch.fetch(question);
    }),
  );
  return fetches.find((fetch) => fetch.outcome === 'Failed' || fetch.body !== publication.body) ?? fetches[0];
}

/**
 * On its way: looks follow each other quickly, and the last of them, when all is stored as done, sees everything anew.
 */
export function isMoving(state: DomainState | undefined): boolean {
  if (state?.certificate === undefined || lastMeant(state.publications)?.shownSince === undefined) return true;
  return state.applied.some(({ since }) => since === undefined);
}

/** Whether what was seen a moment ago will do; not where someone has asked for a fresh look since. */
const mayBeRecent = ({ clock }: Pick<World, 'clock'>, state: DomainState | undefined, askedAt: number): boolean =>
  isMoving(state) && clock.now() - askedAt >= longestKeptMs;

type Served = Pick<ObservedDomain, 'pods' | 'outsideFetch' | 'entry'>;

/**
 * What the pods were given, what they show, and what is seen of it from outside. Before anything was announced, each is
 * looked for only where the one before is as it should be.
 */
async function observeServing(
  world: World,
  desired: DesiredDomain,
  state: DomainState | undefined,
  askedAt: number,
): Promise<Served> {
  const entry = await world.shards.read(desired.policyHost);
  const announced = state?.publications.some(({ shownSince }) => shownSince !== undefined) === true;
  if (entry === undefined && !announced) {
    const pods = world.cache.policyPods().map(({ name }) => ({ pod: name, served: undefined }));
    return { entry, pods, outsideFetch: undefined };
  }
  const pods = await observePods(world, desired, state, askedAt);
  const lagging = pods.some(({ served }) => served?.outcome !== 'Fetched');
  if (lagging && !announced) return { entry, pods, outsideFetch: undefined };
  return { entry, pods, outsideFetch: await fetchFromOutside(world, desired, state, askedAt) };
}

type MxSeen = ObservedDomain['mx'];

/** The MX set from outside and at the zone's own servers. */
async function observeMx(
  world: Pick<World, 'authorities' | 'outside' | 'recents'>,
  desired: DesiredDomain,
  recent: boolean,
): Promise<MxSeen> {
  const { domain, grant } = desired;
  const known = recent ? world.recents.mx.find(domain, grant.zone) : undefined;
  if (known !== undefined) return known;
  const [outside, servers] = await Promise.all([
    world.outside.lookup(domain, 'MX'),
    world.authorities.lookupAll(grant.zone, domain, 'MX'),
  ]);
  const seen = { outside, servers: mxAtServers(servers) };
  if (outside.outcome === 'Found' && seen.servers !== undefined) world.recents.mx.keep(domain, grant.zone, seen);
  return seen;
}

/** Everything that the plan of a domain looks at. */
export async function observeDomain(
  world: World,
  desired: DesiredDomain,
  stored: { readonly state: DomainState } | undefined,
  request: {
    readonly exchangers: readonly ObservedExchangerRef[];
    readonly providerRef: string | undefined;
    readonly settling: boolean;
    /** When someone last asked for a fresh look. */
    readonly askedAt: number;
  },
): Promise<ObservedDomain> {
  const state = stored?.state;
  const recent = mayBeRecent(world, state, request.askedAt);
  const issuer = await world.issuerOf(desired.issuer);
  const at = {
    ...world,
    authorities: askedOnce(world.authorities),
    providers: world.cache.providers(),
    traits: traitsOfAll(world.cache.providers()),
    namespace: desired.namespace,
    providerRef: request.providerRef,
    askedAt: request.askedAt,
  };
  const byDns = issuer.kind === 'acme' && issuer.challenge !== 'HTTP01';
  const led = [...soughtLed(desired), ...challengesLed(at, byDns ? [desired.policyHost] : [])];
  const [freshKey, mx, views, leads, served, issuance] = await Promise.all([
    state === undefined ? drawKey() : undefined,
    observeMx(at, desired, recent),
    observeRecords(at, soughtRecords(world, desired, state, recent)),
    observeLeads(at, led, recent),
    observeServing(world, desired, state, request.askedAt),
    observeIssuance(at, issuer, state),
  ]);
  return {
    installationId: world.installationId,
    settling: request.settling,
    state,
    freshKey,
    views,
    traits: at.traits,
    leads,
    mx,
    exchangers: request.exchangers,
    ...served,
    addresses: world.cache.policyAddresses(),
    certificate: { issuer, ...issuance, http: await observeHttp(world, issuer, state, issuance.order) },
  };
}
