import { conditionOf, firstConditions, type WantedCondition } from '../api/conditions.ts';
import type { Reason } from '../api/reasons.ts';
import type { Condition } from '../api/types.ts';
import { applyChanges, isLostRace } from '../apply/apply.ts';
import { MailsealError, messageOf } from '../errors.ts';
import { hasReason, KubeError } from '../kube/error.ts';
import { addFinalizer } from '../kube/finalizers.ts';
import type { KubeObject } from '../kube/types.ts';
import { type Trouble, summarise } from '../status/findings.ts';
import type { Change, Wait } from '../plan/change.ts';
import type { State } from '../plan/state.ts';
import type { Result, World } from '../world.ts';
import { longestStalledMs } from './pace.ts';
import { roundOf } from './round.ts';

export const finalizer = 'mailseal.dev/finalizer';
/** A deletion is waited for: it is tried again at once, however long the object was looked at in vain. */
const deletionRetryMs = { race: 200, trouble: 5000 } as const;

/** Claims that this look has read itself are not read twice. */
const confirmedMs = 10_000;

type Reconciled = KubeObject & {
  readonly status?: { readonly conditions?: readonly Condition[]; readonly observedGeneration?: number };
};

/** How the kinds differ in the frame of one look. */
export interface Looks {
  /** Deletion: hands over or gives up what others wait for, and the finalizer. Absent: it has none. */
  readonly end?: () => Promise<void>;
  /** One look at an object that stays. */
  readonly look: () => Promise<Result>;
}

export const labelOf = ({ kind, metadata }: KubeObject): string =>
  `${kind} ${metadata.namespace ?? ''}/${metadata.name}`;

/** The frame of a reconcile: what ends it early becomes the object's status, and the reason to come back. */
export async function reconcile(world: World, object: Reconciled, { end, look }: Looks): Promise<Result> {
  const label = labelOf(object);
  try {
    if (object.metadata.deletionTimestamp !== undefined) {
      await end?.();
      world.statusWriter.forget(object);
      world.pace.forget(label);
      world.ledger.note(label, []);
      return {};
    }
    await begin(world, object);
    if (end !== undefined) await addFinalizer(world.kube, object, finalizer);
    return await look();
  } catch (error) {
    return miss(world, object, error, (trouble) => reportTrouble(world, object, trouble));
  }
}

/** What becomes of a look that failed: said in the status, but for a race that may be won the next time. */
async function miss(
  world: World,
  object: Reconciled,
  error: unknown,
  tell: (trouble: Trouble) => Promise<number | undefined>,
): Promise<Result> {
  const report = (trouble: Trouble): Promise<number | undefined> => unlessGone(tell(trouble));
  const label = labelOf(object);
  const trouble = troubleOf(error);
  const deleted = object.metadata.deletionTimestamp !== undefined;
  if (trouble === undefined) {
    if (deleted) return { requeueAfterMs: deletionRetryMs.race };
    const result = world.pace.lost(label);
    const why = world.pace.isLosing(label) ? raceTrouble(error) : undefined;
    if (why !== undefined) await report(why);
    return result;
  }
  world.log.warn('reconcile failed', { object: label, reason: trouble.reason, problem: trouble.message });
  const statusDueMs = await report(trouble);
  // The queue logs it with its stack, and backs off.
  if (trouble.reason === 'InternalError') throw error;
  if (deleted) return { requeueAfterMs: Math.max(deletionRetryMs.trouble, retryAfterMs(error)) };
  return world.pace.next(label, { trouble, statusDueMs, retryAfterMs: retryAfterMs(error) });
}

/** A status that is being written; where the object, or its kind, has gone there is nobody to tell. */
export async function unlessGone(written: Promise<number | undefined>): Promise<number | undefined> {
  try {
    return await written;
  } catch (failure) {
    if (hasReason(failure, 'NotFound', 'Deleted')) return undefined;
    throw failure;
  }
}

