/**
 * Certificates from an ACME CA (RFC 8555) by dns-01, one small step a call, so that each can be stored before the next:
 *
 *   register ─▶ newOrder ─▶ (records stand) ─▶ answer ─▶ poll … ready ─▶ finalize ─▶ poll … valid ─▶ certificate
 *
 * Nothing sleeps. What is remembered saves requests, and an order that could not be stored; after a crash a stored order
 * gives back the rest.
 */
import { type Clock, systemClock } from '../clock.ts';
import { MailsealError } from '../errors.ts';
import type { AcmeMethod, CaaApplicant } from '../dns/caa.ts';
import type { OrderRank } from '../plan/change.ts';
import type { StoredAuthorization, StoredOrder } from '../plan/state.ts';
import type { WireAnswer } from './acme-answer.ts';
import { accountCalls, type ExternalAccount } from './acme-account.ts';
import { fetchChain, type FetchedChain } from './acme-chain.ts';
import { createRequest } from './acme-keys.ts';
import { type OrderWish, requestOrder } from './acme-new-order.ts';
import type { OrderPace } from './acme-pace.ts';
import { isGone, readChallenges, titleOf, whyInvalid } from './acme-order.ts';
import { problemTypeOf, retryAfterSeconds } from './acme-problem.ts';
import { type AcmeOrder, readIdentities, readOrder } from './acme-read.ts';
import { askRenewalInfo, type RenewalInfo } from './acme-renewal.ts';
import { revokeCertificate } from './acme-revoke.ts';
import { remember } from './remember.ts';
import { createWire, type Wire, type WireOptions } from './acme-wire.ts';

export interface AcmeOptions {
  readonly directoryUrl: string;
  /** PEM: the only roots that are trusted for this CA; absent: the system's. */
  readonly caBundle?: string | undefined;
  /** PKCS #8 PEM. */
  readonly accountKeyPem: string;
  /** What `register` returned once; absent until then. */
  readonly accountUrl?: string | undefined;
  /** The CA's profile for all orders (`shortlived`), where it has profiles. */
  readonly profile?: string | undefined;
  /** The issuer's common name of the topmost certificate in the chain that is wanted, where the CA offers several. */
  readonly preferredChain?: string | undefined;
  /** Of the new orders of this account. */
  readonly pace?: OrderPace | undefined;
  /** Of the nonces that are asked for. */
  readonly noncePace?: WireOptions['noncePace'];
  /** Asked right before each request that is more than a question. */
  readonly mayWrite?: WireOptions['mayWrite'];
  /** Called for every request before it is sent. */
  readonly onRequest?: WireOptions['onRequest'];
  /** Milliseconds for one request. Default 30,000. */
  readonly timeoutMs?: number;
  readonly clock?: Clock;
}

export interface OrderStatus {
  /** `gone`: the CA knows no such order (any more); make a new one. */
  readonly status: 'pending' | 'ready' | 'processing' | 'valid' | 'invalid' | 'gone';
  /** Why it is invalid or gone, in the CA's words. */
  readonly detail?: string;
  readonly retryAfterSeconds?: number;
}

