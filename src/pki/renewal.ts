/** When a certificate is to be renewed, and how the CA is asked about it (RFC 9773). */
import { createHash, type X509Certificate } from 'node:crypto';
import { describeCertificate, splitChain } from './certificate.ts';
import { certificateFields, extensionValue, readChildren, readElement } from './der.ts';

/** When the CA wants a certificate to be renewed; milliseconds since 1970. Source: RFC 9773 §4.2. */
export interface SuggestedWindow {
  readonly start: number;
  readonly end: number;
  /** Where the CA says why. */
  readonly explanationUrl?: string;
}

/** 0 to 1, always the same for a certificate: what is made together is not renewed in the same minute. */
function shareOf({ serialNumber }: X509Certificate): number {
  const digest = createHash('sha256').update(serialNumber).digest('hex');
  return Number.parseInt(digest.slice(0, 8), 16) / 0x1_0000_0000;
}

/**
 * When to renew, in milliseconds since 1970: at an instant of the CA's window that the serial number decides. Without a
 * window, or with one that makes no sense, within the last thirtieth of the lifetime before a third of it is left.
 * Nothing that a CA suggests is later than that third.
 * @throws Error if the chain can't be read.
 */
export function renewalTime(chain: string, window?: SuggestedWindow): number {
  const [leaf] = splitChain(chain);
  if (leaf === undefined) throw new Error('there is no certificate in the text');
  const { notBefore, notAfter } = describeCertificate(leaf);
  const lifetime = notAfter - notBefore;
  const latest = notAfter - lifetime / 3;
  // RFC 9773 §4.2: a uniform instant of the window. Deviation: of its part before the latest, so that none bunch up there.
  const sound = window !== undefined && window.start < window.end && window.start < latest;
  const [start, end] = sound ? [window.start, Math.min(window.end, latest)] : [latest - lifetime / 30, latest];
  return Math.round(end - (end - start) * shareOf(leaf));
}

const authorityKeyIdentifier = '551d23';

/**
 * The name of a certificate in ACME renewal information and in `replaces`; undefined where it names no authority key.
 * Source: RFC 9773 §4.1.
 */
export function renewalId(certificate: X509Certificate): string | undefined {
  const der = certificate.raw;
  const fields = certificateFields(der);
  const value = fields === undefined ? undefined : extensionValue(der, fields, authorityKeyIdentifier);
  const sequence = value === undefined ? undefined : readElement(value, 0);
  if (fields === undefined || value === undefined || sequence === undefined) return undefined;
  const keyId = readChildren(value, sequence)?.find((part) => part.tag === 0x80);
  if (keyId === undefined) return undefined;
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');
  return `${text(value.subarray(keyId.contents, keyId.end))}.${text(fields.serial)}`;
}

/** The same of the first certificate of a chain; undefined also where that can't be read. Never throws. */
export function renewalIdOfChain(chain: string): string | undefined {
  try {
    const [leaf] = splitChain(chain);
    return leaf === undefined ? undefined : renewalId(leaf);
  } catch {
    return undefined;
  }
}