/** Races that are always lost are not races: something answers otherwise than it shows. */
function raceTrouble(error: unknown): Trouble | undefined {
  if (error instanceof MailsealError) {
    const message = `again and again the name servers refuse a change, as if someone else had just made another: ${error.message}. See who else writes these records`;
    return { kind: 'Retry', reason: error.reason, message };
  }
  // Whoever no longer leads says nothing of the object, and of one that went there is nothing to say.
  if (hasReason(error, 'NotLeader', 'Deleted')) return undefined;
  const message = `again and again someone else writes the same objects in Kubernetes first: ${messageOf(error)}`;
  return { kind: 'Retry', reason: 'KubernetesUnavailable', message };
}

/** What a plan asks for, and how the object's status tells of it. */
export interface Course {
  readonly changes: readonly Change[];
  readonly waits: readonly Wait[];
  /** What is looked at again though nothing is left to do: no step of it, and nothing to tell. */
  readonly revisit?: readonly Wait[];
  /** With these changes nothing is left to do or to wait for. */
  readonly done?: boolean;
  /** As the plan leaves it. */
  readonly state: Pick<State, 'certificate' | 'applied'>;
  /** The object was deleted: what goes with it is meant to go, however much that is. */
  readonly isRetirement?: boolean;
  /** Of the durable state that the plan was made from. */
  readonly resourceVersion: string | undefined;
  /** Makes sure that what is to change is the object's still, going by claims seen no longer ago than that. */
  readonly confirm?: (believedMs: number) => Promise<void>;
  readonly report: (trouble: Trouble | undefined) => {
    readonly status: object;
    readonly conditions: readonly WantedCondition[];
  };
}

/** Makes the changes of a plan, reports, and says when to look again. */
export async function carryOut(world: World, object: Reconciled, course: Course): Promise<Result> {
  const label = labelOf(object);
  const tell = ({ status, conditions }: ReturnType<Course['report']>): Promise<number | undefined> => {
    announce(world, object, conditions);
    return world.statusWriter.write(object, status, conditions);
  };
  let made: number;
  world.ledger.note(label, course.state.applied);
  const { changes, refused } =
    course.isRetirement === true
      ? { changes: course.changes, refused: [] }
      : world.ledger.admit({ owner: label, changes: course.changes, wasRefused: saysTooMuch(object) }, (name) =>
          world.cache.providers().find((one) => one.metadata.name === name),
        );
  try {
    if (changes.some((change) => change.do !== 'SaveState')) await course.confirm?.(confirmedMs);
    ({ made } = await applyChanges(world, { owner: label, resourceVersion: course.resourceVersion }, changes));
  } catch (error) {
    return miss(world, object, error, (trouble) => tell(course.report(trouble)));
  }
  const round = roundOf(changes);
  const [tooMuch] = refused;
  const vain = made > 0 && world.pace.isRepeating(label) ? vainTrouble(course.changes) : undefined;
  const trouble = tooMuch === undefined ? vain : tooMuchTrouble(tooMuch);
  const said = course.report(trouble);
  const statusDueMs = await tell(said);
  const later = [...(course.revisit ?? []), ...untilRenewal(course.state, world.clock.now())];
  const waits = [...course.waits, ...untilMended(said.conditions), ...later];
  const stopped = tooMuch === undefined ? undefined : trouble;
  return world.pace.next(label, { trouble: stopped, statusDueMs, made, round, waits, done: course.done === true });
}

/** What a human has to mend outside of the cluster, as an MX set, is not looked for every half hour only. */
function untilMended(conditions: readonly WantedCondition[]): readonly Wait[] {
  const ready = conditions.find(({ type }) => type === 'Ready');
  return ready === undefined || ready.status === 'True' ? [] : [{ why: 'it is not ready', forMs: longestStalledMs }];
}

/** A certificate that lives for hours only is due before the next look that nothing else calls for. */
function untilRenewal({ certificate }: Course['state'], now: number): readonly Wait[] {
  const forMs = (certificate?.renewAt ?? 0) - now;
  return forMs > 0 ? [{ why: 'the certificate is to be renewed', forMs }] : [];
}

