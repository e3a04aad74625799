import type { Reason } from '../api/reasons.ts';
import { statusTimeOf, type WantedCondition } from '../api/conditions.ts';
import { plainText } from '../api/text.ts';
import type { ConditionType, NextStep, PublishedRecord, RequiredRecord } from '../api/types.ts';
import type { CertificatePlan } from '../plan/certificate.ts';
import type { Wait } from '../plan/change.ts';
import type { RecordProblem } from '../plan/record-view.ts';
import type { AppliedSet } from '../plan/state.ts';

/** Why a reconcile ended early. `Stalled` waits for a human, `Retry` for the world. */
export interface Trouble {
  readonly kind: 'Stalled' | 'Retry';
  readonly reason: Reason;
  readonly message: string;
}

/** How one aspect stands: a condition without its type. */
export type Judgement = Omit<WantedCondition, 'type'>;

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

/** UTF-16 units, as the CRDs bound them. */
const longestValue = 4096;
export const longestSentence = 1024;
/** The CRDs allow more. */
const mostSteps = 50;
/** As the CRDs bound them. */
const mostRequired = 256;
const mostNamed = 8;
const recordValue = (value: string): string => plainText(value, longestValue);

/** Names that strangers chose how many of: a few, and how many more. */
export function fewOf(names: readonly string[]): string {
  const few = names.slice(0, mostNamed).join(', ');
  return names.length > mostNamed ? `${few} and ${names.length - mostNamed} more` : few;
}

/**
 * What else there is to say of the certificate that stands, as further sentences: what is odd about it, and why the next
 * one does not follow; empty where all takes its course.
 */
export function certificateRemarks({ problem, state }: CertificatePlan): string {
  const failing = problem !== undefined && problem.reason !== 'OrderPending' && state.certificate !== undefined;
  const note = state.certificate?.note === undefined ? '' : `. Of its chain: ${state.certificate.note}`;
  return failing ? `${note}. The next certificate fails: ${problem.message}` : note;
}

/** A record that does not stand as it should, as a condition has it. Unknown is neither yes nor no. */
export function notDone({ reason, message }: RecordProblem): Judgement {
  return { status: reason === 'DNSUnknown' ? 'Unknown' : 'False', reason, message };
}

/** What a refused record means for the whole object: a human must mend it, but for what could not be found out. */
export function refusedTrouble(refused: readonly RecordProblem[]): Trouble | undefined {
  const first = refused.find(({ reason }) => reason !== 'DNSUnknown') ?? refused[0];
  if (first === undefined) return undefined;
  const { reason, message } = first;
  return { kind: reason === 'DNSUnknown' ? 'Retry' : 'Stalled', reason, message };
}

/** What is published since when; what is only intended is left out. */
export function publishedRecords(applied: readonly AppliedSet[]): readonly PublishedRecord[] {
  return applied.flatMap(({ name, type, values, since }) =>
    since === undefined
      ? []
      : [{ name, type, values: [...values].sort().map(recordValue), since: statusTimeOf(since) }],
  );
}

/** Without the values that the status has no room for, in an order that does not change by itself. */
export function requiredRecords(required: readonly RequiredRecord[]): readonly RequiredRecord[] {
  const all = required.map((one) => ({ ...one, values: [...one.values].sort().map(recordValue) }));
  const keyOf = ({ name, type }: RequiredRecord): string => `${name} ${type}`;
  return all.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)).slice(0, mostRequired);
}

/** The waits that a reader should know of: each thing once, without the times, which change at every look. */
export function nextSteps(waits: readonly Wait[], fixed: readonly NextStep[]): readonly NextStep[] {
  const words = [...new Set(waits.map(({ why }) => why))].slice(0, 10);
  return [...fixed, ...words.map((what) => ({ what }))].slice(0, mostSteps).map((step) => ({
    ...step,
    what: plainText(step.what, longestSentence),
  }));
}
