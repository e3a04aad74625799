import { resolveZone, type Traits } from '../desired/zones.ts';
import type { Authorities } from '../dns/answer.ts';
import { standsAt } from '../dns/place.ts';
import type { RecordSet } from '../dns/rrset.ts';
import type { DNSProvider } from '../api/types.ts';
import { isByHand, isOurs } from '../plan/byhand.ts';
import type { CertificateInput, OrderView } from '../plan/certificate.ts';
import type { ChallengeView, ObservedChallenges } from '../plan/challenges.ts';
import { recordKey } from '../plan/record-view.ts';
import type { OpenOrder, State } from '../plan/state.ts';
import type { World } from '../world.ts';
import type { IssuerApi } from '../apply/issuers.ts';
import { isSynthesised } from './dns/wildcard.ts';
import type { LedName } from './leads.ts';
import { recentListMs } from './recent.ts';
import { listLive, type RecordObserver } from './records.ts';
import { findZone, type ZoneFinder } from './zone.ts';

type Target = ChallengeView['target'];

export interface CertificateObserver extends Pick<RecordObserver, 'providerOf' | 'askedAt'>, ZoneFinder {
  readonly authorities: Authorities;
  readonly providers: readonly DNSProvider[];
  readonly traits: Traits;
  readonly namespace: string;
  readonly providerRef: string | undefined;
}

const mostAliases = 4;

const locate = async (world: CertificateObserver, name: string, ref: string | undefined): Promise<Target> => {
  const found = await findZone(world, world.providers, { name, namespace: world.namespace, ref });
  if (!found.ok) return found;
  const { provider, zone, delegatedFrom, settleSeconds } = found.value;
  const traits = world.traits[provider];
  return {
    ok: true,
    name: standsAt({ name, zone, delegatedFrom }),
    provider,
    zone,
    byHand: isByHand(traits),
    shortestTtl: traits?.shortestTtl ?? 0,
    settleSeconds,
  };
};

/** The challenge names of a certificate whose proofs lie in another zone, where a human's CNAMEs are to lead. */
export function challengesLed(
  world: Pick<CertificateObserver, 'providers' | 'namespace' | 'providerRef'>,
  names: readonly string[],
): readonly LedName[] {
  return names.flatMap((host) => {
    const name = `_acme-challenge.${host}`;
    const { providers, namespace, providerRef: ref } = world;
    const found = resolveZone(providers, { name, namespace, ref });
    return found.ok && found.value.delegatedFrom !== undefined ? [{ ...found.value, name, host }] : [];
  });
}

/** An order is looked at several times within moments, and what we write for it ourselves is seen at once. */
const recently = <T extends object>(target: T): T & { readonly type: 'TXT'; readonly recentMs: number } => ({
  ...target,
  type: 'TXT',
  recentMs: recentListMs,
});

/** Where a challenge record must stand: at its own name, or where the CNAMEs that a human put there lead (RFC 8555 §8.4). */
async function followAliases(world: CertificateObserver, txtName: string): Promise<Target> {
  let target = await locate(world, txtName, world.providerRef);
  for (let hops = 0; hops <= mostAliases && target.ok; hops += 1) {
    const alias = (await listLive(world, [recently(target)])).get(recordKey({ name: target.name, type: 'CNAME' }))
      ?.values[0];
    if (alias === undefined) return target;
    target = await locate(world, alias, undefined);
  }
  return target.ok
    ? { ok: false, reason: 'ProviderRefused', message: `${txtName} leads through more than ${mostAliases} aliases` }
    : target;
}

async function viewChallenge(
  world: CertificateObserver,
  { txtName, txtValue }: { readonly txtName: string; readonly txtValue: string },
  order: OrderView | undefined,
): Promise<ChallengeView> {
  const target = await followAliases(world, txtName);
  const none = { txtName, txtValue, target, live: undefined, synthesised: false, shownEverywhere: false } as const;
  if (!target.ok || !wantsProof(order)) return none;
  const live = (await listLive(world, [recently(target)])).get(recordKey({ name: target.name, type: 'TXT' }));
  if (live === undefined) return { ...none, synthesised: await hangsOnWildcard(world, target) };
  if (!live.values.includes(txtValue)) return { ...none, live };
  const answers = await world.authorities.lookupAll(target.zone, target.name, 'TXT');
  return { ...none, live, shownEverywhere: shows(answers, txtValue) };
}

/** The CA is still to be told that the challenges stand; afterwards it is the CA that looks. */
export function wantsProof(order: OrderView | undefined): boolean {
  return order === undefined || order.status === 'created' || (order.status === 'pending' && !order.answered);
}

/** Whether the name right above comes from a wildcard, so that the first record here would take it away. */
async function hangsOnWildcard(
  world: CertificateObserver,
  { zone, name }: { readonly zone: string; readonly name: string },
): Promise<ChallengeView['synthesised']> {
  return name === zone ? false : isSynthesised(world.authorities, zone, name.slice(name.indexOf('.') + 1));
}

function shows(answers: Awaited<ReturnType<Authorities['lookupAll']>>, value: string): boolean {
  const answered = answers.filter(({ answer }) => answer.outcome !== 'Unreachable');
  const servers = new Set(answers.map(({ server }) => server));
  const heard = new Set(answered.map(({ server }) => server));
  return (
    answered.length > 0 && heard.size === servers.size && answered.every(({ answer }) => answer.values.includes(value))
  );
}

/** What stands at the challenge names of the open order, and at those of orders that are done. */
export async function observeChallenges(
  world: CertificateObserver,
  state: State | undefined,
  order?: OrderView,
): Promise<ObservedChallenges> {
  const open: OpenOrder['authorizations'] = state?.order?.authorizations ?? [];
  const wanted = open.filter(({ status }) => status !== 'valid');
  // What humans write they remove.
  const spent = (state?.spent ?? []).filter(({ provider }) => !isByHand(world.traits[provider]));
  const [challenges, live] = await Promise.all([
    Promise.all(wanted.map((authorization) => viewChallenge(world, authorization, order))),
    listLive(
      world,
      spent.map((one) => ({ ...one, type: 'TXT' })),
    ),
  ]);
  const spentLive = new Map<string, RecordSet>();
  for (const set of live.values()) if (set.type === 'TXT') spentLive.set(set.name, set);
  const mayNotGo = spent.filter(({ provider }) => !isOurs({ after: undefined }, world.traits[provider]));
  return { challenges, spentLive, kept: new Set(mayNotGo.map(({ name }) => name)) };
}

/** How far the open order is, and what its proofs need to be seen for. */
export async function observeIssuance(
  world: CertificateObserver & Pick<World, 'orders' | 'suggestions'>,
  issuer: IssuerApi,
  state: State | undefined,
): Promise<Pick<CertificateInput, 'order' | 'suggested' | 'challenges' | 'spentLive'>> {
  const order = state?.order === undefined ? undefined : await world.orders.view(issuer, state.order);
  const suggested = await suggestionFor(world, issuer, state, world.askedAt);
  return { order, suggested, ...(await observeChallenges(world, state, order)) };
}

/** When the CA wants the stored certificate to be renewed; not asked while an order for the next is open. */
export async function suggestionFor(
  { suggestions }: Pick<World, 'suggestions'>,
  issuer: IssuerApi,
  state: State | undefined,
  askedAt = 0,
): Promise<CertificateInput['suggested']> {
  if (state?.certificate === undefined || state.order !== undefined) return undefined;
  return suggestions.view(issuer, state.certificate, askedAt);
}