const saysTooMuch = ({ status }: Reconciled): boolean =>
  conditionOf(status?.conditions, 'Ready')?.reason === 'TooManyChanges';

const tooMuchTrouble = (message: string): Trouble => ({ kind: 'Stalled', reason: 'TooManyChanges', message });

/** Changes that are made, accepted and needed again at the next look. */
function vainTrouble(changes: readonly Change[]): Trouble {
  const what = changes.map(({ why }) => why).join('; ');
  const message = `the same changes are made again and again, and do not last: ${what}. Find out what undoes or alters them: a server that changes what it accepts, a TTL for instance, or another program that writes the same, a second installation with the same id perhaps`;
  return { kind: 'Retry', reason: 'RecordChanged', message };
}

/** Before the first external write: `Ready=Unknown`, for whoever looks. */
async function begin(world: World, object: Reconciled): Promise<void> {
  if (object.status?.conditions === undefined && !world.statusWriter.knows(object)) {
    await world.statusWriter.write(object, {}, firstConditions(world.clock.now(), object.metadata.generation ?? 0));
  }
}

/** What a failure means for the object's status; undefined for a lost race, which the next look settles. */
export function troubleOf(error: unknown): Trouble | undefined {
  if (isLostRace(error)) return undefined;
  if (error instanceof MailsealError) return { kind: error.kind, reason: error.reason, message: error.message };
  if (error instanceof KubeError) {
    return { kind: 'Retry', reason: 'KubernetesUnavailable', message: `Kubernetes: ${error.message}` };
  }
  const message = `Mailseal met an error that it did not expect: ${messageOf(error)}. It tries again; its log has more`;
  return { kind: 'Retry', reason: 'InternalError', message };
}

/** A reference that leads nowhere waits for a human; what could not be found out may pass. */
export const unresolved = ({ reason, message }: { readonly reason: Reason; readonly message: string }): MailsealError =>
  new MailsealError(reason, message, { kind: reason === 'DNSUnknown' ? 'Retry' : 'Stalled' });

/** An object has more to it than one peer: no word of a CA or a DNS provider puts it away for longer. */
const longestRetryAfterMs = 6 * 60 * 60 * 1000;

/** Milliseconds that the peer asked to be left alone, at least. */
export function retryAfterMs(error: unknown): number {
  const seconds = error instanceof MailsealError || error instanceof KubeError ? error.retryAfterSeconds : undefined;
  return Math.min((seconds ?? 0) * 1000, longestRetryAfterMs);
}

/** The status of an object whose reconcile ended before there was a plan: what was known of it before stays. */
async function reportTrouble(world: World, object: Reconciled, trouble: Trouble): Promise<number | undefined> {
  const conditions = summarise([], trouble, '');
  announce(world, object, conditions);
  return world.statusWriter.write(object, undefined, conditions);
}

/** An Event for what a human should hear of: that it is ready, that it is so no longer, or that it is stuck and why. */
export function announce(world: World, object: Reconciled, conditions: readonly WantedCondition[]): void {
  const of = (all: readonly WantedCondition[] | undefined, type: 'Ready' | 'Stalled') =>
    all?.find((one) => one.type === type);
  const note = (type: 'Normal' | 'Warning', { reason, message }: WantedCondition): void =>
    void world.events.record(object, { type, reason, message, action: 'Reconcile' });
  const [ready, stalled] = [of(conditions, 'Ready'), of(conditions, 'Stalled')];
  const before = object.status?.conditions;
  if (stalled !== undefined) {
    if (of(before, 'Stalled')?.reason !== stalled.reason) note('Warning', stalled);
  } else if (ready?.status === 'True' && of(before, 'Ready')?.status !== 'True') {
    note('Normal', ready);
  } else if (ready?.status === 'False' && of(before, 'Ready')?.status === 'True') {
    note('Warning', ready);
  }
}
