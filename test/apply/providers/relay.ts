/** A place on the way to a provider's HTTP API: it counts what passes, and meddles once where a test wants it. */
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

export interface HttpRelaySpec {
  /** `http://address:port`; paths are kept. */
  readonly upstream: string;
  /** Whether a request changes something. Any but GET and HEAD, when absent. */
  readonly writes?: (method: string, path: string, body: Buffer) => boolean;
}

export interface HttpRelay {
  /** `http://127.0.0.1:port`. */
  readonly url: string;
  /** Requests so far. */
  readonly calls: () => { readonly reads: number; readonly writes: number };
  /** The next request that writes is made, and the connection broken instead of its answer. */
  readonly loseAnswer: () => void;
  /** The next request goes nowhere: "too many requests, come back in 7 seconds". */
  readonly throttle: () => void;
  /** The next request that writes is answered with this status, made or not. */
  readonly failWrite: (status: number, made: boolean) => void;
  readonly stop: () => Promise<void>;
}

type Meddling = { readonly what: 'lose' } | { readonly what: 'fail'; readonly status: number; readonly made: boolean };

export async function startHttpRelay({ upstream, writes = isWrite }: HttpRelaySpec): Promise<HttpRelay> {
  const count = { reads: 0, writes: 0 };
  let throttling = false;
  let meddling: Meddling | undefined;

  const pass = async (request: IncomingMessage, body: Buffer): Promise<Response> => {
    const own = ['host', 'connection', 'content-length', 'transfer-encoding', 'keep-alive', 'accept-encoding'];
    const kept = Object.entries(request.headers).filter(([name]) => !own.includes(name));
    const headers = kept.map(([name, value]): [string, string] => [name, String(value)]);
    const method = request.method ?? 'GET';
    const content = body.length === 0 ? {} : { body: new Uint8Array(body) };
    return fetch(upstream + request.url, { method, headers, redirect: 'manual', ...content });
  };

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await buffer(request);
    if (throttling) {
      throttling = false;
      response.writeHead(429, { 'retry-after': '7' }).end('Too Many Requests');
      return;
    }
    const isOne = writes(request.method ?? 'GET', request.url ?? '/', body);
    count[isOne ? 'writes' : 'reads'] += 1;
    const now = isOne ? meddling : undefined;
    if (isOne) meddling = undefined;
    if (now?.what === 'fail' && !now.made) return void response.writeHead(now.status).end();
    const answer = await pass(request, body);
    const content = Buffer.from(await answer.arrayBuffer());
    if (now?.what === 'lose') return void request.socket.destroy();
    if (now?.what === 'fail') return void response.writeHead(now.status).end();
    const type = answer.headers.get('content-type');
    response.writeHead(answer.status, type === null ? {} : { 'content-type': type }).end(content);
  };

  const server = createServer((request, response) => {
    serve(request, response).catch(() => request.socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls: () => ({ ...count }),
    loseAnswer: () => {
      meddling = { what: 'lose' };
    },
    throttle: () => {
      throttling = true;
    },
    failWrite: (status, made) => {
      meddling = { what: 'fail', status, made };
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const isWrite = (method: string): boolean => method !== 'GET' && method !== 'HEAD';
