import type { WorkloadRef } from '../api/types.ts';
import { hasReason } from '../kube/error.ts';
import type { Kube, KubeObject } from '../kube/types.ts';
import {
  certificateAnnotation,
  type HeldCertificate,
  type ObservedPod,
  type ObservedWorkload,
} from '../plan/workloads.ts';

interface Expression {
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  readonly values?: readonly string[];
}

/** The fields that are used of Deployments, StatefulSets and DaemonSets (apps/v1), which share most of their names. */
interface Workload extends KubeObject {
  readonly spec?: {
    readonly replicas?: number;
    readonly paused?: boolean;
    readonly selector?: {
      readonly matchLabels?: Readonly<Record<string, string>>;
      readonly matchExpressions?: readonly Expression[];
    };
    readonly template?: { readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> } };
    readonly updateStrategy?: { readonly type?: string; readonly rollingUpdate?: { readonly partition?: number } };
  };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly replicas?: number;
    readonly updatedReplicas?: number;
    readonly readyReplicas?: number;
    readonly desiredNumberScheduled?: number;
    readonly currentNumberScheduled?: number;
    readonly updatedNumberScheduled?: number;
    readonly numberReady?: number;
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly reason?: string }[];
  };
}

interface Pod extends KubeObject {
  readonly status?: {
    readonly phase?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

/** Of one workload: more is no mail server. */
const mostPods = 500;

/** Every pod that is to be there is, made from the newest template and ready. */
function isComplete({ kind, metadata, spec, status = {} }: Workload): boolean {
  if ((status.observedGeneration ?? 0) < (metadata.generation ?? 0)) return false;
  const [want, there, updated, ready] =
    kind === 'DaemonSet'
      ? [
          status.desiredNumberScheduled ?? 0,
          status.currentNumberScheduled,
          status.updatedNumberScheduled,
          status.numberReady,
        ]
      : [spec?.replicas ?? 1, status.replicas, status.updatedReplicas, status.readyReplicas];
  return [there, updated, ready].every((count = 0) => count === want);
}

/** What keeps the controller from replacing pods until a human does something. */
function haltedBy({ kind, spec, status }: Workload): string | undefined {
  if (spec?.paused === true) return 'is paused and restarts no pod: kubectl rollout resume goes on';
  if (kind !== 'Deployment' && spec?.updateStrategy?.type === 'OnDelete')
    return 'replaces its pods only when they are deleted (updateStrategy OnDelete): delete them one after another';
  const partition = spec?.updateStrategy?.rollingUpdate?.partition ?? 0;
  if (kind === 'StatefulSet' && partition > 0)
    return `keeps its pods below number ${partition} as they are (updateStrategy.rollingUpdate.partition): set it to 0`;
  const late = status?.conditions?.find(
    ({ type, reason }) => type === 'Progressing' && reason === 'ProgressDeadlineExceeded',
  );
  return late?.status === 'False' ? 'has new pods that do not become ready: see kubectl describe pods' : undefined;
}

function selectorOf({ spec }: Workload): string {
  const { matchLabels = {}, matchExpressions = [] } = spec?.selector ?? {};
  const words = matchExpressions.map(({ key, operator, values = [] }) => {
    switch (operator) {
      case 'In':
        return `${key} in (${values.join(',')})`;
      case 'NotIn':
        return `${key} notin (${values.join(',')})`;
      case 'Exists':
        return key;
      case 'DoesNotExist':
        return `!${key}`;
    }
  });
  return [...Object.entries(matchLabels).map(([name, value]) => `${name}=${value}`), ...words].join(',');
}

const hasEnded = ({ status }: Pod): boolean => status?.phase === 'Succeeded' || status?.phase === 'Failed';

const podOf = ({ metadata, status }: Pod): ObservedPod => ({
  name: metadata.name,
  revision: metadata.annotations?.[certificateAnnotation],
  createdAt: Date.parse(metadata.creationTimestamp ?? ''),
  ready: status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') === true,
  leaving: metadata.deletionTimestamp !== undefined,
});

/** All that a Service with the same selector may lead to, whoever made them. */
async function podsOf(kube: Kube, namespace: string, workload: Workload): Promise<readonly ObservedPod[]> {
  const labelSelector = selectorOf(workload);
  const pods = await kube.list<Pod>({ apiVersion: 'v1', kind: 'Pod', namespace, labelSelector, most: mostPods });
  return pods.filter((pod) => !hasEnded(pod)).map(podOf);
}

async function observeWorkload(
  kube: Kube,
  namespace: string,
  { kind, name }: WorkloadRef,
  asksPods: (revision: string | undefined) => boolean,
): Promise<ObservedWorkload> {
  try {
    const found = await kube.get<Workload>({ apiVersion: 'apps/v1', kind, namespace, name });
    if (found === undefined) return { kind, name, is: 'Absent' };
    const revision = found.spec?.template?.metadata?.annotations?.[certificateAnnotation];
    const complete = isComplete(found);
    const pods = !complete || asksPods(revision) ? await podsOf(kube, namespace, found) : undefined;
    const uid = found.metadata.uid ?? '';
    return { kind, name, is: 'Seen', uid, revision, complete, halted: haltedBy(found), pods };
  } catch (error) {
    if (hasReason(error, 'Forbidden')) return { kind, name, is: 'Forbidden' };
    throw error;
  }
}

/**
 * The workloads that are named, and no other: one call each, and one more for the pods where it has not come to rest with
 * what the Secret holds, or where `provesKeys`: a step of the rollover waits for what pods attest.
 */
export async function observeWorkloads(
  kube: Kube,
  place: { readonly namespace: string; readonly restart: readonly WorkloadRef[] },
  held: HeldCertificate | undefined,
  provesKeys: boolean,
): Promise<readonly ObservedWorkload[]> {
  const asksPods = (revision: string | undefined): boolean => provesKeys || revision !== held?.revision;
  return Promise.all(place.restart.map((one) => observeWorkload(kube, place.namespace, one, asksPods)));
}
