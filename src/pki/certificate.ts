/** Certificates as values: what was sent, whether it fits its key and names, when it is to be renewed. */
import { createHash, createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import type { KeyAlgorithm } from '../api/types.ts';
import { messageOf } from '../errors.ts';
import type { SentCertificate } from './observed.ts';
import { certificateFields } from './der.ts';
import { dnsNames, matchesHost } from './names.ts';

const longestChain = 10;
const block = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** The SubjectPublicKeyInfo as it stands in the certificate: Node would encode the key anew. */
function spkiOf(certificate: X509Certificate): Uint8Array {
  const fields = certificateFields(certificate.raw);
  return fields?.spki ?? certificate.publicKey.export({ type: 'spki', format: 'der' });
}

/** Public CAs leave the subject empty; Node then has undefined where its types promise a string. */
const nameText = (name: string | undefined): string => (name ?? '').replaceAll('\n', ', ');

/** What Mailseal notes of one certificate. */
export function describeCertificate(certificate: X509Certificate): SentCertificate {
  return {
    pem: certificate.toString(),
    names: dnsNames(certificate.subjectAltName),
    spkiSha256: sha256(spkiOf(certificate)),
    notBefore: Date.parse(certificate.validFrom),
    notAfter: Date.parse(certificate.validTo),
    issuer: nameText(certificate.issuer),
    subject: nameText(certificate.subject),
  };
}

/** The certificates of a PEM chain, leaf first, whether or not they can be read. */
export const certificatesIn = (pem: string): readonly string[] => pem.match(block) ?? [];

/**
 * Splits a PEM chain, in the order in which it stands there; anything between the certificates is ignored.
 * @throws Error in words if there is none, more than ten, or one can't be read.
 */
export function splitChain(pem: string): readonly X509Certificate[] {
  const blocks = certificatesIn(pem);
  if (blocks.length === 0) throw new Error('there is no certificate in the text');
  if (blocks.length > longestChain) throw new Error(`there are more than ${longestChain} certificates in the chain`);
  return blocks.map((text, index) => {
    try {
      return new X509Certificate(text);
    } catch (error) {
      throw new Error(`certificate ${index + 1} of the chain can't be read: ${messageOf(error)}`, { cause: error });
    }
  });
}

/**
 * Reads a PEM chain, leaf first.
 * @throws Error as `splitChain`.
 */
export function parseChain(pem: string): readonly SentCertificate[] {
  return splitChain(pem).map(describeCertificate);
}

/** Whether the first certificate of a chain was signed by its own key, so that no CA could revoke it. Never throws. */
export function isSelfSigned(chain: string): boolean {
  try {
    const [leaf] = splitChain(chain);
    return leaf !== undefined && leaf.issuer === leaf.subject && leaf.verify(leaf.publicKey);
  } catch {
    return false;
  }
}

/**
 * The digest that a `3 1 1` record of this private key carries, in lower-case hex (RFC 6698 §2.1).
 * @throws Error if the text is no private key.
 */
export function spkiSha256OfKey(keyPem: string): string {
  return sha256(createPublicKey(createPrivateKey(keyPem)).export({ type: 'spki', format: 'der' }));
}

/** What a private key of the kinds that Mailseal makes was made by, PKCS #8 PEM; undefined for any other text. Never throws. */
export function algorithmOfKey(keyPem: string): KeyAlgorithm | undefined {
  try {
    const { asymmetricKeyType, asymmetricKeyDetails } = createPrivateKey(keyPem);
    if (asymmetricKeyType === 'ec' && asymmetricKeyDetails?.namedCurve === 'prime256v1') return 'ECDSA-P256';
    return asymmetricKeyType === 'rsa' && asymmetricKeyDetails?.modulusLength === 2048 ? 'RSA-2048' : undefined;
  } catch {
    return undefined;
  }
}

export interface CertificateProblem {
  readonly code:
    | 'Unreadable'
    | 'KeyMismatch'
    | 'Expired'
    | 'NotYetValid'
    | 'NamesMissing'
    | 'NotForServers'
    | 'ChainBroken';
  readonly message: string;
}

export interface CertificateCheck {
  /** PEM, leaf first. */
  readonly chain: string;
  /** PEM. */
  readonly key: string;
  /** Every name that the leaf must stand for. */
  readonly names: readonly string[];
  /** Milliseconds since 1970. */
  readonly now: number;
}

const day = (time: number): string => new Date(time).toISOString();

function linkProblem(chain: readonly X509Certificate[]): CertificateProblem | undefined {
  for (let n = 0; n + 1 < chain.length; n++) {
    const [child, parent] = [chain[n], chain[n + 1]];
    if (child === undefined || parent === undefined) continue;
    if (child.checkIssued(parent) && child.verify(parent.publicKey)) continue;
    const who = describeCertificate(parent).subject;
    const message = `certificate ${n + 2} of the chain (${who}) did not issue certificate ${n + 1}: the order is broken`;
    return { code: 'ChainBroken', message };
  }
  return undefined;
}

/**
 * Everything that forbids installing this chain with this key; empty where it may be installed. Trust in the root is
 * not judged: a private CA is fine here. Never throws.
 */
export function checkCertificate(check: CertificateCheck): readonly CertificateProblem[] {
  let chain: readonly X509Certificate[];
  let fits: boolean;
  try {
    chain = splitChain(check.chain);
    const [leaf] = chain;
    fits = leaf?.checkPrivateKey(createPrivateKey(check.key)) ?? false;
  } catch (error) {
    return [{ code: 'Unreadable', message: `the certificate or its key can't be read: ${messageOf(error)}` }];
  }
  const problems: CertificateProblem[] = [];
  if (!fits) problems.push({ code: 'KeyMismatch', message: 'the certificate was made for another key' });
  problems.push(...dateProblems(chain, check.now));
  const names = dnsNames(chain[0]?.subjectAltName);
  const missing = check.names.filter((name) => !matchesHost(names, name));
  if (missing.length > 0) {
    problems.push({ code: 'NamesMissing', message: `the certificate does not name ${missing.join(', ')}` });
  }
  problems.push(...useProblems(chain[0]));
  const link = linkProblem(chain);
  return link === undefined ? problems : [...problems, link];
}

const serverAuth = '1.3.6.1.5.5.7.3.1';

/** RFC 5280 §4.2.1.12: a certificate that says what it is for is good for nothing else. */
function useProblems(leaf: X509Certificate | undefined): readonly CertificateProblem[] {
  const uses = leaf?.keyUsage as readonly string[] | undefined;
  if (leaf?.ca === true) return [{ code: 'NotForServers', message: "the first certificate is a CA's own" }];
  if (uses === undefined || uses.length === 0 || uses.includes(serverAuth)) return [];
  return [{ code: 'NotForServers', message: 'the certificate is not meant for servers' }];
}

function dateProblems(chain: readonly X509Certificate[], now: number): readonly CertificateProblem[] {
  return chain.flatMap((certificate, index): CertificateProblem[] => {
    const { notAfter, notBefore } = describeCertificate(certificate);
    const which = index === 0 ? 'the certificate' : `certificate ${index + 1} of the chain`;
    if (notAfter <= now) return [{ code: 'Expired', message: `${which} expired at ${day(notAfter)}` }];
    // A certificate of this very second is fine, a clock that lags by days is not.
    if (notBefore > now) return [{ code: 'NotYetValid', message: `${which} is valid only from ${day(notBefore)}` }];
    return [];
  });
}
