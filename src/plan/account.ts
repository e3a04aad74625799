/** The ACME account of one issuer at one server, as it is stored. */
import { createPrivateKey } from 'node:crypto';
import { formatVersion, readStored } from './stored.ts';

export interface StoredAccount {
  /** PKCS #8 PEM. */
  readonly keyPem: string;
  /** Undefined until the CA has registered the key. */
  readonly url: string | undefined;
}

/** The text that is stored. */
export function formatAccount(server: string, { keyPem, url }: StoredAccount): string {
  return JSON.stringify({ formatVersion, server, keyPem, url });
}

/**
 * Reads stored text. An account that can't be read is never overwritten: the caller reports `StateUnreadable` and stops.
 * @throws Error with the reason in words, without any secret.
 */
export function parseAccount(text: string, server: string): StoredAccount {
  const { server: of, keyPem, url } = readStored(text);
  if (of !== server) throw new Error('the account is of another server');
  if (typeof keyPem !== 'string') throw new Error('the account lacks its key');
  if (url !== undefined && typeof url !== 'string') throw new Error("the account's URL is not text");
  try {
    createPrivateKey(keyPem);
  } catch (error) {
    throw new Error("the account's key can't be read", { cause: error });
  }
  return { keyPem, url };
}
