import { createHash, createPublicKey, X509Certificate } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { spkiOf } from './spki.ts';
import { usable } from './tlsa.ts';
import type { Tlsa } from './tlsa.ts';

/** Why one record of the set does not authenticate the host. */
interface RecordVerdict {
  readonly record: string;
  readonly why: string;
}

/**
 * - `Match`: this record authenticates the host by the certificate at `depth` (0 is the leaf; one past the end where
 *   the trust anchor is held by the record itself).
 * - `NoMatch`: a usable record is there and none matches: a DANE sender defers the mail.
 * - `Unusable`: no record is usable: TLS is mandatory, unauthenticated (RFC 7672 §2.2).
 */
export type DaneVerdict =
  | { readonly verdict: 'Match'; readonly record: string; readonly depth: number }
  | { readonly verdict: 'NoMatch' | 'Unusable'; readonly records: readonly RecordVerdict[] };

export interface DaneInput {
  /** The data of a secure TLSA set. Whether it is secure is for the caller to know. */
  readonly records: readonly string[];
  /** The certificates as sent, leaf first: PEM, or DER. */
  readonly chain: readonly (string | Uint8Array)[];
  /** For usage 2: the TLSA base domain and the mail domain, any of which the certificate may hold (RFC 7672 §3.2.2). */
  readonly names: readonly string[];
  /** Milliseconds since 1970, for usage 2. */
  readonly now: number;
}

/** Longer chains are not looked at. */
const longestChain = 10;

/**
 * Whether a TLSA set authenticates a host that sent this chain, as a DANE sender judges it. DANE-EE ignores names,
 * dates and trust; DANE-TA wants a signed path from the leaf to the anchor, every certificate of it in its time, and a
 * name. Name constraints and path lengths are not evaluated. Never throws.
 * Source: RFC 7671 §5.1, §5.2, RFC 7672 §3.1, §3.2.
 */
export function verifyDane(input: DaneInput): DaneVerdict {
  const chain = input.chain.slice(0, longestChain).map(readCertificate);
  const records: RecordVerdict[] = [];
  let someUsable = false;
  for (const record of input.records) {
    const result = usable(record);
    if (!result.ok) {
      records.push({ record, why: result.why });
      continue;
    }
    someUsable = true;
    const depth = result.tlsa.usage === 3 ? matchLeaf(result.tlsa, chain) : matchAnchor(result.tlsa, chain, input);
    if (typeof depth === 'number') return { verdict: 'Match', record, depth };
    records.push({ record, why: depth });
  }
  return { verdict: someUsable ? 'NoMatch' : 'Unusable', records };
}

function readCertificate(encoded: string | Uint8Array): X509Certificate | undefined {
  try {
    return new X509Certificate(encoded);
  } catch {
    // What OpenSSL can't read matches nothing; its place in the chain is kept.
    return undefined;
  }
}

function matchesCertificate(tlsa: Tlsa, certificate: X509Certificate): boolean {
  const selected = tlsa.selector === 0 ? certificate.raw : spkiOf(certificate.raw);
  if (selected === undefined) return false;
  // RFC 6698 §2.1.3: 0 is the data itself, 1 SHA2-256, 2 SHA2-512.
  if (tlsa.matching === 0) return Buffer.from(selected).toString('hex') === tlsa.data;
  return (
    createHash(tlsa.matching === 1 ? 'sha256' : 'sha512')
      .update(selected)
      .digest('hex') === tlsa.data
  );
}

function matchLeaf(tlsa: Tlsa, chain: readonly (X509Certificate | undefined)[]): number | string {
  const leaf = chain[0];
  if (leaf === undefined) return 'The host sent no certificate that can be read.';
  // RFC 7671 §5.1: the match alone decides; names, dates and issuers mean nothing.
  if (matchesCertificate(tlsa, leaf)) return 0;
  return `The host's ${tlsa.selector === 0 ? 'certificate' : 'key'} is another one.`;
}

function matchAnchor(tlsa: Tlsa, chain: readonly (X509Certificate | undefined)[], input: DaneInput): number | string {
  const leaf = chain[0];
  if (leaf === undefined) return 'The host sent no certificate that can be read.';
  const path = pathTo(tlsa, leaf, chain);
  if (typeof path === 'string') return path;
  // RFC 7671 §5.2: unlike usage 3, usage 2 checks dates and names.
  const outOfDate = path.certificates.find(
    (one) => input.now < one.validFromDate.getTime() || input.now > one.validToDate.getTime(),
  );
  if (outOfDate !== undefined) return `The certificate of ${subjectOf(outOfDate)} is not valid at this time.`;
  const named = input.names.some(
    (name) => leaf.checkHost(name, { subject: 'never', partialWildcards: false }) !== undefined,
  );
  return named ? path.depth : `The certificate names none of ${input.names.join(', ')}.`;
}

interface Path {
  readonly certificates: readonly X509Certificate[];
  readonly depth: number;
}

/**
 * The shortest signed path from the leaf up to what the record names. Each certificate is visited once, so that
 * circles and cross-signed extras cost nothing.
 */
function pathTo(tlsa: Tlsa, leaf: X509Certificate, chain: readonly (X509Certificate | undefined)[]): Path | string {
  const above = new Map([...chain.entries()].filter(([index]) => index > 0));
  const paths: Path[] = [{ certificates: [leaf], depth: 0 }];
  for (const path of paths) {
    const last = path.certificates.at(-1) ?? leaf;
    if (path.depth > 0 && matchesCertificate(tlsa, last)) return path;
    for (const [index, issuer] of above) {
      if (issuer === undefined || !isIssuedBy(last, issuer)) continue;
      above.delete(index);
      paths.push({ certificates: [...path.certificates, issuer], depth: index });
    }
  }
  for (const path of paths) {
    const whole = anchorInRecord(tlsa, path.certificates, chain.length);
    if (whole !== undefined) return whole;
  }
  return 'No certificate that the record names was sent above the leaf, signed all the way.';
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return issuer.ca && certificate.checkIssued(issuer) && verifies(certificate, () => issuer.publicKey);
}

/** RFC 7671 §5.2.2, §5.2.3: with matching type 0 the anchor need not be sent. */
function anchorInRecord(tlsa: Tlsa, certificates: readonly X509Certificate[], depth: number): Path | undefined {
  const last = certificates.at(-1);
  if (tlsa.matching !== 0 || last === undefined) return undefined;
  const data = Buffer.from(tlsa.data, 'hex');
  if (tlsa.selector === 1) {
    const signed = verifies(last, () => createPublicKey({ key: data, format: 'der', type: 'spki' }));
    return signed ? { certificates, depth } : undefined;
  }
  const anchor = readCertificate(data);
  if (anchor === undefined || !isIssuedBy(last, anchor)) return undefined;
  return { certificates: [...certificates, anchor], depth };
}

function verifies(certificate: X509Certificate, key: () => KeyObject): boolean {
  try {
    return certificate.verify(key());
  } catch {
    // A key that OpenSSL does not know, or of another algorithm than the signature's.
    return false;
  }
}

function subjectOf(certificate: X509Certificate): string {
  return JSON.stringify(certificate.subject.slice(0, 80));
}
