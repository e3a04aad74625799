import type { MailDomain } from '../api/types.ts';
import type { Claimant } from '../apply/claims.ts';
import { canonicalNames } from '../desired/exchanger.ts';
import { removeFinalizer } from '../kube/finalizers.ts';
import { isMoving } from '../observe/domain.ts';
import { isLast } from '../plan/change.ts';
import { renewedEntry } from '../plan/serving.ts';
import type { Result, World } from '../world.ts';
import { carryOut, finalizer, labelOf, reconcile } from './common.ts';
import { endObject, type Estate, takeBack } from './deletion.ts';
import { grantDomain, lookAtDomain, type RememberedDomain, type WishedDomain, wishDomain } from './domain-plan.ts';
import { holdClaim } from './givenup.ts';
import { ensureExchanger } from './own-exchanger.ts';
import { askedAt } from './pace.ts';
import { renewAsStored } from './renewal.ts';
import { rightfulOfDomain } from './rightful.ts';

/**
 * One look at a MailDomain: validate → desired → observe → plan → apply → status. It may be ended at any point; the
 * next look goes on from what it finds.
 */
export async function reconcileDomain(world: World, namespace: string, name: string): Promise<Result> {
  const mailDomain = world.cache.domain(namespace, name);
  if (mailDomain === undefined) return {};
  return reconcile(world, mailDomain, { end: () => end(world, mailDomain), look: () => look(world, mailDomain) });
}

async function look(world: World, mailDomain: MailDomain): Promise<Result> {
  const asked = askedAt(mailDomain, world.clock.now());
  const stored = await loadDomain(world, mailDomain, asked);
  const wished = await entitled(world, mailDomain, stored);
  const { plan, report } = await lookAtDomain(world, mailDomain, wished, stored, asked);
  return carryOut(world, mailDomain, {
    ...plan,
    done: plan.waits.length === 0 && !isMoving(plan.state) && plan.changes.every(isLast),
    resourceVersion: stored?.resourceVersion,
    confirm: (believedMs) => claimDomain(world, mailDomain, wished.desired.domain, stored, believedMs),
    report,
  });
}

/** What is stored of the domain, whichever object it is of; undefined where its name can't be one. */
export async function loadDomain(
  world: Pick<World, 'store'>,
  { spec }: MailDomain,
  askedAt: number,
): Promise<RememberedDomain> {
  const [domain] = canonicalNames([spec.domain]);
  return domain === undefined ? undefined : world.store.load('domain', domain, askedAt);
}

/** What is desired and ours to do; where it is not, what is stored for this object is renewed all the same. */
async function entitled(world: World, mailDomain: MailDomain, stored: RememberedDomain): Promise<WishedDomain> {
  try {
    return await entitle(world, mailDomain, stored);
  } catch (error) {
    const { name, namespace = '' } = mailDomain.metadata;
    const mine = stored?.state.name === name && stored.state.namespace === namespace ? stored : undefined;
    await renewAsStored(world, mine, {
      owner: labelOf(mailDomain),
      namespace,
      providerRef: mailDomain.spec.dnsProviderRef?.name,
      install: async (state) => renewedEntry(state, await world.shards.read(`mta-sts.${state.domain}`)),
    });
    throw error;
  }
}

async function entitle(world: World, mailDomain: MailDomain, stored: RememberedDomain): Promise<WishedDomain> {
  const granted = await grantDomain(world, mailDomain, stored);
  // Only who has been given the zone may hold its names: anyone else could keep them from their owner.
  await claimDomain(world, mailDomain, granted.domain, stored);
  await takeBack(world, estateOf(granted.domain));
  const own = await ensureExchanger(world, mailDomain);
  return wishDomain(world, mailDomain, { ...granted, own }, stored);
}

/** The domain is this object's alone. @throws MailsealError `Conflict`. */
export async function claimDomain(
  world: World,
  mailDomain: MailDomain,
  domain: string,
  stored: RememberedDomain,
  believedMs?: number,
): Promise<void> {
  const rightful = async () => rightfulOfDomain(world, mailDomain, domain, stored?.state);
  await holdClaim(world, 'domain', domain, claimantOf(mailDomain), rightful, believedMs);
}

const claimantOf = ({ metadata }: MailDomain): Claimant => ({
  kind: 'MailDomain',
  namespace: metadata.namespace ?? '',
  name: metadata.name,
});

const estateOf = (domain: string): Estate => ({ claims: [['domain', domain]], kind: 'domain', identity: domain });

/** Deletion: the policy is withdrawn by a Retirement, or all stays as it stands. */
async function end(world: World, mailDomain: MailDomain): Promise<void> {
  const [domain] = canonicalNames([mailDomain.spec.domain]);
  if (domain === undefined) await removeFinalizer(world.kube, mailDomain, finalizer);
  else await endObject(world, mailDomain, estateOf(domain));
}
