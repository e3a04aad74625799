/** The ACME account of one issuer at one server, as it is stored. */
import { createPrivateKey } from 'node:crypto';
import { formatVersion, isObject, readStored } from './stored.ts';

export interface StoredAccount {
  /** PKCS #8 PEM. */
  readonly keyPem: string;
  /** Undefined until the CA has registered the key. */
  readonly url: string | undefined;
  /** The key that is to take the place of the other, or has at the CA; which of them, only the CA can say. */
  readonly next?: { readonly keyPem: string; readonly asked: string };
  /** How the last request for another key ended: the annotation's value, and why the CA refused, if it did. */
  readonly rotated?: { readonly asked: string; readonly refused?: string };
  /** The account before this one, which the CA accepts no longer. */
  readonly former?: FormerAccount;
}

export interface FormerAccount {
  readonly keyPem: string;
  readonly url: string;
  /** The words of the CA. */
  readonly said: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** The text that is stored. */
export function formatAccount(server: string, account: StoredAccount): string {
  const { keyPem, url, next, rotated, former } = account;
  return JSON.stringify({ formatVersion, server, keyPem, url, next, rotated, former });
}

/**
 * Reads stored text. An account that can't be read is never overwritten: the caller reports `StateUnreadable` and stops.
 * @throws Error with the reason in words, without any secret.
 */
export function parseAccount(text: string, server: string): StoredAccount {
  const { server: of, keyPem, url, next, rotated, former } = readStored(text);
  if (of !== server) throw new Error('the account is of another server');
  if (typeof keyPem !== 'string') throw new Error('the account lacks its key');
  if (url !== undefined && typeof url !== 'string') throw new Error("the account's URL is not text");
  checkKey(keyPem, "the account's key");
  return {
    keyPem,
    url,
    ...(next === undefined ? {} : { next: readNext(next) }),
    ...(isRotated(rotated) ? { rotated } : {}),
    ...(isFormer(former) ? { former } : {}),
  };
}

function checkKey(keyPem: string, what: string): void {
  try {
    createPrivateKey(keyPem);
  } catch (error) {
    throw new Error(`${what} can't be read`, { cause: error });
  }
}

function readNext(value: unknown): NonNullable<StoredAccount['next']> {
  const { keyPem, asked } = isObject(value) ? value : {};
  if (typeof keyPem !== 'string' || typeof asked !== 'string') throw new Error("the account's next key is not text");
  checkKey(keyPem, "the account's next key");
  return { keyPem, asked };
}

const isRotated = (value: unknown): value is NonNullable<StoredAccount['rotated']> =>
  isObject(value) && typeof value['asked'] === 'string';

const isFormer = (value: unknown): value is FormerAccount =>
  isObject(value) && ['keyPem', 'url', 'said'].every((name) => typeof value[name] === 'string');

/** What a human should know of an account that works; undefined for nothing. */
export function accountNote({ url, former, rotated }: StoredAccount): string | undefined {
  const refused = rotated?.refused;
  const notes = [
    ...(former === undefined
      ? []
      : [
          `the CA accepted the account ${former.url} no longer (${former.said}), and ${url ?? 'a new one'} took its place: CAA records that name the old one (accounturi) must name the new one`,
        ]),
    ...(refused === undefined ? [] : [`the account keeps its key, since the CA refused another: ${refused}`]),
  ];
  return notes.length === 0 ? undefined : notes.join('; ');
}
