import { randomUUID } from 'node:crypto';
import { MailsealError } from '../errors.ts';
import { hasReason } from '../kube/error.ts';
import type { ConfigMapObject, Kube } from '../kube/types.ts';

const name = 'mailseal-installation';
const dataKey = 'installationId';
const shape = /^[A-Za-z0-9-]{8,64}$/u;

/**
 * What marks our records in the DNS: made once, kept in a ConfigMap that outlives the release, and handed over only
 * explicitly, by `given`.
 * @throws MailsealError `InvalidSpec` when `given` contradicts what is kept, `StateUnreadable` when that can't be read.
 */
export async function installationId(kube: Kube, namespace: string, given: string | undefined): Promise<string> {
  if (given !== undefined && !shape.test(given)) {
    throw new MailsealError('InvalidSpec', 'the installation id must be 8 to 64 letters, digits and hyphens', {
      kind: 'Stalled',
    });
  }
  const ref = { apiVersion: 'v1', kind: 'ConfigMap', namespace, name };
  const found = await kube.get<ConfigMapObject>(ref);
  const kept = found?.data?.[dataKey];
  if (found !== undefined && (kept === undefined || !shape.test(kept))) {
    const message = `ConfigMap ${namespace}/${name} holds no installation id: restore it from a backup, or delete it and give the id by --installation-id`;
    throw new MailsealError('StateUnreadable', message, { kind: 'Stalled' });
  }
  if (kept !== undefined) {
    if (given === undefined || given === kept) return kept;
    const mend = `delete ConfigMap ${namespace}/${name} first if this installation is to take over the records of ${given}`;
    throw new MailsealError('InvalidSpec', `this installation is ${kept}, not ${given}: ${mend}`, { kind: 'Stalled' });
  }
  const made = given ?? randomUUID();
  try {
    await kube.create<ConfigMapObject>({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, namespace, labels: { 'app.kubernetes.io/managed-by': 'mailseal' } },
      data: { [dataKey]: made },
    });
    return made;
  } catch (error) {
    if (hasReason(error, 'AlreadyExists')) return installationId(kube, namespace, given);
    throw error;
  }
}
