/** Signatures of requests (RFC 8555 §6.2), made on libuv's threads: acme-client makes them on the loop. */
import { type KeyObject, sign } from 'node:crypto';
import { promisify } from 'node:util';
import type { Inner } from './acme-inner.ts';

const signature = promisify(sign);

/** A request as acme-client prepares it, in base64url. */
interface Prepared {
  readonly protected: string;
  readonly payload: string;
  readonly signature?: string;
}

const isPrepared = (data: unknown): data is Prepared =>
  typeof data === 'object' && data !== null && 'protected' in data && 'payload' in data;

/**
 * Has acme-client leave out the signatures of an ES256 key, which all accounts of ours have. Returns what completes a
 * request before it is sent.
 */
export function signLater(http: Inner['http'], key: KeyObject): (data: unknown) => Promise<unknown> {
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') return (data) => Promise.resolve(data);
  http.createSignedBody = (url, payload, how) => http.prepareSignedBody('ES256', url, payload, how);
  return async (data) => {
    if (!isPrepared(data) || data.signature !== undefined) return data;
    const text = Buffer.from(`${data.protected}.${data.payload}`);
    // RFC 7518 §3.4: r and s beside each other, not in DER.
    const bytes = await signature('sha256', text, { key, dsaEncoding: 'ieee-p1363' });
    return { ...data, signature: bytes.toString('base64url') };
  };
}
