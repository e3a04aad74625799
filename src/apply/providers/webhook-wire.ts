/** The webhook protocol of external-dns over HTTP. Source: external-dns, `provider/webhook` and `api/webhook.yaml`. */
import type { Dispatcher } from 'undici';
import type { Clock } from '../../clock.ts';
import { quoted } from '../../dns/problem.ts';
import { MailsealError, messageOf } from '../../errors.ts';
import { isRecord, KubeError } from '../../kube/error.ts';
import type { MayWrite } from '../../kube/guard.ts';
import { retryAfterSeconds } from '../acme-problem.ts';
import { fencedBy } from '../fenced.ts';
import { createElements } from './elements.ts';
import { Agent, request } from './undici.ts';

export interface WireOptions {
  readonly url: string;
  readonly caBundle?: string | undefined;
  readonly clock: Clock;
  /** For one answer, from its request to its last byte. */
  readonly timeoutMs: number;
  readonly mayWrite?: MayWrite | undefined;
}

/** Names that the webhook serves: those within one of `include`, all where it is empty, but none within `exclude`. */
export interface DomainFilter {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

/** The body of a write: endpoints as the webhook knows them. `updateOld` and `updateNew` are pairs. */
export interface Changes {
  readonly create: readonly unknown[];
  readonly updateOld: readonly unknown[];
  readonly updateNew: readonly unknown[];
  readonly delete: readonly unknown[];
}

/** Calls reject with MailsealError as a Provider's do. */
export interface WebhookWire {
  readonly negotiate: () => Promise<DomainFilter>;
  /** All records that there are, one after the other. */
  readonly records: (onEndpoint: (endpoint: unknown) => void) => Promise<void>;
  /** How the webhook would have these endpoints. */
  readonly adjust: (endpoints: readonly unknown[]) => Promise<readonly unknown[]>;
  readonly send: (changes: Changes) => Promise<void>;
  readonly close: () => void;
}

interface Call {
  readonly method: 'GET' | 'POST';
  readonly path: '' | 'records' | 'adjustendpoints';
  readonly body?: unknown;
  readonly writes?: boolean;
  readonly mostBytes: number;
  readonly onBytes: (bytes: Uint8Array) => void;
}

const mediaType = 'application/external.dns.webhook+json;version=1';
const mostRecordBytes = 64 * 1024 * 1024;
const mostBytes = 1024 * 1024;
/** Of the body of a refusal, which a human is shown the beginning of. */
const mostWords = 1024;
/** Names in a domain filter; longer ones serve nobody. */
const mostNames = 10_000;
/** Milliseconds: less than the five seconds after which external-dns's own server closes a connection that rests. */
const keptMs = 2_000;

const inDoubt = 'the change may or may not have been made';

export function createWire({ url, caBundle, clock, timeoutMs, mayWrite }: WireOptions): WebhookWire {
  const base = new URL(url);
  const who = `the webhook at ${base.host}`;
  const agent = new Agent({
    connections: 4,
    keepAliveTimeout: keptMs,
    connect: { timeout: timeoutMs, ...(caBundle === undefined ? {} : { ca: caBundle }) },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  });
  const fencedAgent = agent.compose((dispatch) => (how, then) => dispatch(how, fencedBy(mayWrite, then)));

  const unavailable = (writes: boolean | undefined, why: string, options: ErrorOptions & { retry?: number } = {}) => {
    const doubt = writes === true ? `; ${inDoubt}` : '';
    const { retry, cause } = options;
    return new MailsealError('ProviderUnavailable', `${who} ${why}${doubt}`, { retryAfterSeconds: retry, cause });
  };

  const wordsOf = async (body: Dispatcher.ResponseData['body']): Promise<string> => {
    let words = '';
    for await (const chunk of body as AsyncIterable<Buffer>) {
      words += chunk.toString('utf8');
      if (words.length > mostWords) break;
    }
    return words.trim() === '' ? '' : `: ${quoted(words.trim())}`;
  };

  const refusal = async (answer: Dispatcher.ResponseData, { path, writes }: Call): Promise<MailsealError> => {
    const { statusCode: status, headers } = answer;
    const retry = retryAfterSeconds([headers['retry-after']].flat()[0], clock.now());
    const words = await wordsOf(answer.body);
    const stalled = (reason: 'ProviderUnauthorized' | 'ProviderRefused', why: string): MailsealError =>
      new MailsealError(reason, `${who} ${why}`, { kind: 'Stalled' });
    if (status === 429)
      return new MailsealError('ProviderThrottled', `${who} asks for fewer calls`, { retryAfterSeconds: retry });
    if (status >= 500)
      return unavailable(writes, `fails (HTTP ${status}${words}): see its log`, retry === undefined ? {} : { retry });
    if (status === 401 || status === 403)
      return stalled(
        'ProviderUnauthorized',
        `refuses us (HTTP ${status}${words}): the protocol has no credentials, so let it take calls from Mailseal without`,
      );
    if (status >= 300 && status < 400)
      return stalled(
        'ProviderRefused',
        `sends us elsewhere (HTTP ${status}): write the place itself in spec.webhook.url`,
      );
    if (status === 404 || status === 405)
      return stalled('ProviderRefused', `has no /${path} (HTTP ${status}): see whether spec.webhook.url is right`);
    return stalled('ProviderRefused', `refuses what it is asked at /${path} (HTTP ${status}${words})`);
  };

  const call = async (one: Call): Promise<Dispatcher.ResponseData['headers']> => {
    const { method, path, body, writes } = one;
    const target = new URL(base);
    target.pathname = `${base.pathname.replace(/\/+$/u, '')}/${path}`;
    const headers = {
      accept: mediaType,
      'user-agent': 'mailseal',
      ...(body === undefined ? {} : { 'content-type': mediaType }),
    };
    const signal = AbortSignal.timeout(timeoutMs);
    const dispatcher = writes === true ? fencedAgent : agent;
    const content = body === undefined ? {} : { body: JSON.stringify(body) };
    try {
      const answer = await request(target, { dispatcher, method, headers, signal, ...content });
      if (answer.statusCode >= 300) throw await refusal(answer, one);
      let bytes = 0;
      for await (const chunk of answer.body as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        if (bytes > one.mostBytes) throw new SyntaxError(`it is longer than ${one.mostBytes / 1024 / 1024} MiB`);
        one.onBytes(chunk);
      }
      return answer.headers;
    } catch (error) {
      if (error instanceof MailsealError || error instanceof KubeError) throw error;
      if (error instanceof SyntaxError)
        throw unavailable(writes, `gives an answer that can't be read: ${messageOf(error)}`, { cause: error });
      const late = error instanceof Error && error.name === 'TimeoutError';
      const why = late ? `no whole answer within ${timeoutMs / 1000} s` : messageOf(error);
      throw unavailable(writes, `can't be reached: ${why}`, { cause: error });
    }
  };

  const array = async (one: Omit<Call, 'onBytes'>, onElement: (element: unknown) => void): Promise<void> => {
    const elements = createElements(onElement);
    await call({ ...one, onBytes: elements.take });
    try {
      elements.end();
    } catch (error) {
      throw unavailable(false, `gives an answer that can't be read: ${messageOf(error)}`, { cause: error });
    }
  };

  return {
    negotiate: async () => {
      const chunks: Uint8Array[] = [];
      const headers = await call({ method: 'GET', path: '', mostBytes, onBytes: (bytes) => void chunks.push(bytes) });
      const type = [headers['content-type']].flat()[0]?.replaceAll(' ', '').toLowerCase() ?? '';
      if (!`${type};`.startsWith(`${mediaType};`))
        throw new MailsealError(
          'ProviderRefused',
          `${who} does not speak external-dns's webhook protocol in version 1, but ${quoted(type)}: see whether spec.webhook.url is right`,
          { kind: 'Stalled' },
        );
      return filterOf(Buffer.concat(chunks).toString('utf8'));
    },
    records: (onEndpoint) => array({ method: 'GET', path: 'records', mostBytes: mostRecordBytes }, onEndpoint),
    adjust: async (endpoints) => {
      const adjusted: unknown[] = [];
      const body = { method: 'POST', path: 'adjustendpoints', body: endpoints, mostBytes } as const;
      await array(body, (endpoint) => void adjusted.push(endpoint));
      return adjusted;
    },
    send: async (changes) => {
      const ignored = { mostBytes, onBytes: () => undefined };
      await call({ method: 'POST', path: 'records', body: changes, writes: true, ...ignored });
    },
    close: () => void agent.close(),
  };
}

/**
 * Versions of external-dns differ in the name of the field. A filter by regular expression is not read: what it means is
 * Go's to say, and the webhook will refuse what it does not serve.
 */
function filterOf(text: string): DomainFilter {
  let filter: unknown;
  try {
    filter = JSON.parse(text);
  } catch {
    // The media type is what is negotiated; a webhook that says no names serves all of them.
    return { include: [], exclude: [] };
  }
  const namesOf = (...keys: readonly string[]): readonly string[] =>
    keys
      .flatMap((key) => (isRecord(filter) && Array.isArray(filter[key]) ? filter[key].slice(0, mostNames) : []))
      .flatMap((name) => (typeof name === 'string' ? name.trim().toLowerCase().replace(/\.$/u, '') : []))
      .filter((name) => name !== '');
  return { include: namesOf('include', 'filters', 'Filters'), exclude: namesOf('exclude') };
}
