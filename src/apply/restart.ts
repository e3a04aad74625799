import { MailsealError, messageOf } from '../errors.ts';
import { hasReason } from '../kube/error.ts';
import type { Kube, KubeObject } from '../kube/types.ts';
import type { Change } from '../plan/change.ts';
import { restartForbidden } from '../plan/restart.ts';
import { certificateAnnotation } from '../plan/workloads.ts';

/** Of one annotation on pod templates, and of nothing else there. */
const fieldManager = 'mailseal/restart';

/**
 * Marks the pod template, so that the workload's own controller replaces its pods in its own way. The uid keeps the patch
 * from another workload of the same name, and from making one.
 * @throws MailsealError `RestartForbidden`.
 */
export async function restart(
  kube: Kube,
  { workload, revision }: Extract<Change, { readonly do: 'Restart' }>,
): Promise<void> {
  const { kind, namespace, name, uid } = workload;
  const template = { metadata: { annotations: { [certificateAnnotation]: revision } } };
  const object: KubeObject & { readonly spec: object } = {
    apiVersion: 'apps/v1',
    kind,
    metadata: { name, namespace, uid },
    spec: { template },
  };
  try {
    await kube.apply(object, { fieldManager });
  } catch (error) {
    if (!hasReason(error, 'Forbidden')) throw error;
    const message = `${restartForbidden(namespace, workload)}. Kubernetes said: ${messageOf(error)}`;
    throw new MailsealError('RestartForbidden', message, { kind: 'Stalled', cause: error });
  }
}
