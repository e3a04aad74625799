import type { MailExchanger } from '../api/types.ts';
import type { Claimant } from '../apply/claims.ts';
import { canonicalNames, type DesiredExchanger, secretNameOf } from '../desired/exchanger.ts';
import { MailsealError } from '../errors.ts';
import { isLast } from '../plan/change.ts';
import type { ExchangerPlan } from '../plan/exchanger.ts';
import { markedHosts, placeOf } from '../plan/ownership.ts';
import type { ExchangerState } from '../plan/state.ts';
import type { Result, World } from '../world.ts';
import { carryOut, labelOf, reconcile } from './common.ts';
import { endObject, type Estate, releaseLeft, takeBack } from './deletion.ts';
import { lookAtExchanger, type RememberedExchanger, wishExchanger } from './exchanger-plan.ts';
import { holdClaim } from './givenup.ts';
import { askedAt } from './pace.ts';
import { renewAsStored, renewedInstallation } from './renewal.ts';
import { rightfulOfHost } from './rightful.ts';

/** What its durable state is found by. */
export const identityOfExchanger = ({ metadata }: MailExchanger): string =>
  `${metadata.namespace ?? ''}/${metadata.name}`;

/**
 * One look at a MailExchanger: validate → desired → observe → plan → apply → status. It may be ended at any point; the
 * next look goes on from what it finds.
 */
export async function reconcileExchanger(world: World, namespace: string, name: string): Promise<Result> {
  const exchanger = world.cache.exchanger(namespace, name);
  if (exchanger === undefined) return {};
  return reconcile(world, exchanger, { end: () => end(world, exchanger), look: () => look(world, exchanger) });
}

async function look(world: World, exchanger: MailExchanger): Promise<Result> {
  const asked = askedAt(exchanger, world.clock.now());
  const remembered = await world.store.load('exchanger', identityOfExchanger(exchanger), asked);
  const { desired, stored } = await entitled(world, exchanger, remembered);
  await takeBack(world, estateOf(exchanger), stored?.state);
  const { plan, report } = await lookAtExchanger(world, exchanger, desired, stored, asked);
  return carryOut(world, exchanger, {
    ...plan,
    done: isDone(plan),
    resourceVersion: stored?.resourceVersion,
    confirm: (believedMs) => claimHosts(world, exchanger, desired, believedMs),
    report,
  });
}

/** What the changes store is the end of it: nothing is on its way to the DNS, to the hosts, to another key or owner. */
const isDone = ({ changes, waits, state, delivery, lagging }: ExchangerPlan): boolean =>
  changes.every(isLast) &&
  waits.length === 0 &&
  delivery.status === 'Delivered' &&
  lagging.length === 0 &&
  state.rollover.phase === 'Steady' &&
  state.leftHosts === undefined &&
  state.applied.every(({ since }) => since !== undefined);

interface Entitled {
  readonly desired: DesiredExchanger;
  /** Without what another object has by now. */
  readonly stored: RememberedExchanger;
}

/** What is desired and ours to do; where it is not, what is stored is renewed all the same. */
async function entitled(world: World, exchanger: MailExchanger, stored: RememberedExchanger): Promise<Entitled> {
  try {
    await releaseLeft(world, exchanger, estateOf(exchanger), stored?.state);
    const desired = await wishExchanger(world, exchanger, stored);
    await claimHosts(world, exchanger, desired);
    return { desired, stored: await claimMarked(world, exchanger, stored) };
  } catch (error) {
    const { name, namespace = '' } = exchanger.metadata;
    const place = { name, namespace, secretName: secretNameOf(exchanger) };
    await renewAsStored(world, stored, {
      owner: labelOf(exchanger),
      namespace,
      providerRef: exchanger.spec.dnsProviderRef?.name,
      install: (state) => renewedInstallation(world, place, state),
    });
    throw error;
  }
}

/**
 * The hosts are this object's alone. Further names in its certificate are not, but no namespace gets a certificate for
 * what is an MX host or a policy host of another.
 */
export async function claimHosts(
  world: World,
  exchanger: MailExchanger,
  desired: DesiredExchanger,
  believedMs?: number,
): Promise<void> {
  const claimant = claimantOf(exchanger);
  const hosts = desired.hosts.map(({ host }) => host);
  for (const host of hosts) {
    await holdClaim(world, 'host', host, claimant, () => rightfulOfHost(world, exchanger, host), believedMs);
  }
  const further = desired.certificateNames.filter((name) => !hosts.includes(name));
  for (const name of further) await world.claims.share('host', name, claimant, believedMs);
}

/**
 * Hosts that the spec lacks, and whose records have not gone yet, are this object's too; gives its memory without those
 * that another object has by now: what stands there is not ours to withdraw.
 */
export async function claimMarked(
  world: World,
  exchanger: MailExchanger,
  stored: RememberedExchanger,
): Promise<RememberedExchanger> {
  const listed = canonicalNames(exchanger.spec.hosts);
  const lost: string[] = [];
  for (const host of claimedHosts(stored?.state).filter((one) => !listed.includes(one))) {
    try {
      await holdClaim(world, 'host', host, claimantOf(exchanger), () => rightfulOfHost(world, exchanger, host));
    } catch (error) {
      if (!(error instanceof MailsealError && error.reason === 'Conflict')) throw error;
      world.log.warn('another object has a host by now', { object: labelOf(exchanger), host });
      lost.push(host);
    }
  }
  if (stored === undefined || lost.length === 0) return stored;
  const applied = stored.state.applied.filter(({ name }) => !lost.includes(placeOf(name)));
  return { ...stored, state: { ...stored.state, applied } };
}

/** Hosts that our mark stands for, or is to: each was claimed before it was planned. */
const claimedHosts = (state: ExchangerState | undefined): readonly string[] => markedHosts(state?.applied ?? []);

const claimantOf = ({ metadata }: MailExchanger): Claimant => ({
  kind: 'MailExchanger',
  namespace: metadata.namespace ?? '',
  name: metadata.name,
});

function estateOf(exchanger: MailExchanger): Estate {
  const claims = canonicalNames(exchanger.spec.hosts).map((host) => ['host', host] as const);
  return { claims, kind: 'exchanger', identity: identityOfExchanger(exchanger) };
}

/** Deletion: TLSA records are withdrawn by a Retirement, or all stays as it stands. The Secret of the hosts stays. */
const end = (world: World, exchanger: MailExchanger): Promise<void> => endObject(world, exchanger, estateOf(exchanger));
