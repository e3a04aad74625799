/**
 * Whose a domain or host is where its claim was lost or spoilt, as after a restore of a part of the cluster: what the
 * durable state says, as long as the object that it names is there. Asked for a claim that cannot be read, and never else.
 */
import type { MailDomain, MailExchanger } from '../api/types.ts';
import type { Claimant } from '../apply/claims.ts';
import { canonicalNames } from '../desired/exchanger.ts';
import { markedHosts, markName } from '../plan/ownership.ts';
import type { DomainState } from '../plan/state.ts';
import type { World } from '../world.ts';

const isOf = (one: { readonly namespace: string; readonly name: string }, { metadata }: MailDomain | MailExchanger) =>
  one.namespace === metadata.namespace && one.name === metadata.name;

/** The other object, or the retirement, that published the domain's policy; undefined where that is nobody or `asking`. */
export function rightfulOfDomain(
  world: World,
  asking: MailDomain,
  domain: string,
  state: DomainState | undefined,
): Claimant | undefined {
  const retiring = world.cache.retirements().find(({ spec }) => spec.domain === domain)?.spec;
  if (retiring !== undefined) return isOf(retiring, asking) ? undefined : { ...objectOf(retiring), kind: 'Retirement' };
  if (state === undefined || isOf(state, asking)) return undefined;
  const other = world.cache.domain(state.namespace, state.name);
  if (other === undefined || !canonicalNames([other.spec.domain]).includes(domain)) return undefined;
  return { ...objectOf(state), kind: 'MailDomain' };
}

/** The same for an MX host: whose mark was applied for it. */
export async function rightfulOfHost(world: World, asking: MailExchanger, host: string): Promise<Claimant | undefined> {
  const retiring = world.cache.retirements().find(({ spec }) => spec.hosts?.includes(host) === true)?.spec;
  if (retiring !== undefined) return isOf(retiring, asking) ? undefined : { ...objectOf(retiring), kind: 'Retirement' };
  const mark = markName(host);
  const others = world.cache.exchangers().filter(({ spec, metadata, status }) => {
    const itself = isOf({ namespace: metadata.namespace ?? '', name: metadata.name }, asking);
    // One that lists the host no more may not have withdrawn its records yet.
    const stood = status?.records?.some(({ name }) => name === mark) === true;
    return !itself && (stood || spec.hosts.some((text) => isHost(text, host)));
  });
  for (const { metadata } of others) {
    const other = { namespace: metadata.namespace ?? '', name: metadata.name };
    const stored = await world.store.load('exchanger', `${other.namespace}/${other.name}`);
    if (markedHosts(stored?.state.applied ?? []).includes(host)) return { ...other, kind: 'MailExchanger' };
  }
  return undefined;
}

const objectOf = ({ namespace, name }: { readonly namespace: string; readonly name: string }) => ({ namespace, name });

/** Whether a host of a spec is `host`. Most are written as they are compared: reading a name costs much more than this. */
const isHost = (text: string, host: string): boolean =>
  text === host || (/[^a-z0-9.-]|\.$/u.test(text) && canonicalNames([text]).includes(host));
