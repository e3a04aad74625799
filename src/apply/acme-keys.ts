/** Making keys and certificate requests. */
import { createPrivateKey, createPublicKey, generateKeyPair, generateKeyPairSync, sign } from 'node:crypto';
import { promisify } from 'node:util';
import type { KeyAlgorithm } from '../api/types.ts';
import { requestInfo, signedRequest } from '../pki/request.ts';

const generate = promisify(generateKeyPair);
const signature = promisify(sign);

/** A new private key, PKCS #8 PEM. */
export async function createKey(algorithm: KeyAlgorithm = 'ECDSA-P256'): Promise<string> {
  const { privateKey } =
    algorithm === 'RSA-2048'
      ? await generate('rsa', { modulusLength: 2048 })
      : await generate('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** A key for a new account, PKCS #8 PEM; the caller stores it before the CA hears of it. */
export function newAccountKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/**
 * A certificate request (RFC 2986) for these DNS names, which have no common name: DER. Signed on libuv's threads, as
 * keys are made there.
 */
export async function createRequest(names: readonly string[], keyPem: string): Promise<Buffer> {
  const key = createPrivateKey(keyPem);
  const info = requestInfo(names, createPublicKey(key).export({ type: 'spki', format: 'der' }));
  return signedRequest(info, key.asymmetricKeyType === 'rsa' ? 'rsa' : 'ec', await signature('sha256', info, key));
}
