/** Requests to the HTTP API of a PowerDNS Authoritative Server: bounded in time and size, never led elsewhere. */
import type { Dispatcher } from 'undici';
import { MailsealError, messageOf } from '../../errors.ts';
import { KubeError } from '../../kube/error.ts';
import type { MayWrite } from '../../kube/guard.ts';
import { fencedBy } from '../fenced.ts';
import { Agent, request } from './undici.ts';

export interface ApiOptions {
  /** Where it answers, without `/api`. */
  readonly url: URL;
  readonly apiKey: string;
  /** PEM: whom to trust, and nobody else. */
  readonly caBundle: string | undefined;
  /** Milliseconds from the beginning of a request to the last byte of its answer. */
  readonly timeoutMs: number;
  /** Asked right before each request that changes something. */
  readonly mayWrite: MayWrite | undefined;
}

export interface ApiAnswer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  /** Where a redirect leads. */
  readonly location: string | undefined;
  /** Undefined where it is longer than may be. */
  readonly text: string | undefined;
}

export interface Api {
  /** Of the server, for messages. */
  readonly host: string;
  /** Both reject with MailsealError `ProviderUnavailable` where no whole answer came, whatever its status. */
  readonly read: (path: string, mostBytes: number) => Promise<ApiAnswer>;
  readonly write: (path: string, body: string) => Promise<ApiAnswer>;
  readonly close: () => void;
}

/** An answer to a change is empty, or says in a line what is wrong. */
const mostAnswerBytes = 64 * 1024;

/** How a connection ends that the server had closed before it saw the request. */
const closedEarly: readonly unknown[] = ['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'];

const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined);

/** Stops reading where the text grows too long. */
async function textOf(body: AsyncIterable<Buffer>, mostBytes: number): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > mostBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

const single = (value: string | string[] | undefined): string | undefined => (Array.isArray(value) ? value[0] : value);

/** Opens no connection before the first request. */
export function createApi(options: ApiOptions): Api {
  const { url, apiKey, caBundle, timeoutMs } = options;
  const base = (url.origin + url.pathname).replace(/\/+$/u, '');
  const common = {
    connect: { timeout: timeoutMs, ...(caBundle === undefined ? {} : { ca: caBundle }) },
    // The signal of each request says when its time is over.
    headersTimeout: 0,
    bodyTimeout: 0,
  };
  const agent = new Agent(common);
  // A connection of its own for each: one that the server closes just then would leave a change in doubt.
  const fresh = new Agent({ ...common, pipelining: 0 });

  const send = async (
    path: string,
    how: Pick<Dispatcher.RequestOptions, 'method' | 'body'> & { readonly dispatcher: Dispatcher },
    mostBytes: number,
  ): Promise<ApiAnswer> => {
    const headers = {
      'x-api-key': apiKey,
      accept: 'application/json',
      'user-agent': 'mailseal',
      ...(how.body === undefined ? {} : { 'content-type': 'application/json' }),
    };
    const answer = await request(base + path, { ...how, headers, signal: AbortSignal.timeout(timeoutMs) });
    const text = await textOf(answer.body as AsyncIterable<Buffer>, mostBytes);
    return {
      status: answer.statusCode,
      retryAfter: single(answer.headers['retry-after']),
      location: single(answer.headers['location']),
      // Whatever stands in between may tell what it was sent.
      text: answer.statusCode < 300 ? text : text?.replaceAll(apiKey, '…'),
    };
  };

  const unavailable = (error: unknown, doubt: string): Error => {
    if (error instanceof KubeError || error instanceof MailsealError) return error;
    const late = error instanceof Error && error.name === 'TimeoutError';
    const why = late ? `no whole answer within ${timeoutMs / 1000} s` : messageOf(error);
    return new MailsealError('ProviderUnavailable', `PowerDNS at ${url.host} can't be reached: ${why}${doubt}`, {
      cause: error,
    });
  };

  return {
    host: url.host,
    read: async (path, mostBytes) => {
      const ask = (): Promise<ApiAnswer> => send(path, { method: 'GET', dispatcher: agent }, mostBytes);
      try {
        // What was kept may have been closed meanwhile; a fresh connection tells.
        return await ask().catch((error: unknown) => {
          if (closedEarly.includes(codeOf(error))) return ask();
          throw error;
        });
      } catch (error) {
        throw unavailable(error, '');
      }
    },
    write: async (path, body) => {
      let sent = false;
      const goesOut = (): void => {
        options.mayWrite?.();
        sent = true;
      };
      const dispatcher = fresh.compose((dispatch) => (how, then) => dispatch(how, fencedBy(goesOut, then)));
      try {
        return await send(path, { method: 'PATCH', body, dispatcher }, mostAnswerBytes);
      } catch (error) {
        throw unavailable(error, sent ? '; the change may or may not have been made' : '; nothing was written');
      }
    },
    close: () => {
      for (const one of [agent, fresh]) one.close().catch(() => undefined);
    },
  };
}
