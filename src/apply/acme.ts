/**
 * Certificates from an ACME CA (RFC 8555) by dns-01, one small step a call, so that each can be stored before the next:
 *
 *   register ─▶ newOrder ─▶ (records stand) ─▶ answer ─▶ poll … ready ─▶ finalize ─▶ poll … valid ─▶ certificate
 *
 * Nothing sleeps. What is remembered saves requests, and an order that could not be stored; after a crash a stored order
 * gives back the rest.
 */
import { generateKeyPairSync } from 'node:crypto';
import { type Clock, systemClock } from '../clock.ts';
import { MailsealError } from '../errors.ts';
import type { StoredAuthorization, StoredOrder } from '../plan/state.ts';
import type { WireAnswer } from './acme-answer.ts';
import { createRequest } from './acme-keys.ts';
import { type AcmeProblem, problemTypeOf, readProblem, retryAfterSeconds } from './acme-problem.ts';
import { type AcmeOrder, readAuthorization, readOrder } from './acme-read.ts';
import { createWire, type Wire, type WireOptions } from './acme-wire.ts';

/** A key for a new account, PKCS #8 PEM; the caller stores it before the CA hears of it. */
export function newAccountKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

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
    readonly eab?: { readonly kid: string; readonly hmacKey: string } | undefined;
  }) => Promise<string>;
  /** Opens an order and reads its challenges; `replaces` as RFC 9773 §5. The caller stores it before it goes on. */
  readonly newOrder: (
    names: readonly string[],
    extra?: { readonly replaces?: string | undefined },
  ) => Promise<StoredOrder>;
  /** Says that the records of all pending challenges stand. May be repeated after a crash. */
  readonly answer: (order: StoredOrder) => Promise<void>;
  /** One request; of an invalid order its authorizations too, for the reason. */
  readonly poll: (order: StoredOrder) => Promise<OrderStatus>;
  /** Sends the certificate request of this key; often the answer is `valid` already. */
  readonly finalize: (order: StoredOrder, keyPem: string, names: readonly string[]) => Promise<OrderStatus>;
  /** The chain of a valid order, PEM, leaf first. */
  readonly certificate: (order: StoredOrder) => Promise<string>;
  readonly close: () => Promise<void>;
}

const mostRemembered = 1000;

function titleOf(names: readonly string[]): string {
  const shown = names.slice(0, 3).join(', ');
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown;
}

/** Also an order of another account is lost to us, as where that account's key was lost. */
function isGone(error: unknown): boolean {
  const cause = error instanceof MailsealError ? (error.cause as Partial<AcmeProblem> | undefined) : undefined;
  return cause?.status === 404 || (cause?.status === 403 && cause.type === 'unauthorized');
}

/** As the youngest; the oldest go. */
function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  for (const oldest of map.keys()) if (map.size > mostRemembered) map.delete(oldest);
}

const wishOf = (names: readonly string[]): string => JSON.stringify(names);

