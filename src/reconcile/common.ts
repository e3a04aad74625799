import { firstConditions, type WantedCondition } from '../api/conditions.ts';
import { plainText } from '../api/text.ts';
import type { Condition } from '../api/types.ts';
import { MailsealError } from '../errors.ts';
import { hasReason, KubeError } from '../kube/error.ts';
import { addFinalizer } from '../kube/finalizers.ts';
import type { KubeObject } from '../kube/types.ts';
import { type Trouble, summarise } from '../status/findings.ts';
import type { World } from '../world.ts';

export const finalizer = 'mailseal.dev/finalizer';

type Reconciled = KubeObject & {
  readonly status?: { readonly conditions?: readonly Condition[]; readonly observedGeneration?: number };
};

/** Before the first external write: `Ready=Unknown`, for whoever looks, and the finalizer. */
export async function begin(world: World, object: Reconciled): Promise<void> {
  if (object.status?.conditions === undefined) {
    await world.statusWriter.write(object, {}, firstConditions(world.clock.now(), object.metadata.generation ?? 0));
  }
  await addFinalizer(world.kube, object, finalizer);
}

/** What a failure means for the object's status; undefined for a lost race, which the next look settles. */
export function troubleOf(error: unknown): Trouble | undefined {
  if (error instanceof MailsealError) {
    return error.reason === 'RecordChanged'
      ? undefined
      : { kind: error.kind, reason: error.reason, message: error.message };
  }
  if (hasReason(error, 'Conflict', 'AlreadyExists', 'NotLeader')) return undefined;
  if (error instanceof KubeError) {
    return { kind: 'Retry', reason: 'KubernetesUnavailable', message: `Kubernetes: ${error.message}` };
  }
  throw error;
}

/** Milliseconds that the peer asked to be left alone, at least. */
export function retryAfterMs(error: unknown): number {
  const seconds = error instanceof MailsealError || error instanceof KubeError ? error.retryAfterSeconds : undefined;
  return (seconds ?? 0) * 1000;
}

/** The status of an object whose reconcile ended before there was a plan: what was known of it before stays. */
export async function reportTrouble(world: World, object: Reconciled, trouble: Trouble): Promise<number | undefined> {
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

/** The request for a fresh look that this look has answered. */
export function requested({ metadata }: KubeObject): { readonly requestedAt?: string } {
  const requestedAt = metadata.annotations?.['mailseal.dev/requested-at'];
  return requestedAt === undefined ? {} : { requestedAt: plainText(requestedAt, 1024) };
}
