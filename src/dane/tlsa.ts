import { createHash, createPublicKey, X509Certificate } from 'node:crypto';
import { parsed, problemList, quoted } from '../dns/problem.ts';
import type { Parsed, ProblemList } from '../dns/problem.ts';
import { canonicalValue } from '../dns/rrset.ts';

/** The data of a TLSA record (RFC 6698 §2.1): certificate usage, selector, matching type, and lower-case hex. */
export interface Tlsa {
  readonly usage: number;
  readonly selector: number;
  readonly matching: number;
  readonly data: string;
}

/** Where a mail server may show the key of an MX host, and TLSA records of ours may pin it. */
export const mailPorts: readonly number[] = [25, 110, 143, 465, 587, 993, 995, 4190];

/** The TLSA base domain of a host's SMTP port, or of another one; names canonical. RFC 7672 §2.2.3, RFC 6698 §3. */
export function tlsaName(host: string, port: number = 25): string {
  return `_${port}._tcp.${host}`;
}

/** Lower-case hex of SHA-256 over a SubjectPublicKeyInfo in DER: the data of `3 1 1`. RFC 6698 §2.1.3. */
export function digest(spkiDer: Uint8Array): string {
  return createHash('sha256').update(spkiDer).digest('hex');
}

/** The record that Mailseal publishes for a key: DANE-EE, SubjectPublicKeyInfo, SHA2-256. RFC 7672 §3.1. */
export function tlsaOfKey(spkiSha256: string): string {
  return `3 1 1 ${spkiSha256}`;
}

/** The canonical text of a record. */
export function formatTlsa(tlsa: Tlsa): string {
  return `${tlsa.usage} ${tlsa.selector} ${tlsa.matching} ${tlsa.data}`;
}

/**
 * Reads one record's data as zone files and `dig` write it, and says what makes it unusable for SMTP. PKIX usages are a
 * warning (they are unusable, yet spoil nothing); so is what works but ages badly. Never throws.
 * Source: RFC 6698 §2.1, RFC 7671 §5, RFC 7672 §3.1.
 */
export function parseTlsa(text: string): Parsed<Tlsa> {
  const list = problemList();
  const tlsa = readTlsa(text);
  if (tlsa === undefined) {
    const message = `${quoted(text)} is not "usage selector matching-type hex".`;
    list.error('MalformedTlsa', message, 'RFC 6698 §2.2');
    return parsed<Tlsa>(undefined, list);
  }
  checkUsage(tlsa, list);
  checkData(tlsa, list);
  return parsed(tlsa, list);
}

/** The parts, if the text has any: says nothing about whether they are usable. */
function readTlsa(text: string): Tlsa | undefined {
  const canonical = canonicalValue('TLSA', text);
  if (!canonical.ok) return undefined;
  const [usage = '', selector = '', matching = '', data = ''] = canonical.value.split(' ');
  return { usage: Number(usage), selector: Number(selector), matching: Number(matching), data };
}

function checkUsage(tlsa: Tlsa, list: ProblemList): void {
  if (tlsa.usage < 2) {
    const message = `Usage ${tlsa.usage} is unusable for SMTP: senders act as if the record were not there.`;
    // RFC 7672 §3.1.3: PKIX-TA(0) and PKIX-EE(1) are not to be used; senders treat them as unusable.
    list.warning('UnusableUsage', message, 'RFC 7672 §3.1.3');
  } else if (tlsa.usage > 3) {
    list.error('UnknownUsage', `Usage ${tlsa.usage} is unknown; 3 is right for SMTP.`, 'RFC 6698 §2.1.1');
  }
  if (tlsa.selector > 1) {
    list.error('UnknownSelector', `Selector ${tlsa.selector} is unknown; 1 is right for SMTP.`, 'RFC 6698 §2.1.2');
  } else if (tlsa.selector === 0 && tlsa.usage === 3) {
    const message = 'Selector 0 pins the whole certificate: the record must change at every renewal. Use 3 1 1.';
    list.warning('CertificateSelector', message, 'RFC 7671 §5.1');
  }
}

function checkData(tlsa: Tlsa, list: ProblemList): void {
  const bytes = tlsa.data.length / 2;
  if (tlsa.matching > 2) {
    list.error('UnknownMatching', `Matching type ${tlsa.matching} is unknown; 1 is right.`, 'RFC 6698 §2.1.3');
  } else if (tlsa.matching > 0) {
    const want = tlsa.matching === 1 ? 32 : 64;
    const message = `Matching type ${tlsa.matching} needs ${want} bytes; there are ${bytes}.`;
    if (bytes !== want) list.error('DigestLength', message, 'RFC 6698 §2.1.3');
  } else if (tlsa.selector < 2 && !dataParses(tlsa)) {
    const what = tlsa.selector === 0 ? 'a certificate' : 'a public key';
    list.error('MalformedData', `The data is not ${what} in DER.`, 'RFC 6698 §2.1.4');
  } else if (tlsa.selector < 2) {
    // RFC 7671 §10.1.2: publish digests, not full data.
    list.warning('FullData', 'Matching type 0 makes large answers; publish a digest.', 'RFC 7671 §10.1.2');
  }
}

function dataParses(tlsa: Tlsa): boolean {
  const der = Buffer.from(tlsa.data, 'hex');
  try {
    if (tlsa.selector === 0) return new X509Certificate(der).raw.equals(der);
    return createPublicKey({ key: der, format: 'der', type: 'spki' }).type === 'public';
  } catch {
    // OpenSSL refuses what is neither: that is the answer.
    return false;
  }
}

/**
 * The record, if a sender of mail can use it; else why not. One that is not usable must not spoil the others of its
 * set.
 * Source: RFC 7671 §10.1, RFC 7672 §3.1.3.
 */
export function usable(
  text: string,
): { readonly ok: true; readonly tlsa: Tlsa } | { readonly ok: false; readonly why: string } {
  const result = parseTlsa(text);
  if (!result.ok) return { ok: false, why: result.problems.map((problem) => problem.message).join(' ') };
  const pkix = result.problems.find((problem) => problem.code === 'UnusableUsage');
  return pkix === undefined ? { ok: true, tlsa: result.value } : { ok: false, why: pkix.message };
}
