/** What `mailseal plan` says of one object, in the form that `--json` prints. Documented in docs/gitops.md. */
import type { WantedCondition } from '../api/conditions.ts';
import type { Reason } from '../api/reasons.ts';
import type { NextStep, RequiredRecord } from '../api/types.ts';
import type { RecordType } from '../dns/rrset.ts';
import type { RecordProblem } from '../plan/record-view.ts';

export type Action =
  /** Of a record set. */
  | 'create'
  | 'update'
  | 'delete'
  /** A record set that stands as it is wanted becomes Mailseal's. */
  | 'adopt'
  /** Of a certificate: ordered or signed, proven to the CA, fetched. */
  | 'certificate'
  /** To the Secret that MX hosts mount. */
  | 'deliver'
  /** To the policy pods. */
  | 'serve'
  | 'withdraw'
  /** Of an object in Kubernetes. */
  | 'object';

export interface RecordValues {
  readonly ttlSeconds: number;
  /** Sorted; in the text form of zone files, TXT as the whole logical string. */
  readonly values: readonly string[];
}

export interface RecordDiff {
  readonly name: string;
  readonly type: RecordType;
  /** Absent: nothing stands there. */
  readonly before?: RecordValues;
  /** Absent: nothing is to stand there. */
  readonly after?: RecordValues;
}

export interface Step {
  readonly action: Action;
  /** Of a step about a record set. */
  readonly record?: RecordDiff;
  /** Of any other step, in words. */
  readonly what?: string;
  readonly why: string;
}

/** A step that must wait. */
export interface LaterStep extends Step {
  /** What must be so first, as a clause. */
  readonly when: string;
}

export interface ObjectPreview {
  readonly kind: string;
  /** Absent for cluster-scoped kinds. */
  readonly namespace?: string;
  readonly name: string;
  /** The domain, the hosts or the zones. */
  readonly about: string;
  /** In order. */
  readonly changes: readonly Step[];
  readonly later: readonly LaterStep[];
  /** What a human is to publish, change or remove. */
  readonly requiredRecords: readonly RequiredRecord[];
  readonly refused: readonly RecordProblem[];
  readonly waits: readonly NextStep[];
  readonly conditions: readonly WantedCondition[];
  readonly error?: { readonly reason: Reason; readonly message: string };
}

export const quietPreview: Pick<
  ObjectPreview,
  'changes' | 'later' | 'requiredRecords' | 'refused' | 'waits' | 'conditions'
> = { changes: [], later: [], requiredRecords: [], refused: [], waits: [], conditions: [] };
