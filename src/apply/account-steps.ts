/** What brings an account to where it can be used; each step is stored before and after the CA hears of it. */
import { MailsealError } from '../errors.ts';
import type { Acme } from './acme.ts';
import type { ExternalAccount } from './acme-account.ts';
import { createKey } from './acme-keys.ts';
import { problemDetailOf } from './acme-problem.ts';
import type { Account, AccountStore } from './accounts.ts';

export interface AccountParts {
  readonly store: AccountStore;
  /** A client that speaks for the account by this key. */
  readonly clientOf: (account: { readonly keyPem: string; readonly url: string | undefined }) => Acme;
  readonly email: string | undefined;
  readonly eab: () => Promise<ExternalAccount | undefined>;
  /** The value of the annotation; absent where nobody asks. */
  readonly asked: string | undefined;
}

/** The account, registered, with the key that it is to have. */
export async function settledAccount(parts: AccountParts): Promise<Account> {
  const registered = await register(parts, await parts.store.open());
  const { asked } = parts;
  if (registered.next !== undefined) return exchangeKey(parts, registered, registered.next);
  if (asked === undefined || asked === registered.rotated?.asked) return registered;
  const next = { keyPem: await createKey('ECDSA-P256'), asked };
  return exchangeKey(parts, await parts.store.save({ ...registered, next }), next);
}

async function register({ store, clientOf, email, eab }: AccountParts, account: Account): Promise<Account> {
  if (account.url !== undefined) return account;
  const acme = clientOf(account);
  try {
    return await store.save({ ...account, url: await acme.register({ email, eab: await eab() }) });
  } finally {
    await acme.close();
  }
}

/** RFC 8555 §7.3.5; `next` is stored beside the old key, and after a crash the CA says which of them it knows. */
async function exchangeKey(
  { store, clientOf }: AccountParts,
  account: Account,
  next: NonNullable<Account['next']>,
): Promise<Account> {
  const { next: _, ...rest } = account;
  const { keyPem, asked } = next;
  const refused = await changed(clientOf, account, keyPem);
  if (refused !== undefined) return store.save({ ...rest, rotated: { asked, refused } });
  return store.save({ ...rest, keyPem, rotated: { asked } });
}

/** Why the CA refuses the new key; undefined where the account has it by now. */
async function changed(
  clientOf: AccountParts['clientOf'],
  account: Account,
  keyPem: string,
): Promise<string | undefined> {
  const [old, young] = [clientOf(account), clientOf({ keyPem, url: undefined })];
  try {
    if ((await young.findAccount()) === account.url) return undefined;
    await old.changeKey(keyPem);
    return undefined;
  } catch (error) {
    // Renewals must go on with the key that works.
    if (error instanceof MailsealError && error.reason === 'ACMERefused') {
      return problemDetailOf(error) ?? error.message;
    }
    throw error;
  } finally {
    await Promise.all([old.close(), young.close()]);
  }
}
