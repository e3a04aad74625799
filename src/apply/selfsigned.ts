/** Certificates that vouch for themselves: enough for DANE-EE, which looks at nothing but the key (RFC 7671 §5.1). */
import * as x509 from '@peculiar/x509';
import { createPrivateKey, createPublicKey, randomBytes, webcrypto } from 'node:crypto';

export interface SelfSignedOptions {
  readonly names: readonly string[];
  /** PKCS #8 PEM, ECDSA P-256 or RSA. */
  readonly keyPem: string;
  readonly years: number;
  /** Milliseconds since 1970. */
  readonly now: number;
}

const hourMs = 60 * 60 * 1000;
const yearMs = 365 * 24 * hourMs;

async function importKeys(keyPem: string): Promise<{ keys: webcrypto.CryptoKeyPair; algorithm: object }> {
  const key = createPrivateKey(keyPem);
  const der = key.export({ type: 'pkcs8', format: 'der' });
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const kind =
    key.asymmetricKeyType === 'rsa'
      ? { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
      : { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const [privateKey, publicKey] = await Promise.all([
    webcrypto.subtle.importKey('pkcs8', der, kind, false, ['sign']),
    webcrypto.subtle.importKey('spki', spki, kind, true, ['verify']),
  ]);
  return { keys: { privateKey, publicKey }, algorithm: kind };
}

/**
 * Signs a server certificate for these names with its own key, PEM.
 * @throws Error where the key is neither ECDSA P-256 nor RSA, or there is no name.
 */
export async function issueSelfSigned(options: SelfSignedOptions): Promise<string> {
  const { names, now } = options;
  if (names.length === 0) throw new Error('a certificate needs a name');
  const { keys, algorithm } = await importKeys(options.keyPem);
  // RFC 5280 §4.1.2.2: positive and at most 20 octets.
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      // A common name holds at most 64 characters (RFC 5280, appendix A); nobody reads it.
      name: [{ CN: [names[0]?.slice(0, 64) ?? ''] }],
      serialNumber: serial.toString('hex'),
      notBefore: new Date(now - hourMs),
      notAfter: new Date(now + options.years * yearMs),
      signingAlgorithm: algorithm,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns', value }))),
      ],
    },
    webcrypto,
  );
  return `${certificate.toString('pem')}\n`;
}
