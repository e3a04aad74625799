/**
 * acme-client, fitted for an operator: connections per issuer with its own roots, nonces pooled instead of fetched,
 * no sleeping and no retries inside (but for a stale nonce), every refusal a MailsealError.
 *
 * acme-client signs and knows the protocol; all its traffic passes through `http.request`, which is replaced here.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { createPrivateKey } from 'node:crypto';
import type { Dispatcher } from 'undici';
import type { Clock } from '../clock.ts';
import { MailsealError, messageOf } from '../errors.ts';
import { KubeError } from '../kube/error.ts';
import type { MayWrite } from '../kube/guard.ts';
import { isUnreadable, readAnswer, type WireAnswer } from './acme-answer.ts';
import { createDirectory } from './acme-directory.ts';
import type { Inner } from './acme-inner.ts';
import { signLater } from './acme-sign.ts';
import { problemError, readProblem, retryAfterSeconds } from './acme-problem.ts';
import type { Limiter } from './providers/limiter.ts';
import { fencedBy } from './fenced.ts';

/** The kinds of request that are counted. */
export type AcmeResource =
  | 'directory'
  | 'newNonce'
  | 'newAccount'
  | 'account'
  | 'keyChange'
  | 'newOrder'
  | 'order'
  | 'authorization'
  | 'challenge'
  | 'finalize'
  | 'certificate'
  | 'renewalInfo'
  | 'revokeCert';

type Method = 'GET' | 'HEAD' | 'POST';

export interface WireOptions {
  readonly directoryUrl: string;
  readonly caBundle?: string | undefined;
  readonly accountKeyPem: string;
  readonly accountUrl?: string | undefined;
  readonly onRequest?: ((method: Method, resource: AcmeResource) => void) | undefined;
  /** Asked right before each request that is more than a question. */
  readonly mayWrite?: MayWrite | undefined;
  /** Of the nonces that are asked for. */
  readonly noncePace?: Limiter | undefined;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

export interface Ask {
  readonly resource: AcmeResource;
  /** Continues `The CA … refuses`: `the order for mx.example.com`. */
  readonly asked: string;
  /** Absent: POST-as-GET (RFC 8555 §6.3). */
  readonly payload?: object;
  /** A plain GET. */
  readonly unsigned?: true;
}

export interface Wire {
  /** Whether the directory has a resource that not every CA has. */
  readonly offers: (directory: string) => Promise<boolean>;
  /** A question below such a resource, which nobody signs; undefined where the CA has none. */
  readonly get: (directory: string, below: string, ask: Ask) => Promise<WireAnswer | undefined>;
  /** A signed request to a URL, or to the resource of that name in the directory. */
  readonly post: (target: { readonly url: string } | { readonly directory: string }, ask: Ask) => Promise<WireAnswer>;
  /** One to the account itself. */
  readonly postToAccount: (ask: Ask) => Promise<WireAnswer>;
  /** The same where no account speaks, but the key of this wire itself. */
  readonly postByKey: (directory: string, ask: Ask) => Promise<WireAnswer>;
  /** Makes the account (RFC 8555 §7.3), or finds the one of this key; returns its URL. */
  readonly register: (
    payload: object,
    eab: { readonly kid: string; readonly hmacKey: string } | undefined,
  ) => Promise<string>;
  /** What the directory says of the CA (RFC 8555 §7.1.1); null where it does not say it. */
  readonly metaOf: (field: string) => Promise<unknown>;
  /** Has another key, PKCS #8 PEM, take the place of this one (RFC 8555 §7.3.5); this wire is of no use afterwards. */
  readonly changeKey: (keyPem: string) => Promise<void>;
  /** The TXT value that proves control for a dns-01 challenge's token (RFC 8555 §8.4). */
  readonly txtValue: (token: string) => Promise<string>;
  /** What is answered to an http-01 challenge's token (RFC 8555 §8.1). */
  readonly keyAuthorization: (token: string) => Promise<string>;
  readonly close: () => Promise<void>;
}

const mostNonces = 64;
/** Milliseconds that a connection is kept idle, unless the CA says otherwise: orders that follow each other share it. */
const keptMs = 15_000;
/** A request survives a CA that refuses nine nonces of ten, of a million requests all but three: giving up costs an order. */
const nonceRetries = 120;

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
  const accountKey = createPrivateKey(options.accountKeyPem);
  client.http.accountKey = accountKey;
  const complete = signLater(client.http, accountKey);
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
    const body = data === undefined ? {} : { body: JSON.stringify(await complete(data)) };
    const headers = { 'content-type': 'application/jose+json', 'user-agent': 'mailseal' };
    return readAnswer(await request(url, { dispatcher, method, headers, signal, ...body }));
  };

  client.http.request = async (url, verb, { data } = {}) => {
    const method = verb.toUpperCase() as Method;
    const now = asking.getStore();
    const ask = method === 'POST' || now?.unsigned === true ? now : undefined;
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
  client.http.getNonce = async () =>
    nonces.pop() ?? (options.noncePace === undefined ? freshNonce() : options.noncePace.run(ca, freshNonce));

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

  const { offers, urlOf } = createDirectory(client.http, ca, directoryUrl);
  const accountUrl = (): string => {
    if (client.api.accountUrl !== null) return client.api.accountUrl;
    throw new MailsealError('IssuerNotReady', `There is no account at the CA ${ca} yet.`);
  };
  const postByKey: Wire['postByKey'] = async (resource, ask) => signed(await urlOf(resource), ask, true);

  return {
    offers,
    postByKey,
    get: async (resource, below, ask) => {
      if (!(await offers(resource))) return undefined;
      const url = `${(await urlOf(resource)).replace(/\/$/u, '')}/${below}`;
      return asking.run({ ...ask, unsigned: true }, () => client.http.request(url, 'GET'));
    },
    post: async (target, ask) => {
      accountUrl();
      return signed('url' in target ? target.url : await urlOf(target.directory), ask, false);
    },
    postToAccount: (ask) => signed(accountUrl(), ask, false),
    register: async (payload, eab) => {
      client.http.externalAccountBinding = eab === undefined ? {} : { ...eab };
      const answer = await postByKey('newAccount', { resource: 'newAccount', asked: 'an account', payload });
      const location = answer.headers['location'];
      if (location === undefined) throw new MailsealError('ACMEUnavailable', `The CA ${ca} named no account URL.`);
      client.api.accountUrl = location;
      return location;
    },
    metaOf: async (field) => ((await offers('meta')) ? client.http.getMetaField(field) : null),
    changeKey: async (keyPem) => {
      if (!(await offers('keyChange'))) {
        throw new MailsealError('ACMERefused', `The CA ${ca} has no way to change the key of an account.`);
      }
      const url = await urlOf('keyChange');
      const next = new Client({ directoryUrl, accountKey: keyPem }) as unknown as Inner;
      // RFC 8555 §7.3.5: the new key signs what the old one sends.
      const consent = { account: client.api.accountUrl, oldKey: client.http.getJwk() };
      const payload = next.http.createSignedBody(url, consent);
      await signed(url, { resource: 'keyChange', asked: 'another key for the account', payload }, false);
    },
    txtValue: (token) => client.getChallengeKeyAuthorization({ type: 'dns-01', token }),
    keyAuthorization: (token) => client.getChallengeKeyAuthorization({ type: 'http-01', token }),
    close: () => agent.destroy(),
  };
}
