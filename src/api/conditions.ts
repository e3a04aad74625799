/** Conditions as kstatus and `kubectl wait` read them, and as `Equal spec ⇒ zero writes` needs them: deterministic. */
import type { Reason } from './reasons.ts';
import { plainText } from './text.ts';
import type { Condition, ConditionType } from './types.ts';

/** A condition as a reconcile finds it; what came before decides since when it holds. */
export interface WantedCondition {
  readonly type: ConditionType;
  readonly status: Condition['status'];
  readonly reason: Reason;
  /** A sentence for a mail administrator. */
  readonly message: string;
}

/** UTF-16 units; the CRD allows more. */
export const longestMessage = 1024;

/** The order in which conditions are written: the sum first, then the way from the host to the policy. */
const order: Readonly<Record<ConditionType, number>> = {
  Ready: 0,
  Reconciling: 1,
  Stalled: 2,
  MXResolved: 3,
  CertificateReady: 4,
  Deployed: 5,
  DNSSECSecure: 6,
  DANEReady: 7,
  StartTLSVerified: 8,
  ExchangerReady: 9,
  PolicyServed: 10,
  RecordsPublished: 11,
  TLSRPTReady: 12,
};

/** kstatus takes these for abnormal where they stand at all: they are written only while true. */
function isWritten({ type, status }: WantedCondition): boolean {
  return (type !== 'Reconciling' && type !== 'Stalled') || status === 'True';
}

/**
 * The whole list of conditions to write. One that is not wanted any more goes; lastTransitionTime stays while the
 * status does; messages are cut and cleaned of control characters.
 * @param now milliseconds since 1970.
 */
export function setConditions(
  previous: readonly Condition[],
  wanted: readonly WantedCondition[],
  now: number,
  generation: number,
): readonly Condition[] {
  // Of two of one type the later one counts: callers refine what they began with.
  const byType = new Map(wanted.map((condition) => [condition.type, condition]));
  return [...byType.values()]
    .filter(isWritten)
    .sort((a, b) => order[a.type] - order[b.type])
    .map(({ type, status, reason, message }) => {
      const before = previous.find((condition) => condition.type === type);
      return {
        type,
        status,
        reason,
        message: plainText(message, longestMessage),
        lastTransitionTime: before?.status === status ? before.lastTransitionTime : statusTimeOf(now),
        observedGeneration: generation,
      };
    });
}

/** What an object carries from first sight on: without a Ready condition kstatus would take it for done. */
export function firstConditions(now: number, generation: number): readonly Condition[] {
  const message = 'Mailseal has seen this object and is about to look at it.';
  return setConditions(
    [],
    [
      { type: 'Ready', status: 'Unknown', reason: 'Reconciling', message },
      { type: 'Reconciling', status: 'True', reason: 'Reconciling', message },
    ],
    now,
    generation,
  );
}

/** The condition of a type, if there is one. */
export function conditionOf(conditions: readonly Condition[] | undefined, type: ConditionType): Condition | undefined {
  return conditions?.find((condition) => condition.type === type);
}

/** Milliseconds since 1970 as a status holds a time: RFC 3339, whole seconds. */
export function statusTimeOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace(/\.\d{3}Z$/u, 'Z');
}
