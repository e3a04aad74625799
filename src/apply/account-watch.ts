/** An account that the CA may accept no longer, whichever request it is told by. */
import type { Clock } from '../clock.ts';
import { MailsealError } from '../errors.ts';
import { hasReason } from '../kube/error.ts';
import type { Account, AccountStore } from './accounts.ts';
import type { Acme } from './acme.ts';
import { newAccountKey } from './acme-keys.ts';
import { problemTypeOf } from './acme-problem.ts';

/** By it a human asks for another account key: a timestamp. */
export const rotateAnnotation = 'mailseal.dev/rotate-account-key';

export interface AccountWatch {
  /** As it was when the client was made. */
  readonly account: Account;
  readonly store: AccountStore;
  readonly clock: Clock;
  /** Another account, or another key, is stored: a client of its own is to be made. */
  readonly onReplaced: () => void;
  /** Only a human can say what to do about the account. */
  readonly onUnsure: () => void;
}

/** RFC 8555 §7.3.6: requests of a deactivated account are unauthorized; those of one with another key are malformed. */
const doubtful: ReadonlySet<string | undefined> = new Set(['unauthorized', 'malformed']);

/** A CA that accepts no account for long is not given a new one each time. */
const replacedAgainMs = 24 * 60 * 60 * 1000;

const again = (error: MailsealError, more: string): MailsealError =>
  new MailsealError(error.reason, `${error.message} ${more}`, { kind: 'Retry', cause: error.cause });

/** The same client, but that sees to it that there is an account. */
export function watched(acme: Acme, watch: AccountWatch): Acme {
  const { account, store, clock, onReplaced, onUnsure } = watch;

  /** Another that failed with the same account may have been here already. */
  const isStale = (stored: Account | undefined): boolean =>
    stored?.keyPem !== account.keyPem || stored.url !== account.url || stored.next !== undefined;

  const replaceBy = async (change: (stored: Account) => Account): Promise<void> => {
    const stored = await store.load();
    if (stored !== undefined && !isStale(stored)) await store.save(change(stored)).catch(unlessLost);
    onReplaced();
  };

  /** What the CA no longer knows is registered anew, with the same key, when the issuer is next asked for. */
  const lose = (): Promise<void> => replaceBy((stored) => ({ ...stored, url: undefined }));

  let asking: Promise<string | undefined> | undefined;
  /** One question serves all that fail at the time. */
  const refusal = (): Promise<string | undefined> =>
    (asking ??= acme.accountRefusal().finally(() => {
      asking = undefined;
    }));

  const mended = async (error: MailsealError): Promise<MailsealError> => {
    const said = await refusal();
    if (said === undefined) return error;
    const stored = await store.load();
    if (stored === undefined || isStale(stored)) {
      onReplaced();
      return again(error, 'The account is another by now; it is asked for again.');
    }
    const { former, url, keyPem } = stored;
    if (url === undefined) return error;
    const now = clock.now();
    if (former !== undefined && now - former.at < replacedAgainMs) {
      onUnsure();
      const mend = `It no longer accepts our account ${url} either (${said}), which took the place of ${former.url} within a day. To try another, delete Secret ${store.place}: a new account is registered then.`;
      return again(error, mend);
    }
    const left = { keyPem, url, said, at: now };
    await replaceBy((one) => ({
      keyPem: newAccountKey(),
      url: undefined,
      former: left,
      ...(one.rotated === undefined ? {} : { rotated: one.rotated }),
      resourceVersion: one.resourceVersion,
    }));
    return again(
      error,
      `It no longer accepts our account ${url} (${said}): a new one is registered, and the old key is kept.`,
    );
  };

  const guarded =
    <A extends readonly unknown[], R>(call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      try {
        return await call(...args);
      } catch (error) {
        if (problemTypeOf(error) === 'accountDoesNotExist') await lose();
        if (!(error instanceof MailsealError) || !doubtful.has(problemTypeOf(error))) throw error;
        throw await mended(error);
      }
    };
  return {
    ...acme,
    newOrder: guarded(acme.newOrder),
    answer: guarded(acme.answer),
    poll: guarded(acme.poll),
    finalize: guarded(acme.finalize),
    certificate: guarded(acme.certificate),
  };
}

function unlessLost(error: unknown): void {
  if (!hasReason(error, 'Conflict')) throw error;
}
