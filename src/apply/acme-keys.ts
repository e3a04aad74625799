/** Making keys. */
import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';

export type KeyAlgorithm = 'ECDSA-P256' | 'RSA-2048';

const generate = promisify(generateKeyPair);

/** A new private key, PKCS #8 PEM. */
export async function createKey(algorithm: KeyAlgorithm = 'ECDSA-P256'): Promise<string> {
  const { privateKey } =
    algorithm === 'RSA-2048'
      ? await generate('rsa', { modulusLength: 2048 })
      : await generate('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}
