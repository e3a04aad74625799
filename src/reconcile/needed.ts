/** Whether the hosts of a deleted exchanger still need their certificate: as long as a policy that senders hold names them. */
import type { RetirementSpec } from '../api/types.ts';
import { canonicalNames } from '../desired/exchanger.ts';
import { MailsealError } from '../errors.ts';
import { matches } from '../mtasts/policy.ts';
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
function names({ publications }: DomainState, hosts: readonly string[]): boolean {
  return publications.some(
    ({ mode, mxs, shownSince }) =>
      mode !== 'none' && shownSince !== undefined && mxs.some((mx) => hosts.some((host) => matches(mx, host))),
  );
}

/** A domain that needs them, by its durable state; hosts that another exchanger lists are that one's to provide for. */
export async function neededStill(world: World, spec: RetirementSpec): Promise<string | undefined> {
  const taken = world.cache
    .exchangers()
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .flatMap(({ spec: { hosts } }) => canonicalNames(hosts));
  const hosts = canonicalNames(spec.hosts ?? []).filter((host) => !taken.includes(host));
  if (hosts.length === 0) return undefined;
  for (const domain of domainsOf(world, spec, hosts)) {
    if (await holds(world, domain, hosts)) return domain;
  }
  return undefined;
}

/** What can't be read may name them. */
async function holds(world: World, domain: string, hosts: readonly string[]): Promise<boolean> {
  try {
    const stored = await world.store.load('domain', domain);
    return stored !== undefined && names(stored.state, hosts);
  } catch (error) {
    if (error instanceof MailsealError) return true;
    throw error;
  }
}
