/** Fetches a policy the way a sender does (RFC 8461 §3.3), from an address that the caller names. */
import type { ClientRequest, IncomingMessage } from 'node:http';
import { request } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { type Clock, systemClock } from '../clock.ts';
import { printable } from './smtp-parse.ts';
import { judgePeer, peerOptions, tlsErrorText } from './tls.ts';
import type { PolicyFetch } from '../pki/observed.ts';

export interface PolicyFetchOptions {
  /** The mail domain; `mta-sts.` is put in front of it for SNI, Host and the certificate's name. */
  readonly domain: string;
  /** The IP address to connect to. The caller has checked that it may be asked (no private ranges by default). */
  readonly address: string;
  readonly port?: number;
  /** Milliseconds for all of it. Default 60,000. */
  readonly timeoutMs?: number;
  /** False takes whatever certificate is shown: to look at one pod's revision. Default true. */
  readonly verify?: boolean;
  /** Bytes of the body. Default 65,536. */
  readonly maxBytes?: number;
  /** Roots beyond the system's, PEM. */
  readonly trust?: readonly string[];
  readonly clock?: Clock;
}

interface Page {
  readonly body: string;
  readonly contentType: string;
  readonly revision: string | undefined;
}

const path = '/.well-known/mta-sts.txt';

function open(options: PolicyFetchOptions, host: string): ClientRequest {
  return request({
    ...peerOptions(host, options.trust ?? []),
    host: options.address,
    port: options.port ?? 443,
    path,
    method: 'GET',
    // A connection of its own, and so a whole handshake: a resumed session shows no chain.
    agent: false,
    headers: { host, accept: 'text/plain', 'user-agent': 'mailseal', connection: 'close' },
  });
}

/** Waits for the handshake and judges the certificate before anything is asked. */
function secured(call: ClientRequest): Promise<TLSSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>();
  call.once('error', reject);
  call.once('socket', (socket) => {
    const tls = socket as TLSSocket;
    tls.once('secureConnect', () => resolve(tls));
  });
  return promise;
}

function answered(call: ClientRequest): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  call.once('error', reject);
  call.once('response', resolve);
  call.end();
  return promise;
}

const header = (response: IncomingMessage, name: string): string | undefined => {
  const value = response.headers[name];
  return typeof value === 'string' ? printable(value, 200) : undefined;
};

/** The body of a 200, or a sentence that says why there is none. */
async function read(response: IncomingMessage, maxBytes: number): Promise<Page | string> {
  const status = response.statusCode ?? 0;
  // RFC 8461 §3.3: redirects are not followed, and any status but 200 is a failure.
  if (status >= 300 && status < 400) {
    return `the server answers ${status}, a redirect to ${header(response, 'location') ?? 'nowhere'}: senders never follow it`;
  }
  if (status !== 200) return `the server answers ${status}, not 200`;
  const encoding = header(response, 'content-encoding');
  if (encoding !== undefined && encoding !== 'identity') return `the server sends the policy encoded as ${encoding}`;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) return `the policy is longer than ${maxBytes} bytes`;
    chunks.push(chunk);
  }
  return {
    body: Buffer.concat(chunks).toString('utf8'),
    contentType: header(response, 'content-type') ?? '',
    revision: header(response, 'mailseal-revision'),
  };
}

function failureText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  switch ((error as NodeJS.ErrnoException).code ?? '') {
    case 'ECONNREFUSED':
      return 'connection refused: nothing listens there';
    case 'ECONNRESET':
      return 'the server broke the connection off';
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'EADDRNOTAVAIL':
      return 'there is no route from here (no IPv6, perhaps)';
    default:
      return tlsErrorText(error);
  }
}

async function exchange(
  call: ClientRequest,
  options: PolicyFetchOptions,
  host: string,
): Promise<{ readonly page: Page | string; readonly spkiSha256: string }> {
  const tls = await secured(call);
  const { chain, pkix } = judgePeer(tls, host, (options.clock ?? systemClock).now());
  const spkiSha256 = chain[0]?.spkiSha256 ?? '';
  if (options.verify !== false && pkix.verdict !== 'Verified') {
    return { page: `the certificate of ${host} is not valid (${pkix.verdict}): ${pkix.detail}`, spkiSha256 };
  }
  return { page: await read(await answered(call), options.maxBytes ?? 65_536), spkiSha256 };
}

/** Fetches once, over one connection. Never rejects: what went wrong is in the outcome, in words. */
export async function fetchPolicy(options: PolicyFetchOptions): Promise<PolicyFetch> {
  const { address, clock = systemClock, timeoutMs = 60_000 } = options;
  const at = clock.now();
  const host = `mta-sts.${options.domain}`;
  const call = open(options, host);
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    call.destroy(new Error('timed out'));
  }, timeoutMs);
  // After the answer has begun an error shows up in reading it; this one only keeps it from ending the program.
  call.on('error', () => undefined);
  try {
    const { page, spkiSha256 } = await exchange(call, options, host);
    if (typeof page === 'string') return { address, at, outcome: 'Failed', detail: page };
    const { revision, ...rest } = page;
    return { address, at, outcome: 'Fetched', ...rest, spkiSha256, ...(revision === undefined ? {} : { revision }) };
  } catch (error) {
    const detail = timedOut ? `no whole answer within ${timeoutMs / 1000} s` : failureText(error);
    return { address, at, outcome: 'Failed', detail };
  } finally {
    clearTimeout(timer);
    call.destroy();
  }
}
