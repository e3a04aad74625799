import { MailsealError, messageOf } from '../errors.ts';
import { hasReason } from '../kube/error.ts';
import type { SecretObject } from '../kube/types.ts';
import type { Change } from '../plan/change.ts';
import type { State } from '../plan/state.ts';
import type { World } from '../world.ts';
import { answerChallenges, fetchCertificate, finalize, openOrder, revoke, selfSign } from './issuing.ts';
import { restart } from './restart.ts';
import { identityOf } from './store.ts';

export interface Applied {
  /** How many changes were made, those that only ride along not counted. */
  readonly made: number;
}

/** The object on whose behalf changes are made, and the version of its durable state that the plan was made from. */
export interface Applicant {
  readonly owner: string;
  readonly resourceVersion: string | undefined;
}

/**
 * Makes the changes of a plan, lane by lane, each up to its first failure. It decides nothing: whatever it leaves
 * undone, also when it is killed in the middle, the next plan finds and goes on from.
 * @throws the first failure; of several, rather one that the next look does not settle by itself.
 */
export async function applyChanges(world: World, applicant: Applicant, changes: readonly Change[]): Promise<Applied> {
  let { resourceVersion } = applicant;
  const save = async (state: State): Promise<void> => {
    resourceVersion = await world.store.save(state, identityOf(state), resourceVersion);
  };
  const forget = async (state: State): Promise<void> => {
    if (resourceVersion !== undefined) await world.store.remove(state.kind, identityOf(state), resourceVersion);
    resourceVersion = undefined;
  };
  let made = 0;
  const run = async (lane: readonly Change[]): Promise<void> => {
    for (const change of lane) {
      if (change.do === 'Records' && change.urgency === 'whenNext') {
        rideAlong(world, applicant.owner, change);
        continue;
      }
      world.log.info('change', { object: applicant.owner, step: change.do, why: change.why });
      await applyChange(world, applicant.owner, change, { save, forget });
      made += 1;
    }
  };
  const { none = [], ...lanes } = Object.groupBy(changes, ({ lane }) => lane ?? 'none');
  await run(none);
  // Side by side: what two lanes write to one zone shares a message.
  const outcomes = await Promise.allSettled(Object.values(lanes).map((lane) => run(lane)));
  const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));
  if (failures.length === 0) return { made };
  const told = failures.find((error) => !isLostRace(error)) ?? failures[0];
  for (const error of failures) {
    if (error !== told) world.log.warn('a change failed too', { object: applicant.owner, problem: messageOf(error) });
  }
  throw told;
}

/** Someone else wrote first or leads now, or the object went: nothing is wrong, and the next look sees what stands. */
export function isLostRace(error: unknown): boolean {
  if (error instanceof MailsealError) return error.reason === 'RecordChanged';
  return hasReason(error, 'Conflict', 'AlreadyExists', 'NotLeader', 'Deleted');
}

/** The durable state, at the version that the plan was made from or that this run wrote. */
interface Memory {
  readonly save: (state: State) => Promise<void>;
  readonly forget: (state: State) => Promise<void>;
}

async function applyChange(world: World, owner: string, change: Change, { save, forget }: Memory): Promise<void> {
  switch (change.do) {
    case 'SaveState':
      await save(change.state);
      return;
    case 'Order':
      await openOrder(world, change, save);
      return;
    case 'SelfSign':
      await selfSign(world, change, save);
      return;
    case 'AnswerChallenges':
      await answerChallenges(world, change);
      return;
    case 'Finalize':
      await finalize(world, change);
      return;
    case 'FetchCertificate':
      await fetchCertificate(world, change, save);
      return;
    case 'Revoke':
      await revoke(world, change, save);
      return;
    case 'Records':
      await submit(world, owner, change);
      return;
    case 'Deliver':
      await deliver(world, change.secret);
      return;
    case 'Restart':
      await restart(world.kube, change);
      return;
    case 'Serve':
      await world.shards.serve(change.host, change.entry);
      return;
    case 'Unserve':
      await world.shards.unserve(change.host);
      return;
    case 'ForgetState':
      await forget(change.state);
      return;
  }
}

type Of<D extends Change['do']> = Extract<Change, { do: D }>;

function submit(
  world: World,
  owner: string,
  { provider, zone, changes, urgency, aliases }: Of<'Records'>,
): Promise<void> {
  return world.zoneWriter.submit({ provider, zone }, changes, { urgency, owner, aliases });
}

/** Goes with the next batch to its zone; nothing waits for it, and it is planned again until it is made. */
function rideAlong(world: World, owner: string, change: Of<'Records'>): void {
  const key = JSON.stringify([change.provider, change.zone, change.changes]);
  if (world.riding.has(key)) return;
  world.riding.add(key);
  world.log.info('change', { object: owner, step: 'Records', why: change.why });
  submit(world, owner, change)
    .catch((error: unknown) =>
      world.log.warn('a change that was to ride along was not made', { object: owner, problem: messageOf(error) }),
    )
    .finally(() => world.riding.delete(key));
}

async function deliver(world: World, secret: SecretObject): Promise<void> {
  try {
    await (secret.metadata.resourceVersion === undefined ? world.kube.create(secret) : world.kube.replace(secret));
  } catch (error) {
    if (!hasReason(error, 'Forbidden')) throw error;
    const { namespace } = secret.metadata;
    throw new MailsealError('SecretForbidden', secretForbidden(namespace ?? ''), { kind: 'Stalled', cause: error });
  }
}

/** Says how the right is given. */
export function secretForbidden(namespace: string): string {
  return `Mailseal may not keep Secrets in namespace ${namespace}: add it to the chart's value tenantNamespaces`;
}
