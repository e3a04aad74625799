/**
 * acme-client, fitted for an operator: connections per issuer with its own roots, nonces pooled instead of fetched,
 * no sleeping and no retries inside (but for a stale nonce), every refusal a MailsealError.
 *
 * acme-client signs and knows the protocol; all its traffic passes through `http.request`, which is replaced here.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { createPrivateKey, type KeyObject } from 'node:crypto';
import type { Dispatcher } from 'undici';
import type { Clock } from '../clock.ts';
import { MailsealError, messageOf } from '../errors.ts';
import { KubeError } from '../kube/error.ts';
import type { MayWrite } from '../kube/guard.ts';
import { isUnreadable, readAnswer, type WireAnswer } from './acme-answer.ts';
import { problemError, readProblem, retryAfterSeconds } from './acme-problem.ts';
import { fencedBy } from './fenced.ts';

/** The kinds of request that are counted. */
export type AcmeResource =
  | 'directory'
  | 'newNonce'
  | 'newAccount'
  | 'account'
  | 'newOrder'
  | 'order'
  | 'authorization'
  | 'challenge'
  | 'finalize'
  | 'certificate';

type Method = 'GET' | 'HEAD' | 'POST';

export interface WireOptions {
  readonly directoryUrl: string;
  readonly caBundle?: string | undefined;
  readonly accountKeyPem: string;
  readonly accountUrl?: string | undefined;
  readonly onRequest?: ((method: Method, resource: AcmeResource) => void) | undefined;
  /** Asked right before each request that is more than a question. */
  readonly mayWrite?: MayWrite | undefined;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/** The parts of acme-client beneath its public methods, which those hide headers and status behind. */
interface Inner {
  readonly http: {
    request: (url: string, method: string, options?: { data?: unknown }) => Promise<WireAnswer>;
    getNonce: () => Promise<string>;
    directoryCache: object | null;
    maxBadNonceRetries: number;
    accountKey: string | KeyObject;
    readonly getJwk: () => object;
    externalAccountBinding: { kid?: string; hmacKey?: string };
    readonly getResourceUrl: (resource: string) => Promise<string>;
  };
  readonly api: {
    readonly apiRequest: (
      url: string,
      payload: object | null,
      valid: readonly number[],
      options?: { includeJwsKid?: boolean; includeExternalAccountBinding?: boolean },
    ) => Promise<WireAnswer>;
    accountUrl: string | null;
  };
  readonly getChallengeKeyAuthorization: (challenge: object) => Promise<string>;
}

export interface Ask {
  readonly resource: AcmeResource;
  /** Continues `The CA … refuses`: `the order for mx.example.com`. */
  readonly asked: string;
  /** Absent: POST-as-GET (RFC 8555 §6.3). */
  readonly payload?: object;
}

export interface Wire {
  /** A signed request to a URL, or to the resource of that name in the directory. */
  readonly post: (target: { readonly url: string } | { readonly directory: string }, ask: Ask) => Promise<WireAnswer>;
  /** Makes the account (RFC 8555 §7.3), or finds the one of this key; returns its URL. */
  readonly register: (
    payload: object,
    eab: { readonly kid: string; readonly hmacKey: string } | undefined,
  ) => Promise<string>;
  /** The TXT value that proves control for a dns-01 challenge's token (RFC 8555 §8.4). */
  readonly txtValue: (token: string) => Promise<string>;
  readonly close: () => Promise<void>;
}

const mostNonces = 64;
/** Milliseconds that a connection is kept idle, unless the CA says otherwise: orders that follow each other share it. */
const keptMs = 15_000;
/** A request survives a CA that refuses nine nonces of ten: giving up in the middle of an order costs a new one. */
const nonceRetries = 50;

/** Opens nothing yet: connections, directory and nonces come with the first request. */
export async function createWire(options: WireOptions): Promise<Wire> {
  const { Client, Agent, request } = await import('./acme-library.ts');
  const { directoryUrl, caBundle, timeoutMs, clock } = options;
  const ca = new URL(directoryUrl).host;
  const agent = new Agent({
    keepAliveTimeout: keptMs,
    connect: { timeout: timeoutMs, ...(caBundle === undefined ? {} : { ca: caBundle }) },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  });
  // Asked when the connection stands: it may take long to be made.
  const fencedAgent = agent.compose((dispatch) => (how, then) => dispatch(how, fencedBy(options.mayWrite, then)));
  const client = new Client({ directoryUrl, accountKey: options.accountKeyPem }) as unknown as Inner;
  client.api.accountUrl = options.accountUrl ?? null;
  client.http.maxBadNonceRetries = nonceRetries;
  // What acme-client needs of the text it keeps; then it need not be read anew for each signature.
  client.http.getJwk();
  client.http.accountKey = createPrivateKey(options.accountKeyPem);
  // acme-client asks for nonces and retries beneath one call: this says for which of ours it does so.
  const asking = new AsyncLocalStorage<Ask>();
  const nonces: string[] = [];

  const keepNonce = (nonce: string | undefined): void => {
    if (nonce === undefined) return;
    nonces.push(nonce);
    if (nonces.length > mostNonces) nonces.shift();
  };

  const send = async (url: string, method: Method, data: unknown, dispatcher: Dispatcher): Promise<WireAnswer> => {
    const signal = AbortSignal.timeout(timeoutMs);
    const body = data === undefined ? {} : { body: JSON.stringify(data) };
    const headers = { 'content-type': 'application/jose+json', 'user-agent': 'mailseal' };
    return readAnswer(await request(url, { dispatcher, method, headers, signal, ...body }));
  };

  client.http.request = async (url, verb, { data } = {}) => {
    const method = verb.toUpperCase() as Method;
    const ask = method === 'POST' ? asking.getStore() : undefined;
    const resource = ask?.resource ?? (method === 'HEAD' ? 'newNonce' : 'directory');
    const asked = ask?.asked ?? (method === 'HEAD' ? 'a nonce' : 'its directory');
    options.onRequest?.(method, resource);
    const dispatcher = ask?.payload === undefined ? agent : fencedAgent;
    const answer = await send(url, method, data, dispatcher).catch((error: unknown) => {
      if (error instanceof KubeError) throw error;
      const late = error instanceof Error && error.name === 'TimeoutError';
      const why = late ? `no whole answer within ${timeoutMs / 1000} s` : messageOf(error);
      const message = `The CA ${ca} can't be reached for ${asked}: ${why}.`;
      throw new MailsealError('ACMEUnavailable', message, { cause: error });
    });
    if (answer.status < 400 && isUnreadable(answer.data)) {
      const message = `The CA ${ca} gives an answer that can't be read, asked for ${asked}: ${answer.data.unreadable}.`;
      throw new MailsealError('ACMEUnavailable', message);
    }
    const problem = answer.status >= 400 ? readProblem(answer.data, answer.status) : undefined;
    if (problem?.type === 'badNonce') {
      // The rest of the pool is no younger; acme-client signs again with the nonce of this very answer.
      nonces.length = 0;
      return answer;
    }
    if (method === 'POST') keepNonce(answer.headers['replay-nonce']);
    if (problem === undefined) return answer;
    throw problemError(ca, asked, problem, retryAfterSeconds(answer.headers['retry-after'], clock.now()));
  };

  const freshNonce = client.http.getNonce.bind(client.http);
  // RFC 8555 §6.5: every answer brings a nonce; the youngest is the likeliest to be good.
  client.http.getNonce = async () => nonces.pop() ?? freshNonce();

  const signed = async (url: string, ask: Ask, anonymous: boolean): Promise<WireAnswer> => {
    try {
      const how = { includeJwsKid: !anonymous, includeExternalAccountBinding: anonymous };
      const payload = ask.payload ?? null;
      return await asking.run(ask, () => client.api.apiRequest(url, payload, [200, 201], how));
    } catch (error) {
      if (error instanceof MailsealError || error instanceof KubeError) throw error;
      // What acme-client throws itself: nonces refused time and again, or a directory without the resource.
      const message = `The CA ${ca} does not answer as ACME wants it, asked for ${ask.asked}: ${messageOf(error)}`;
      throw new MailsealError('ACMEUnavailable', message, { cause: error });
    }
  };

  // Many orders may begin at once; they share the first look at the directory.
  let directory: Promise<unknown> | undefined;
  /** One of the directory's places; acme-client keeps whatever it was given for a directory, and its own words for it. */
  const placeOf = async (resource: string): Promise<string> => {
    let place: unknown;
    let cause: unknown;
    try {
      place = await client.http.getResourceUrl(resource);
    } catch (error) {
      if (error instanceof MailsealError) throw error;
      cause = error;
    }
    if (typeof place === 'string' && URL.canParse(place)) return place;
    client.http.directoryCache = null;
    const message = `The CA ${ca} gives no ACME directory: ${directoryUrl} does not say where ${resource} is. See whether spec.acme.server is right.`;
    throw new MailsealError('ACMEUnavailable', message, { cause });
  };
  const resourceUrl = async (resource: string): Promise<string> => {
    directory ??= placeOf('newNonce').catch((error: unknown) => {
      directory = undefined;
      throw error;
    });
    await directory;
    return placeOf(resource);
  };

  return {
    post: async (target, ask) => {
      if (client.api.accountUrl === null) {
        throw new MailsealError('IssuerNotReady', `There is no account at the CA ${ca} yet.`);
      }
      return signed('url' in target ? target.url : await resourceUrl(target.directory), ask, false);
    },
    register: async (payload, eab) => {
      client.http.externalAccountBinding = eab === undefined ? {} : { ...eab };
      const url = await resourceUrl('newAccount');
      const answer = await signed(url, { resource: 'newAccount', asked: 'an account', payload }, true);
      const location = answer.headers['location'];
      if (location === undefined) throw new MailsealError('ACMEUnavailable', `The CA ${ca} named no account URL.`);
      client.api.accountUrl = location;
      return location;
    },
    txtValue: (token) => client.getChallengeKeyAuthorization({ type: 'dns-01', token }),
    close: () => agent.destroy(),
  };
}
