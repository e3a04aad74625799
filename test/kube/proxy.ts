/** A proxy before the real API server that does to requests and watches what bad networks and busy servers do. */
import { readFileSync } from 'node:fs';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import type { KubeAccess } from '../../src/kube/config.ts';

export interface Seen {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly watch: boolean;
  /** From which it was asked. */
  readonly port: number;
}

export type Fault =
  | { readonly do: 'answer'; readonly status: number; readonly retryAfter?: number; readonly reason?: string }
  /** The connection is cut before the server sees the request. */
  | { readonly do: 'drop' }
  /** The server does what is asked, but its answer is lost. */
  | { readonly do: 'lose' }
  /** Nothing is ever answered. */
  | { readonly do: 'hang' }
  | { readonly do: 'delay'; readonly milliseconds: number }
  /** The server sees it when the promise has resolved. */
  | { readonly do: 'after'; readonly first: () => Promise<unknown> }
  /** The server is asked something else: path and query. */
  | { readonly do: 'rewrite'; readonly path: string };

type Rewrite = (line: string, later: (line: string) => void) => readonly string[];

export interface Proxy {
  readonly url: string;
  readonly access: KubeAccess;
  readonly seen: readonly Seen[];
  /** Connections made to it so far. */
  readonly connections: () => number;
  /** What to do to requests from now on. */
  readonly setFault: (decide: (request: Seen, body: Buffer) => Fault | undefined) => void;
  /** What becomes of each line of a watch from now on: none, itself, several; `later` adds one at any time. */
  readonly setLines: (rewrite: Rewrite) => void;
  /** Open watches stay open but never say anything again; new ones work. */
  readonly freezeWatches: () => void;
  readonly cutWatches: () => void;
  readonly openWatches: () => number;
  readonly stop: () => Promise<void>;
}

/** How a proxy is spoken to; by plain HTTP when absent. */
interface Front {
  /** PEM of its certificate and key. */
  readonly tls: { readonly cert: string; readonly key: string };
}

export interface Upstream {
  readonly server: string;
  readonly caFile: string;
  readonly adminToken: string;
  /** Whether it is to see the name by which the proxy was asked. */
  readonly keepHost?: boolean;
}

interface OpenWatch {
  frozen: boolean;
  readonly end: () => void;
}

export async function startProxy(upstream: Upstream, front?: Front): Promise<Proxy> {
  const agent = new https.Agent({ ca: readFileSync(upstream.caFile), keepAlive: true });
  const seen: Seen[] = [];
  const watches = new Set<OpenWatch>();
  let connections = 0;
  let decide: (request: Seen, body: Buffer) => Fault | undefined = () => undefined;
  let rewrite: Rewrite = (line) => [line];

  const forward = (request: IncomingMessage, body: Buffer, onAnswer: (answer: IncomingMessage) => void): void => {
    const own = upstream.keepHost === true ? {} : { host: new URL(upstream.server).host };
    const headers = { ...request.headers, ...own };
    const sent = https.request(
      `${upstream.server}${request.url}`,
      { agent, method: request.method, headers },
      onAnswer,
    );
    sent.once('error', () => request.socket.destroy());
    const cut = (): void => void sent.destroy();
    request.socket.once('close', cut);
    sent.once('close', () => request.socket.off('close', cut));
    sent.end(body);
  };

  const relay = (request: IncomingMessage, body: Buffer, response: ServerResponse, watch: boolean): void =>
    forward(request, body, (answer) => {
      answer.once('error', () => response.destroy());
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      response.flushHeaders();
      if (!watch || answer.statusCode !== 200) return void answer.pipe(response);
      relayWatch(answer, response, watches, (line, later) => rewrite(line, later));
    });

  const serve = (request: IncomingMessage, response: ServerResponse, body: Buffer): void => {
    const path = request.url ?? '/';
    const port = request.socket.remotePort ?? 0;
    const one: Seen = { method: request.method ?? 'GET', path, watch: /[?&]watch=true/.test(path), port };
    seen.push(one);
    const fault = decide(one, body);
    switch (fault?.do) {
      case undefined:
        return relay(request, body, response, one.watch);
      case 'delay':
        return void setTimeout(() => relay(request, body, response, one.watch), fault.milliseconds);
      case 'after':
        return void fault.first().then(
          () => relay(request, body, response, one.watch),
          () => request.socket.destroy(),
        );
      case 'rewrite':
        request.url = fault.path;
        return relay(request, body, response, one.watch);
      case 'hang':
        return;
      case 'drop':
        return void request.socket.destroy();
      case 'lose':
        return forward(request, body, (answer) => void answer.resume().once('end', () => request.socket.destroy()));
      case 'answer':
        return refuse(response, fault);
    }
  };

  const take = (request: IncomingMessage, response: ServerResponse): void => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.once('end', () => serve(request, response, Buffer.concat(chunks)));
  };
  const server = front === undefined ? http.createServer(take) : https.createServer(front.tls, take);
  server.on('connection', () => {
    connections += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const url = `${front === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;
  return {
    url,
    access: plainAccess(url, upstream.adminToken),
    seen,
    connections: () => connections,
    setFault: (next) => {
      decide = next;
    },
    setLines: (next) => {
      rewrite = next;
    },
    freezeWatches: () => {
      for (const watch of watches) watch.frozen = true;
    },
    cutWatches: () => {
      for (const watch of watches) watch.end();
    },
    openWatches: () => watches.size,
    stop: () =>
      new Promise((resolve) => {
        agent.destroy();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function relayWatch(
  answer: IncomingMessage,
  response: ServerResponse,
  watches: Set<OpenWatch>,
  rewrite: Rewrite,
): void {
  const watch: OpenWatch = { frozen: false, end: () => void response.destroy() };
  watches.add(watch);
  response.once('close', () => watches.delete(watch));
  const say = (line: string): void => {
    if (!watch.frozen && !response.destroyed) response.write(`${line}\n`);
  };
  let rest = '';
  answer.setEncoding('utf8');
  answer.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    if (watch.frozen) return;
    for (const line of lines) for (const out of rewrite(line, say)) say(out);
  });
  answer.once('end', () => {
    if (!watch.frozen) response.end();
  });
}

function refuse(response: ServerResponse, fault: Fault & { do: 'answer' }): void {
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  if (fault.retryAfter !== undefined) headers['retry-after'] = String(fault.retryAfter);
  const { status: code, reason = '' } = fault;
  response.writeHead(code, headers);
  response.end(
    JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', message: 'as told', reason, code }),
  );
}

export function plainAccess(url: string, token: string): KubeAccess {
  const headers = { Authorization: `Bearer ${token}` };
  return {
    server: new URL(url),
    namespace: undefined,
    credentials: () => Promise.resolve({ headers, tls: {}, fingerprint: 'plain' }),
    forget: () => undefined,
  };
}
