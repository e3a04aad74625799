/**
 * HTTP/1.1 to the Kubernetes API over few, kept connections. node:https costs a third of undici's memory, and the
 * generated client opens a connection a call.
 */
import http, { type ClientRequest, type IncomingMessage } from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import { messageOf } from '../errors.ts';
import type { Credentials, KubeAccess } from './config.ts';
import { aborted, KubeError } from './error.ts';
import type { MayWrite } from './guard.ts';

export interface Request {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path and query. */
  readonly path: string;
  readonly body?: string;
  readonly contentType?: string;
  /** From the moment a connection is assigned to the last byte; none for a stream, which its owner ends. */
  readonly timeoutMilliseconds?: number;
  readonly signal?: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

export interface Transport {
  /** Resolves with any HTTP answer; rejects with KubeError of status 0 where there is none. */
  readonly request: (request: Request, maximumBytes: number) => Promise<Answer>;
  /** Resolves when the head has come; the caller reads or destroys the message. On a connection of its own. */
  readonly stream: (request: Request) => Promise<IncomingMessage>;
  /** Reads what is left of a streamed answer. */
  readonly bodyOf: (message: IncomingMessage, maximumBytes: number) => Promise<Answer>;
  readonly close: () => void;
}

interface Pool {
  readonly fingerprint: string;
  readonly calls: http.Agent;
  readonly streams: http.Agent;
}

/** Shorter than the API server's idle time of 90 s, so that we never write to a connection it is about to close. */
const idleMilliseconds = 60_000;

export interface TransportOptions {
  readonly connections: number;
  readonly userAgent: string;
  /** Asked when what is more than a question is about to go out, on a connection that stands. */
  readonly mayWrite?: MayWrite | undefined;
}

export function createTransport(access: KubeAccess, options: TransportOptions): Transport {
  const secure = access.server.protocol === 'https:';
  let pool: Pool | undefined;

  const poolFor = (credentials: Credentials): Pool => {
    if (pool?.fingerprint === credentials.fingerprint) return pool;
    if (pool !== undefined) retire(pool);
    pool = makePool(credentials, secure, options.connections);
    return pool;
  };

  const open = async (request: Request, kind: 'calls' | 'streams'): Promise<IncomingMessage> => {
    const credentials = await access.credentials();
    const agent = poolFor(credentials)[kind];
    const prefix = access.server.pathname.replace(/\/$/, '');
    const sent = (secure ? https : http).request({
      agent,
      host: access.server.hostname.replace(/^\[|\]$/g, ''),
      port: access.server.port || (secure ? 443 : 80),
      path: prefix + request.path,
      method: request.method,
      headers: {
        ...credentials.headers,
        Accept: 'application/json',
        'User-Agent': options.userAgent,
        ...(request.body === undefined
          ? {}
          : { 'Content-Type': request.contentType, 'Content-Length': Buffer.byteLength(request.body) }),
      },
    });
    return head(sent, request, request.method === 'GET' ? undefined : options.mayWrite);
  };

  const bodyOf = async (message: IncomingMessage, maximumBytes: number): Promise<Answer> => {
    const body = await readBody(message, maximumBytes);
    return { status: message.statusCode ?? 0, headers: message.headers, body };
  };

  return {
    request: async (request, maximumBytes) => bodyOf(await open(request, 'calls'), maximumBytes),
    bodyOf,
    stream: (request) => open(request, 'streams'),
    close: () => {
      pool?.calls.destroy();
      pool?.streams.destroy();
    },
  };
}

function makePool(credentials: Credentials, secure: boolean, connections: number): Pool {
  if (credentials.proxy !== undefined) {
    return { fingerprint: credentials.fingerprint, calls: credentials.proxy, streams: credentials.proxy };
  }
  const base = { ...credentials.tls, keepAlive: true, keepAliveMsecs: 30_000 };
  const make = (extra: http.AgentOptions): http.Agent =>
    secure ? new https.Agent({ ...base, ...extra }) : new http.Agent({ keepAlive: true, ...extra });
  const calls = make({ maxSockets: connections, scheduling: 'lifo', timeout: idleMilliseconds });
  return { fingerprint: credentials.fingerprint, calls, streams: make({ maxFreeSockets: 0 }) };
}

/** Lets requests under way end on the old connections, and keeps none of them. */
function retire(pool: Pool): void {
  for (const agent of [pool.calls, pool.streams]) {
    agent.maxFreeSockets = 0;
    for (const sockets of Object.values(agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
  }
}

/** Sockets whose handshake is done: a request on one that breaks may have been acted on. */
const established = new WeakSet<Socket>();

/** A connection taken from the pool, or through a proxy that asked nothing of TLS, may stand already. */
const stands = (socket: Socket): boolean => established.has(socket) || (!('encrypted' in socket) && !socket.connecting);

/** Nothing is sent before the connection stands: a request may have waited long for one. */
function head(sent: ClientRequest, request: Request, mayWrite: MayWrite | undefined): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    let connected = false;
    let timer: NodeJS.Timeout | undefined;
    const abort = (): void => void sent.destroy(aborted());
    const settle = (): void => {
      clearTimeout(timer);
      request.signal?.removeEventListener('abort', abort);
    };
    const send = (socket: Socket): void => {
      established.add(socket);
      try {
        mayWrite?.();
      } catch (error) {
        sent.destroy(asKubeError(error, sent.host, false));
        return;
      }
      connected = true;
      sent.end(request.body);
    };
    sent.once('socket', (socket) => {
      if (stands(socket)) send(socket);
      else socket.once('encrypted' in socket ? 'secureConnect' : 'connect', () => send(socket));
      if (request.timeoutMilliseconds === undefined) return;
      timer = setTimeout(() => {
        const after = `${Math.round((request.timeoutMilliseconds ?? 0) / 1000)} s`;
        const message = `the Kubernetes API at ${sent.host} did not answer within ${after}`;
        sent.destroy(new KubeError(0, 'Timeout', message, { mayHaveActed: connected }));
      }, request.timeoutMilliseconds);
    });
    sent.once('error', (error) => {
      settle();
      reject(asKubeError(error, sent.host, connected));
    });
    sent.once('response', (message: IncomingMessage) => {
      message.once('close', settle);
      resolve(message);
    });
    if (request.signal?.aborted === true) abort();
    else request.signal?.addEventListener('abort', abort, { once: true });
  });
}

function readBody(message: IncomingMessage, maximumBytes: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    message.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= maximumBytes) chunks.push(chunk);
      else message.destroy(new KubeError(0, 'TooLarge', `the Kubernetes API sent more than ${maximumBytes} bytes`));
    });
    message.once('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
    message.once('error', (error) => reject(asKubeError(error, 'the server', true)));
    message.once('close', () => {
      if (!message.complete) reject(asKubeError(new Error('the connection ended early'), 'the server', true));
    });
  });
}

/** What a failure of the connection stands for; a KubeError stays itself. */
export function asKubeError(error: unknown, host: string, mayHaveActed: boolean): KubeError {
  if (error instanceof KubeError) return error;
  const message = `the Kubernetes API at ${host} can't be reached: ${messageOf(error)}`;
  return new KubeError(0, 'Unreachable', message, { mayHaveActed, cause: error });
}
