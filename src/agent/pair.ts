/** A key with its chain, as the Secret holds it, and what must be true of it before a mail server may get it. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { secretRevisionOf } from '../api/attestation.ts';
import { digest } from '../dane/tlsa.ts';
import { messageOf } from '../errors.ts';
import type { SecretObject } from '../kube/types.ts';
import type { TlsFiles } from './servers/server.ts';

export interface Pair {
  /** PKCS #8 PEM. */
  readonly key: string;
  /** PEM, leaf first. */
  readonly chain: string;
  readonly revision: string;
  /** Of the leaf, as `X509Certificate.fingerprint256` has it. */
  readonly fingerprint: string;
  /** Of the leaf's key, as `3 1 1` has it. */
  readonly spkiSha256: string;
}

/**
 * The Secret's pair.
 * @throws Error that says why it may not be installed: unreadable, key and certificate apart, expired, not yet valid.
 */
export function pairOf(secret: SecretObject, now: number): Pair {
  const decode = (name: string): string => {
    const value = secret.data?.[name];
    if (value === undefined || value === '') throw new Error(`the Secret holds no ${name} yet`);
    return Buffer.from(value, 'base64').toString('utf8');
  };
  return checkedPair(decode('tls.key'), decode('tls.crt'), now);
}

/** @throws Error that says why they may not be installed. */
export function checkedPair(key: string, chain: string, now: number): Pair {
  const leaf = readLeaf(chain);
  let matches: boolean;
  try {
    matches = leaf.checkPrivateKey(createPrivateKey(key));
  } catch (error) {
    throw new Error(`the private key can't be read: ${messageOf(error)}`, { cause: error });
  }
  if (!matches) throw new Error('the private key does not belong to the certificate');
  // RFC 8461 §4.2: senders refuse a leaf outside its dates.
  if (leaf.validToDate.getTime() <= now) {
    throw new Error(`the certificate has expired on ${leaf.validToDate.toISOString()}`);
  }
  const slack = 300_000;
  if (leaf.validFromDate.getTime() > now + slack) {
    throw new Error(`the certificate is not valid before ${leaf.validFromDate.toISOString()}; is this clock right?`);
  }
  const ended = (pem: string): string => (pem.endsWith('\n') ? pem : `${pem}\n`);
  const revision = secretRevisionOf(chain);
  const spkiSha256 = digest(leaf.publicKey.export({ type: 'spki', format: 'der' }));
  return { key: ended(key), chain: ended(chain), revision, fingerprint: leaf.fingerprint256, spkiSha256 };
}

/** What each file must hold, in the order in which they are written. */
export function contentsOf(files: TlsFiles, pair: Pair): ReadonlyMap<string, string> {
  if ('chain' in files) return new Map([[files.chain, pair.key + pair.chain]]);
  return new Map([
    [files.key, pair.key],
    [files.certificate, pair.chain],
  ]);
}

/** The pair that the files' contents make, for a roll-back to it. Throws as `checkedPair`. */
export function pairFromContents(files: TlsFiles, contents: ReadonlyMap<string, string>, now: number): Pair {
  const text = [...contents.values()].join('\n');
  const key = /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]+?-----END [A-Z ]*PRIVATE KEY-----\n?/u.exec(text)?.[0] ?? '';
  const blocks = certificatesIn(text);
  if (key === '' || blocks.length === 0) throw new Error(`no pair in ${Object.values(files).join(' and ')}`);
  return checkedPair(key, blocks.join(''), now);
}

/** Reads all of the chain: a mail server that trips over its end serves nothing. */
function readLeaf(chain: string): X509Certificate {
  try {
    const [leaf = new X509Certificate(chain)] = certificatesIn(chain).map((pem) => new X509Certificate(pem));
    return leaf;
  } catch (error) {
    throw new Error(`the certificate can't be read: ${messageOf(error)}`, { cause: error });
  }
}

function certificatesIn(text: string): readonly string[] {
  return text.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----\n?/gu) ?? [];
}
