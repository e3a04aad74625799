/**
 * Rolling restarts of the workloads whose mail servers read the certificate only when they start. What the Secret holds
 * decides what their pod templates are marked with, so that one delivery restarts a workload once, however often it is
 * planned.
 */
import { secretRevisionOf } from '../api/attestation.ts';
import type { SecretObject } from '../api/object.ts';
import type { Reason } from '../api/reasons.ts';
import type { WorkloadRef } from '../api/types.ts';
import type { RolloverWait } from '../dane/keystate.ts';
import { checkCertificate } from '../pki/certificate.ts';
import { type Change, humanMs, type Wait } from './change.ts';
import type { MountedSecret } from './exchanger.ts';
import { givenBy } from './keys.ts';
import type { StoredKey } from './state.ts';
import {
  type HeldCertificate,
  keyOfRevision,
  type ObservedWorkload,
  type ObservedWorkloads,
  revisionOf,
  startedWith,
  workloadWords,
} from './workloads.ts';

type SeenWorkload = Extract<ObservedWorkload, { readonly is: 'Seen' }>;

export interface RestartPlan {
  readonly changes: readonly Change[];
  readonly waits: readonly Wait[];
  /** Why a workload can be neither looked at nor restarted. */
  readonly problem?: { readonly reason: Reason; readonly message: string };
}

export interface RestartInput {
  readonly namespace: string;
  readonly workloads: ObservedWorkloads;
  /** By the spec or by annotation: nothing but renewals. */
  readonly suspended: boolean;
  /** What forbids to give the key in the Secret to hosts that have another one. */
  readonly forbidden: RolloverWait | undefined;
  /** A host shows a certificate that ends soon. */
  readonly endsSoon: boolean;
}

const rollingMs = 2000;

/** When the API server last took data for a Secret, of those who may have written it the last. */
function writtenAt({ metadata: { managedFields = [] } }: SecretObject): number | undefined {
  const times = managedFields.flatMap(({ time, fieldsV1 }) =>
    time !== undefined && fieldsV1?.['f:data'] !== undefined ? [Date.parse(time)] : [],
  );
  return times.length === 0 ? undefined : Math.max(...times);
}

/** What the Secret holds; undefined where that is not ours, or not fit to be started with. */
export function heldCertificate(
  mounted: MountedSecret,
  known: readonly StoredKey[],
  now: number,
): HeldCertificate | undefined {
  const key = givenBy(mounted, known);
  if (mounted.is !== 'Ours' || key === undefined || !known.includes(key)) return undefined;
  const chain = Buffer.from(mounted.object.data?.['tls.crt'] ?? '', 'base64').toString('utf8');
  if (checkCertificate({ chain, key: key.pem, names: [], now }).length > 0) return undefined;
  const revision = revisionOf(key.spkiSha256, secretRevisionOf(chain));
  return { key: key.spkiSha256, revision, since: writtenAt(mounted.object) };
}

/** Says how the right is given. */
export const restartForbidden = (namespace: string, workload: WorkloadRef): string =>
  `Mailseal may not look at or restart ${workloadWords(workload)} in namespace ${namespace}, so that its pods keep the certificate that they started with: set "workloadRestarts: {enabled: true}" beside "tenantNamespaces: [${namespace}]" in the values of the chart, or grant it for this workload alone by the Role in docs/restarts.md`;

function problemOf(namespace: string, seen: readonly ObservedWorkload[]): RestartPlan['problem'] {
  const forbidden = seen.find(({ is }) => is === 'Forbidden');
  if (forbidden !== undefined) return { reason: 'RestartForbidden', message: restartForbidden(namespace, forbidden) };
  const absent = seen.filter(({ is }) => is === 'Absent').map(workloadWords);
  if (absent.length === 0) return undefined;
  const message = `there is no ${absent.join(', ')} in namespace ${namespace}: correct spec.delivery.restart, or create it. Until then none of its pods is restarted for a new certificate, and no key is taken to have reached them`;
  return { reason: 'WorkloadNotFound', message };
}

/** Some pod has started with something else, and the template does not say yet that it is to be replaced. */
const isBehind = ({ revision, pods = [] }: SeenWorkload, held: HeldCertificate): boolean =>
  revision !== held.revision && pods.some((pod) => !pod.leaving && !startedWith(pod, held));

/** Marked, and its pods are not all there yet. */
const isRolling = ({ revision, complete, pods = [] }: SeenWorkload, held: HeldCertificate): boolean =>
  revision === held.revision && (!complete || pods.some((pod) => !startedWith(pod, held)));

function rollingWait(workload: SeenWorkload): Wait {
  const label = workloadWords(workload);
  return workload.halted === undefined
    ? { why: `the pods of ${label} are being restarted`, forMs: rollingMs }
    : { why: `${label} ${workload.halted}`, forMs: humanMs };
}

/**
 * Why a workload is not restarted now; undefined where it may be. A renewal (I19) is never held up, not by suspension
 * either: a server that does not start anew lets the old certificate run out. A workload that was never marked, or was
 * marked with another key, has nothing renewed to wait for, unless a host shows a certificate that ends soon.
 */
function keptBack(
  workload: SeenWorkload,
  held: HeldCertificate,
  { suspended, forbidden, endsSoon }: RestartInput,
): Wait | undefined {
  if (keyOfRevision(workload.revision) === held.key) return undefined;
  if (forbidden !== undefined)
    return { why: `the pods of ${workloadWords(workload)} are not restarted: ${forbidden.message}`, forMs: rollingMs };
  if (!suspended || endsSoon) return undefined;
  return {
    why: `the pods of ${workloadWords(workload)} are not restarted while the object is suspended or its keys are held, but for renewals`,
    forMs: humanMs,
  };
}

/**
 * The restarts that may happen now: one workload at a time, so that a certificate that stops a mail server stops one; but
 * none waits for another that stands still, nor where a host shows a certificate that ends soon.
 */
export function planRestarts(input: RestartInput): RestartPlan {
  const { held, seen } = input.workloads;
  const problem = problemOf(input.namespace, seen);
  const there = seen.filter((one) => one.is === 'Seen');
  if (held === undefined) return { changes: [], waits: [], ...(problem && { problem }) };
  const rolling = there.filter((one) => isRolling(one, held));
  const behind = there.filter((one) => isBehind(one, held));
  const kept = behind.flatMap((one) => keptBack(one, held, input) ?? []);
  const free = behind.filter((one) => keptBack(one, held, input) === undefined);
  const busy = rolling.some(({ halted }) => halted === undefined);
  const now = input.endsSoon ? free : busy ? [] : free.slice(0, 1);
  const later = free.filter((one) => !now.includes(one));
  return {
    changes: now.map(({ kind, name, uid }) => ({
      do: 'Restart',
      why: 'its pods started with another certificate than the Secret holds',
      workload: { kind, name, uid, namespace: input.namespace },
      revision: held.revision,
    })),
    waits: [
      ...rolling.map(rollingWait),
      ...later.map((one) => ({ why: `${workloadWords(one)} is restarted after the others`, forMs: rollingMs })),
      ...kept,
    ],
    ...(problem && { problem }),
  };
}
