/** The workloads that run the mail servers of an exchanger's hosts, and what their pods are known to have started with. */
import type { WorkloadRef } from '../api/types.ts';
import type { RolloverFacts, RolloverState } from '../dane/keystate.ts';

/** What the Secret of the hosts holds, as far as it may be started with. */
export interface HeldCertificate {
  /** The fingerprint of its key. */
  readonly key: string;
  /** As the annotation of pod templates has it. */
  readonly revision: string;
  /** Milliseconds since 1970, by the API server's clock: since when the Secret holds it. */
  readonly since: number | undefined;
}

export interface ObservedPod {
  readonly name: string;
  /** Of its annotation: what its template said when it was made. */
  readonly revision: string | undefined;
  /** Milliseconds since 1970, by the API server's clock. */
  readonly createdAt: number;
  readonly ready: boolean;
  /** It is being deleted; until it has gone it may still be connected to. */
  readonly leaving: boolean;
}

export type ObservedWorkload = WorkloadRef &
  (
    | { readonly is: 'Absent' | 'Forbidden' }
    | {
        readonly is: 'Seen';
        readonly uid: string;
        /** Of the annotation of its pod template. */
        readonly revision: string | undefined;
        /** Every pod that should be there is ready and of the newest template. */
        readonly complete: boolean;
        /** Why its controller replaces no pods, as the end of a sentence that begins with the workload. */
        readonly halted: string | undefined;
        /** Undefined where nothing depended on them, and they were not asked for. */
        readonly pods: readonly ObservedPod[] | undefined;
      }
  );

export interface ObservedWorkloads {
  /** Undefined while the Secret holds nothing that a mail server may be restarted with. */
  readonly held: HeldCertificate | undefined;
  readonly seen: readonly ObservedWorkload[];
}

/** On a pod template: what its pods start with. No secret: TLSA records carry the digest of the key too. */
export const certificateAnnotation = 'mailseal.dev/certificate';

export const revisionOf = (key: string, chainRevision: string): string => `${key}.${chainRevision}`;
export const keyOfRevision = (revision: string | undefined): string | undefined => revision?.split('.')[0];

export const workloadWords = ({ kind, name }: WorkloadRef): string => `${kind} ${name}`;

/** Clocks of several API servers may differ by some seconds, and a kubelet may lag behind as much. */
const clockSlackMs = 60_000;

/** Whether a pod has read what the Secret holds: its template was marked so, or it was made well after that was written. */
export function startedWith({ revision, createdAt }: ObservedPod, held: HeldCertificate): boolean {
  return revision === held.revision || (held.since !== undefined && createdAt > held.since + clockSlackMs);
}

/**
 * What each pod of the workloads vouches for, among the keys that are known; undefined where it does not run yet, or has
 * started with what nobody knows. A load balancer shows a probe one pod of many.
 */
export function attestedPods(
  { held, seen }: ObservedWorkloads,
  known: readonly { readonly spkiSha256: string }[],
): RolloverFacts['attested'] {
  const keyOf = (pod: ObservedPod): string | undefined => {
    const started = held !== undefined && startedWith(pod, held) ? held.key : keyOfRevision(pod.revision);
    const key = known.find(({ spkiSha256 }) => spkiSha256 === started)?.spkiSha256;
    return key === held?.key && !pod.ready ? undefined : key;
  };
  return seen.flatMap((one) => {
    const endpoint = workloadWords(one);
    if (one.is !== 'Seen') return [{ endpoint, key: undefined }];
    if (one.pods?.length === 0 && !one.complete) return [{ endpoint, key: undefined }];
    return (one.pods ?? []).map((pod) => ({ endpoint: `pod ${pod.name} of ${endpoint}`, key: keyOf(pod) }));
  });
}

/** Whether a step of the rollover may wait for what pods attest. */
export const provesKeys = ({ phase, published, adopted }: RolloverState): boolean =>
  phase !== 'Steady' || !published || adopted !== undefined;

/** Pods, at most a few, that are not known to run with the key that the hosts were given, in words. */
export const laggingPods = (attested: RolloverFacts['attested'], given: string): readonly string[] =>
  attested
    .filter(({ key }) => key !== given)
    .slice(0, 10)
    .map(({ endpoint }) => `${endpoint} is not known to run with the key that it was given`);