/** Every function rejects with a MailsealError: ACMEUnavailable, ACMEThrottled, ACMERefused, OrderPending, OrderInvalid. */
export interface Acme {
  /** Makes the account of the key, or finds it (RFC 8555 §7.3.1); returns its URL, which the caller stores. */
  readonly register: (account: {
    readonly email?: string | undefined;
    readonly eab?: ExternalAccount | undefined;
  }) => Promise<string>;
  /** The URL of the account that has this key at the CA already; undefined where none has. */
  readonly findAccount: () => Promise<string | undefined>;
  /** Why the CA does not accept the account any more, in its words; undefined while it does. */
  readonly accountRefusal: () => Promise<string | undefined>;
  /** Has another key, PKCS #8 PEM, take the place of the account's, which the caller has stored beside it. */
  readonly changeKey: (keyPem: string) => Promise<void>;
  /** Opens an order and reads its challenges; `replaces` as RFC 9773 §5. The caller stores it before it goes on. */
  readonly newOrder: (
    names: readonly string[],
    extra?: {
      readonly replaces?: string | undefined;
      readonly rank?: OrderRank | undefined;
      readonly method?: AcmeMethod;
    },
  ) => Promise<StoredOrder>;
  /** Says that the records of all pending challenges stand. May be repeated after a crash. */
  readonly answer: (order: StoredOrder) => Promise<void>;
  /** One request; of an invalid order its authorizations too, for the reason. */
  readonly poll: (order: StoredOrder) => Promise<OrderStatus>;
  /** Sends the certificate request of this key; often the answer is `valid` already. */
  readonly finalize: (order: StoredOrder, keyPem: string, names: readonly string[]) => Promise<OrderStatus>;
  /** The chain of a valid order. */
  readonly certificate: (order: StoredOrder) => Promise<FetchedChain>;
  /** Whom CAA records have to name: the CA by its identities in the directory (RFC 8555 §7.1.1), and our account. */
  readonly inCaa: () => Promise<Omit<CaaApplicant, 'method'>>;
  /**
   * Has the first certificate of a chain revoked as its key is no secret any more; `keyPem` is that key, absent where it is
   * lost. May be repeated.
   */
  readonly revoke: (chain: string, keyPem: string | undefined) => Promise<void>;
  /** When the CA wants a certificate to be renewed, by its `renewalId`; undefined of a CA that says nothing of that. */
  readonly renewalInfo: (id: string) => Promise<RenewalInfo | undefined>;
  readonly close: () => Promise<void>;
}

const wishOf = (names: readonly string[]): string => JSON.stringify(names);

