/** The key that hosts have already, from the Secret that the user names. */
import { secretForbidden } from '../apply/apply.ts';
import { adoptAnnotation } from '../desired/adopt.ts';
import type { DesiredExchanger } from '../desired/exchanger.ts';
import { MailsealError } from '../errors.ts';
import { hasReason } from '../kube/error.ts';
import type { SecretObject } from '../kube/types.ts';
import { importableKey, type ImportedKey } from '../plan/import.ts';
import type { World } from '../world.ts';

/**
 * Reads it; the Secret is never written.
 * @throws MailsealError `SecretForbidden` or `KeyNotImported`: hosts must not be given another key meanwhile.
 */
export async function readImported(
  world: World,
  { namespace, importFrom: name = '' }: Pick<DesiredExchanger, 'namespace' | 'importFrom'>,
): Promise<ImportedKey> {
  const secret = await read(world, namespace, name);
  const stop = (why: string): MailsealError =>
    new MailsealError('KeyNotImported', `${adoptAnnotation} names the Secret ${namespace}/${name}, ${why}`, {
      kind: 'Stalled',
    });
  if (secret === undefined) throw stop('which does not exist');
  if (secret.type !== 'kubernetes.io/tls') throw stop('which is not of the type kubernetes.io/tls');
  const key = importableKey(Buffer.from(secret.data?.['tls.key'] ?? '', 'base64').toString('utf8'));
  if (key === undefined)
    throw stop(
      'whose tls.key is neither an ECDSA P-256 nor an RSA 2048 key. Take the Secret out of the annotation and give the TLSA set instead: both keys stand in it until the hosts have the new one',
    );
  return { from: name, key };
}

async function read(world: World, namespace: string, name: string): Promise<SecretObject | undefined> {
  try {
    return await world.kube.get<SecretObject>({ apiVersion: 'v1', kind: 'Secret', namespace, name });
  } catch (error) {
    if (!hasReason(error, 'Forbidden')) throw error;
    throw new MailsealError('SecretForbidden', secretForbidden(namespace), { kind: 'Stalled', cause: error });
  }
}
