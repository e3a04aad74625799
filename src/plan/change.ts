import type { AcmeMethod } from '../dns/caa.ts';
import type { RecordChange } from '../dns/change.ts';
import type { SecretObject } from '../api/object.ts';
import type { WorkloadRef } from '../api/types.ts';
import type { HostEntry } from '../policyshard/shard.ts';
import type { ExchangerState, OpenOrder, Revocation, State, StoredKey } from './state.ts';

/** Steps that go on whatever becomes of the others: a record that can't be written must not stop a renewal. */
export type Lane = 'Certificate' | 'Own' | 'Restarts' | 'Revocations';

/** What an order is for: a certificate where there is none, the next one, or the next one as the CA suggests it now. */
export type OrderRank = 'First' | 'Renewal' | 'Suggested';

/**
 * One small step, with the reason why it may happen now. Those without a lane come first, in the order of the plan, and
 * all else depends on them; then each lane runs in its order, beside the other, and ends at its first failure.
 */
export type Change = {
  readonly why: string;
  readonly lane?: Lane;
} /** Opens an order and stores it with the state, keys included, before anything depends on them. */ & (
  | {
      readonly do: 'Order';
      readonly method: AcmeMethod;
      readonly state: State;
      readonly key: StoredKey;
      readonly names: readonly string[];
      readonly issuer: string;
      /** The `renewalId` of the certificate that the new one takes the place of. */
      readonly replaces?: string;
      /** See `OpenOrder`. */
      readonly hurried?: number;
      /** Absent: `First`. */
      readonly rank?: OrderRank;
    }
  | {
      readonly do: 'SelfSign';
      readonly state: State;
      readonly key: StoredKey;
      readonly names: readonly string[];
      readonly issuer: string;
    }
  | { readonly do: 'AnswerChallenges'; readonly order: OpenOrder }
  | { readonly do: 'Finalize'; readonly order: OpenOrder; readonly key: StoredKey }
  | { readonly do: 'FetchCertificate'; readonly order: OpenOrder; readonly key: StoredKey; readonly state: State }
  /** The CA is told that a key is no secret any more; what it says is stored. Without the key the account asks. */
  | { readonly do: 'Revoke'; readonly revocation: Revocation; readonly state: ExchangerState }
  | { readonly do: 'SaveState'; readonly state: State }
  | {
      readonly do: 'Records';
      readonly provider: string;
      readonly zone: string;
      readonly changes: readonly RecordChange[];
      /** `whenNext`: rides with the next batch to the zone, within a minute. */
      readonly urgency: 'now' | 'whenNext';
      /** Targets of a human's CNAMEs, each with the name of ours that points to it. */
      readonly aliases: Readonly<Record<string, string>>;
    }
  | { readonly do: 'Deliver'; readonly secret: SecretObject }
  /** Only once the Secret holds what the revision names. */
  | {
      readonly do: 'Restart';
      readonly workload: WorkloadRef & { readonly namespace: string; readonly uid: string };
      readonly revision: string;
    }
  | { readonly do: 'Serve'; readonly host: string; readonly entry: HostEntry }
  | { readonly do: 'Unserve'; readonly host: string }
  /** The end of a retirement: nothing depends on the durable state any more. */
  | { readonly do: 'ForgetState'; readonly state: State }
);

/** The same steps, in a lane. */
export const inLane = (lane: Lane, changes: readonly Change[]): readonly Change[] =>
  changes.map((change) => ({ ...change, lane }));

/** Whether nothing follows from a step: it stores what was seen, or nobody waits for it. */
export const isLast = (change: Change): boolean =>
  change.do === 'SaveState' || (change.do === 'Records' && change.urgency === 'whenNext');

/** Milliseconds between two looks for what a human is to do. */
export const humanMs = 30_000;

/** What may not happen yet: until when, or for which event. */
export interface Wait {
  readonly why: string;
  /** Milliseconds from now until it is worth looking again. */
  readonly forMs: number;
}
