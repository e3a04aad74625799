import type { Reason } from '../api/reasons.ts';
import { statusTimeOf, type WantedCondition } from '../api/conditions.ts';
import type { ConditionType, NextStep, PublishedRecord } from '../api/types.ts';
import type { Wait } from '../plan/change.ts';
import type { AppliedSet } from '../plan/state.ts';

/** Why a reconcile ended early. `Stalled` waits for a human, `Retry` for the world. */
export interface Trouble {
  readonly kind: 'Stalled' | 'Retry';
  readonly reason: Reason;
  readonly message: string;
}

export const finding = (
  type: ConditionType,
  status: WantedCondition['status'],
  reason: Reason,
  message: string,
): WantedCondition => ({
  type,
  status,
  reason,
  message,
});

/**
 * `Ready` out of those that count, and kstatus's `Reconciling` or `Stalled` while one of them is true.
 * The first condition that is not True gives Ready its reason and message.
 */
export function summarise(
  counted: readonly WantedCondition[],
  trouble: Trouble | undefined,
  allIsWell: string,
): readonly WantedCondition[] {
  const open = counted.find(({ status }) => status !== 'True');
  if (trouble !== undefined) {
    const { reason, message } = trouble;
    const ready = finding('Ready', 'False', reason, message);
    return trouble.kind === 'Stalled'
      ? [ready, finding('Stalled', 'True', reason, message)]
      : [ready, finding('Reconciling', 'True', reason, message)];
  }
  if (open === undefined) return [finding('Ready', 'True', 'Ready', allIsWell)];
  const ready = finding('Ready', open.status === 'Unknown' ? 'Unknown' : 'False', open.reason, open.message);
  return [ready, finding('Reconciling', 'True', open.reason, open.message)];
}

/** What is published since when; what is only intended is left out. */
export function publishedRecords(applied: readonly AppliedSet[]): readonly PublishedRecord[] {
  return applied.flatMap(({ name, type, values, since }) =>
    since === undefined ? [] : [{ name, type, values: [...values].sort(), since: statusTimeOf(since) }],
  );
}

/** The waits that a reader should know of: each thing once, without the times, which change at every look. */
export function nextSteps(waits: readonly Wait[], fixed: readonly NextStep[]): readonly NextStep[] {
  const words = [...new Set(waits.map(({ why }) => why))].slice(0, 10);
  return [...fixed, ...words.map((what) => ({ what }))];
}
