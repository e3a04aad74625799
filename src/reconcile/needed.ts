/** Whether the hosts of a deleted exchanger still need their certificate: as long as a policy that senders hold names them. */
import type { RetirementSpec } from '../api/types.ts';
import { canonicalNames } from '../desired/exchanger.ts';
import { MailsealError } from '../errors.ts';
import { matches } from '../mtasts/policy.ts';
import { promisesKeptMs } from '../observe/recent.ts';
import type { DomainState } from '../plan/state.ts';
import type { World } from '../world.ts';

/**
 * The domains that may hold to hosts of the exchanger, the likeliest first: of its own name, or referring to it or its
 * hosts. Any other may have named them once, whatever it refers to now.
 */
function domainsOf(world: World, { namespace, name }: RetirementSpec, hosts: readonly string[]): readonly string[] {
  const isNear = (from: string, { name: of, namespace: at }: { readonly name: string; readonly namespace?: string }) =>
    of === name && (at ?? from) === namespace;
  const retired = world.cache.retirements().flatMap(({ spec }) => {
    return spec.domain === undefined ? [] : [{ domains: [spec.domain], near: isNear(spec.namespace, spec) }];
  });
  const live = world.cache.domains().map(({ metadata, spec }) => {
    const refers = spec.exchangerRefs?.some((ref) => isNear(metadata.namespace ?? '', ref)) === true;
    const near = refers || canonicalNames(spec.mx?.hosts ?? []).some((host) => hosts.includes(host));
    return { domains: canonicalNames([spec.domain]), near };
  });
  const all = [...retired, ...live];
  const inOrder = [...all.filter(({ near }) => near), ...all.filter(({ near }) => !near)];
  return [...new Set(inOrder.flatMap(({ domains }) => domains))];
}

/** Any policy of the history: who once held to one that named a host may hold to it until the domain's promises end. */
const promisesOf = ({ publications }: DomainState): readonly string[] => [
  ...new Set(
    publications.flatMap(({ mode, mxs, shownSince }) => (mode !== 'none' && shownSince !== undefined ? mxs : [])),
  ),
];

const names = (promises: readonly string[], hosts: readonly string[]): boolean =>
  promises.some((mx) => hosts.some((host) => matches(mx, host)));

/**
 * A domain that needs them, by its durable state; hosts that another exchanger lists are that one's to provide for.
 *
 * Exchangers that are retired together ask the same domains: what was read for one serves the others for a while. But an
 * old reading may only say that hosts are needed, and at worst they are provided for some minutes too long. Whether they
 * are not, all is read for anew: a domain may have promised them since, and with this answer their keys are let go.
 * @param asked milliseconds since 1970: nothing that was read before it will do.
 */
export async function neededStill(world: World, spec: RetirementSpec, asked: number): Promise<string | undefined> {
  const taken = world.cache
    .exchangers()
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .flatMap(({ spec: { hosts } }) => canonicalNames(hosts));
  const hosts = canonicalNames(spec.hosts ?? []).filter((host) => !taken.includes(host));
  if (hosts.length === 0) return undefined;
  const domains = domainsOf(world, spec, hosts);
  const known = readLately(world, domains, asked);
  for (const [domain, promises] of known) if (names(promises, hosts)) return domain;
  // Those that did not promise them a while ago hardly do now.
  const inOrder = [...domains.filter((one) => !known.has(one)), ...known.keys()];
  for (const domain of inOrder) if (await holds(world, domain, hosts)) return domain;
  return undefined;
}

/** What was read of domains a while ago, and since it was asked for. */
function readLately(world: World, domains: readonly string[], asked: number): ReadonlyMap<string, readonly string[]> {
  if (world.clock.now() - asked < promisesKeptMs) return new Map();
  return new Map(
    domains.flatMap((domain) => {
      const promises = world.recents.promises.find(domain, '');
      return promises === undefined ? [] : [[domain, promises] as const];
    }),
  );
}

/** What can't be read may name them. */
async function holds(world: World, domain: string, hosts: readonly string[]): Promise<boolean> {
  try {
    const stored = await world.store.load('domain', domain);
    const promises = stored === undefined ? [] : promisesOf(stored.state);
    world.recents.promises.keep(domain, '', promises);
    return names(promises, hosts);
  } catch (error) {
    if (error instanceof MailsealError) return true;
    throw error;
  }
}