export function createAcme(options: AcmeOptions): Acme {
  const { clock = systemClock, timeoutMs = 30_000 } = options;
  let opened: Promise<Wire> | undefined;
  const wire = (): Promise<Wire> => (opened ??= createWire({ ...options, clock, timeoutMs }));
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

  const authorization = async (url: string, names: readonly string[]): Promise<StoredAuthorization> => {
    const at = await wire();
    const asked = `an authorization for ${titleOf(names)}`;
    const read = readAuthorization(url, (await at.post({ url }, { resource: 'authorization', asked })).data);
    const { token, ...rest } = read;
    return { ...rest, txtValue: await at.txtValue(token) };
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
  const open = async (names: readonly string[], replaces: string | undefined): Promise<string> => {
    const at = await wire();
    const identifiers = names.map((value) => ({ type: 'dns', value }));
    const payload = { identifiers, ...(options.profile === undefined ? {} : { profile: options.profile }) };
    const ask = { resource: 'newOrder', asked: `the order for ${titleOf(names)}` } as const;
    const create = (body: object): Promise<WireAnswer> => at.post({ directory: 'newOrder' }, { ...ask, payload: body });
    const answer = await create(replaces === undefined ? payload : { ...payload, replaces }).catch((error: unknown) => {
      // RFC 9773 §5: a certificate can be replaced once; the order itself is still wanted.
      if (replaces === undefined || problemTypeOf(error) !== 'alreadyReplaced') throw error;
      return create(payload);
    });
    const url = answer.headers['location'];
    if (url === undefined) throw new MailsealError('ACMEUnavailable', 'The CA opened an order and did not say where.');
    remember(unanswered, wishOf(names), { url, replaces });
    note(url, answer);
    return url;
  };

  const read = async (url: string, names: readonly string[]): Promise<StoredOrder> => {
    try {
      const { authorizations: places, expires } = await known({ url, names }, () => true);
      const authorizations = await Promise.all(places.map((place) => authorization(place, names)));
      return { url, names, authorizations, ...(expires === undefined ? {} : { expires }) };
    } catch (error) {
      if (isGone(error)) unanswered.delete(wishOf(names));
      throw error;
    }
  };

  const newOrder: Acme['newOrder'] = async (names, { replaces } = {}) => {
    const last = unanswered.get(wishOf(names));
    if (last !== undefined && last.replaces === replaces) {
      const { status } = await poll({ url: last.url, names, authorizations: [] });
      if (status === 'pending' || status === 'ready') return read(last.url, names);
    }
    return read(await open(names, replaces), names);
  };

  const answer: Acme['answer'] = async (order) => {
    if (unanswered.get(wishOf(order.names))?.url === order.url) unanswered.delete(wishOf(order.names));
    const at = await wire();
    const pending = order.authorizations.filter(({ status }) => status === 'pending');
    const prove = async ({ challengeUrl, name }: StoredAuthorization): Promise<void> => {
      const ask = { resource: 'challenge', asked: `the proof for ${name}`, payload: {} } as const;
      await at.post({ url: challengeUrl }, ask).catch((error: unknown) => {
        // Some CAs refuse an answer that was given before a crash; whether it was good shows in the order.
        if (problemTypeOf(error) !== 'malformed') throw error;
      });
    };
    await Promise.all(pending.map(prove));
  };

  /** Why an order failed: its own problem, else that of the challenge that failed. */
  const whyInvalid = async (order: StoredOrder, now: AcmeOrder): Promise<string> => {
    const at = await wire();
    const reasons = await Promise.all(
      order.authorizations.map(async ({ url, name }) => {
        const { data } = await at.post({ url }, { resource: 'authorization', asked: `the reason for ${name}` });
        const { status, problem } = readAuthorization(url, data);
        return problem === undefined
          ? status === 'invalid'
            ? `${name}: the proof failed`
            : ''
          : `${name}: ${readProblem(problem).detail}`;
      }),
    );
    const known = reasons.filter((reason) => reason !== '');
    if (known.length > 0) return known.join('; ');
    return now.error === undefined ? 'the CA gives no reason' : readProblem(now.error).detail;
  };

  const statusOf = async (order: StoredOrder, now: AcmeOrder, headers: WireAnswer['headers']): Promise<OrderStatus> => {
    if (now.status === 'invalid') return { status: 'invalid', detail: await whyInvalid(order, now) };
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

  const certificate: Acme['certificate'] = async (order) => {
    const { certificate: url, status } = await known(order, (last) => last.certificate !== undefined);
    const title = titleOf(order.names);
    if (status === 'invalid') throw new MailsealError('OrderInvalid', `The order for ${title} has failed at the CA.`);
    if (url === undefined)
      throw new MailsealError('OrderPending', `The CA has not made the certificate for ${title} yet.`);
    const { data } = await (await wire()).post(
      { url },
      { resource: 'certificate', asked: `the certificate for ${title}` },
    );
    if (typeof data === 'string' && data.includes('-----BEGIN CERTIFICATE-----')) return data;
    throw new MailsealError('ACMEUnavailable', `The CA sent something that is no certificate for ${title}.`);
  };

  const register: Acme['register'] = async ({ email, eab }) => {
    // RFC 8555 §7.3: whoever names the CA in a CertificateIssuer has agreed to its terms.
    const contact = email === undefined ? {} : { contact: [`mailto:${email}`] };
    return (await wire()).register({ termsOfServiceAgreed: true, ...contact }, eab);
  };

  const close = async (): Promise<void> => (await opened)?.close();
  return { register, newOrder, answer, poll, finalize, certificate, close };
}
