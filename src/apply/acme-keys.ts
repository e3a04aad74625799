/** Making keys and certificate requests. */
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

/** A certificate request (RFC 2986) for these DNS names, which have no common name: DER. */
export async function createRequest(names: readonly string[], keyPem: string): Promise<Buffer> {
  // Loaded late: it costs megabytes that a program which asks for no certificate need not pay.
  const { crypto } = await import('./acme-library.ts');
  const [, pem] = await crypto.createCsr({ altNames: [...names] }, keyPem);
  return Buffer.from(pem.toString().replace(/-----[^-]+-----|\s/g, ''), 'base64');
}
