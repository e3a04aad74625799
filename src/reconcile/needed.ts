/** Whether the hosts of a deleted exchanger still need their certificate: as long as a policy that senders hold names them. */
import type { RetirementSpec } from '../api/types.ts';
import { canonicalNames } from '../desired/exchanger.ts';
import { MailsealError } from '../errors.ts';
import { matches } from '../mtasts/policy.ts';
import type { DomainState } from '../plan/state.ts';
import type { World } from '../world.ts';

/** The domains that may hold to hosts of the exchanger: those that are retired, and those that refer to it or its hosts. */
function domainsOf(world: World, { namespace, name }: RetirementSpec, hosts: readonly string[]): readonly string[] {
  const retired = world.cache.retirements().flatMap(({ spec }) => spec.domain ?? []);
  const referring = world.cache.domains().filter(({ metadata, spec }) => {
    const refers = spec.exchangerRefs?.some(
      (ref) => ref.name === name && (ref.namespace ?? metadata.namespace) === namespace,
    );
    return refers === true || canonicalNames(spec.mx?.hosts ?? []).some((host) => hosts.includes(host));
  });
  return [...new Set([...retired, ...referring.flatMap(({ spec }) => canonicalNames([spec.domain]))])];
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
