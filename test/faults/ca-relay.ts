/** A place on the way to the CA: what it is asked and what it answers passes, unless a test meddles with it. */
import { readFileSync } from 'node:fs';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

export interface CaRequest {
  readonly method: string;
  readonly path: string;
  /** The first part of the path, which with this CA says what is asked: `order-plz`, `finalize-order`, `certZ`. */
  readonly what: string;
  /** What was signed; empty for one that only reads. */
  readonly payload: string;
}

export interface CaAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** An answer in place of the CA's own, or whatever else can be done to whoever waits for it. */
export type CaMeddling = (
  request: CaRequest,
  pass: () => Promise<CaAnswer>,
) => Promise<CaAnswer | ((response: ServerResponse) => void)>;

interface Authority {
  readonly directoryUrl: string;
  /** PEM file of who vouches for its TLS certificate. */
  readonly caFile: string;
}

export interface CaRelay {
  /** `https://127.0.0.1:port`. */
  readonly url: string;
  /** From now on; nothing passes everything. */
  readonly meddle: (meddling?: CaMeddling) => void;
  /** Another CA takes the place of the real one, which knows nothing of what that knew; or the real one does again. */
  readonly lead: (to?: Authority) => void;
  readonly stop: () => Promise<void>;
}

/** One byte a second, for as long as someone waits for the next. */
export function drip(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  const timer = setInterval(() => response.write(' '), 1000);
  response.once('close', () => clearInterval(timer));
}

const untouched: CaMeddling = (_, pass) => pass();

/** `tls` is PEM of its own certificate and key. */
export async function startCaRelay(
  tls: { readonly cert: string; readonly key: string },
  real: Authority,
): Promise<CaRelay> {
  let meddling = untouched;
  let upstream = real;
  const pass = (request: IncomingMessage, body: Buffer): Promise<CaAnswer> =>
    new Promise((resolve, reject) => {
      const { origin } = new URL(upstream.directoryUrl);
      const options = { ca: readFileSync(upstream.caFile), method: request.method, headers: request.headers };
      const sent = https.request(`${origin}${request.url}`, { ...options, agent: false }, (answer) => {
        buffer(answer).then(
          (content) => resolve({ status: answer.statusCode ?? 502, headers: answer.headers, body: content.toString() }),
          reject,
        );
      });
      sent.once('error', reject).end(body);
    });
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await buffer(request);
    const given = await meddling(readRequest(request, body), () => pass(request, body));
    if (typeof given === 'function') return given(response);
    const { 'content-length': _, 'transfer-encoding': __, connection: ___, ...headers } = given.headers;
    response.writeHead(given.status, headers).end(given.body);
  };
  const server = https.createServer(tls, (request, response) => {
    serve(request, response).catch(() => request.socket.destroy());
  });
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    meddle: (next = untouched) => {
      meddling = next;
    },
    lead: (to = real) => {
      upstream = to;
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function readRequest({ method = 'GET', url = '/' }: IncomingMessage, body: Buffer): CaRequest {
  const { payload = '' } = method === 'POST' ? (JSON.parse(body.toString()) as { payload?: string }) : {};
  return { method, path: url, what: url.split('/')[1] ?? '', payload: Buffer.from(payload, 'base64url').toString() };
}