export function createAcme(options: AcmeOptions): Acme {
  const { clock = systemClock, timeoutMs = 30_000 } = options;
  let opened: Promise<Wire> | undefined;
  let { accountUrl } = options;
  const wire = (): Promise<Wire> => (opened ??= createWire({ ...options, clock, timeoutMs }));
  const account = accountCalls(wire);
  /** What orders last looked like: it saves a request, a crash loses nothing. */
  const seen = new Map<string, AcmeOrder>();
  /** Orders whose challenges were not answered yet, by their names: whoever could not store one is given it again. */
  const unanswered = new Map<string, { readonly url: string; readonly replaces: string | undefined }>();

  const note = (url: string, answer: WireAnswer): AcmeOrder => {
    const order = readOrder(answer.data);
    if (order.status === 'invalid') seen.delete(url);
    else remember(seen, url, order);
    return order;
  };

  const fetchOrder = async (
    order: Pick<StoredOrder, 'url' | 'names'>,
  ): Promise<{ order: AcmeOrder; answer: WireAnswer }> => {
    const asked = `the state of the order for ${titleOf(order.names)}`;
    const answer = await (await wire()).post({ url: order.url }, { resource: 'order', asked });
    return { order: note(order.url, answer), answer };
  };

  const known = async (
    order: Pick<StoredOrder, 'url' | 'names'>,
    needed: (seen: AcmeOrder) => boolean,
  ): Promise<AcmeOrder> => {
    const last = seen.get(order.url);
    if (last !== undefined && needed(last)) return last;
    const found = await fetchOrder(order).catch((error: unknown) => {
      if (!isGone(error)) throw error;
      const message = `The CA no longer knows the order for ${titleOf(order.names)}; a new one is needed.`;
      throw new MailsealError('OrderInvalid', message, { cause: error });
    });
    return found.order;
  };

  /** Opens an order at the CA; returns where it is. */
  const open = async (wish: OrderWish): Promise<string> => {
    const { names, replaces } = wish;
    const answer = await requestOrder(await wire(), wish, options);
    const url = answer.headers['location'];
    if (url === undefined) throw new MailsealError('ACMEUnavailable', 'The CA opened an order and did not say where.');
    remember(unanswered, wishOf(names), { url, replaces });
    note(url, answer);
    return url;
  };

  const read = async (url: string, names: readonly string[], method: AcmeMethod): Promise<StoredOrder> => {
    try {
      const order = await known({ url, names }, () => true);
      const { expires } = order;
      const challenges = await readChallenges(await wire(), order, names, method);
      return { url, names, ...challenges, ...(expires === undefined ? {} : { expires }) };
    } catch (error) {
      if (isGone(error)) unanswered.delete(wishOf(names));
      throw error;
    }
  };

  const newOrder: Acme['newOrder'] = async (names, { replaces, rank = 'First', method = 'dns-01' } = {}) => {
    const last = unanswered.get(wishOf(names));
    if (last !== undefined && last.replaces === replaces) {
      const { status } = await poll({ url: last.url, names, authorizations: [] });
      if (status === 'pending' || status === 'ready') return read(last.url, names, method);
    }
    return read(await open({ names, replaces, rank }), names, method);
  };

  const answer: Acme['answer'] = async (order) => {
    if (unanswered.get(wishOf(order.names))?.url === order.url) unanswered.delete(wishOf(order.names));
    const at = await wire();
    const all = [...order.authorizations, ...(order.http ?? [])];
    const pending = all.filter(({ status }) => status === 'pending');
    const prove = async ({ challengeUrl, name }: Pick<StoredAuthorization, 'challengeUrl' | 'name'>): Promise<void> => {
      const ask = { resource: 'challenge', asked: `the proof for ${name}`, payload: {} } as const;
      await at.post({ url: challengeUrl }, ask).catch((error: unknown) => {
        // Some CAs refuse an answer that was given before a crash; whether it was good shows in the order.
        if (problemTypeOf(error) !== 'malformed') throw error;
      });
    };
    await Promise.all(pending.map(prove));
  };

  const statusOf = async (order: StoredOrder, now: AcmeOrder, headers: WireAnswer['headers']): Promise<OrderStatus> => {
    if (now.status === 'invalid')
      return { status: 'invalid', detail: await whyInvalid(await wire(), order, now.error) };
    const seconds = retryAfterSeconds(headers['retry-after'], clock.now());
    return { status: now.status, ...(seconds === undefined ? {} : { retryAfterSeconds: seconds }) };
  };

  const poll: Acme['poll'] = async (order) => {
    try {
      const found = await fetchOrder(order);
      return await statusOf(order, found.order, found.answer.headers);
    } catch (error) {
      if (!isGone(error)) throw error;
      return { status: 'gone', detail: 'the CA no longer knows the order' };
    }
  };

  const finalize: Acme['finalize'] = async (order, keyPem, names) => {
    const { finalize: url } = await known(order, () => true);
    const csr = (await createRequest(names, keyPem)).toString('base64url');
    const asked = `the certificate request for ${titleOf(names)}`;
    const reply = await (await wire()).post({ url }, { resource: 'finalize', asked, payload: { csr } });
    return statusOf(order, note(order.url, reply), reply.headers);
  };

  const register: Acme['register'] = async (wish) => {
    accountUrl = await account.register(wish);
    return accountUrl;
  };

  const inCaa: Acme['inCaa'] = async () => ({
    identities: readIdentities(await (await wire()).metaOf('caaIdentities')),
    accountUrl,
  });

  const certificate: Acme['certificate'] = async (order) =>
    fetchChain(
      await wire(),
      order,
      await known(order, (last) => last.certificate !== undefined),
      options.preferredChain,
    );

  const renewalInfo: Acme['renewalInfo'] = async (id) => askRenewalInfo(await wire(), id, clock.now());

  const revoke: Acme['revoke'] = async (chain, keyPem) => {
    if (keyPem === undefined) return revokeCertificate(chain, { account: await wire() });
    const key = await createWire({ ...options, accountKeyPem: keyPem, accountUrl: undefined, clock, timeoutMs });
    try {
      await revokeCertificate(chain, { key });
    } finally {
      await key.close();
    }
  };

  const close = async (): Promise<void> => (await opened)?.close();
  return { ...account, register, newOrder, answer, poll, finalize, certificate, revoke, renewalInfo, inCaa, close };
}
