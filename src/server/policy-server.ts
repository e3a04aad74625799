/**
 * The policy pod: `https://mta-sts.D/.well-known/mta-sts.txt` for every D in the mounted shards. It knows neither
 * Kubernetes nor the operator, and goes on with the last good content when both are away.
 */
import { createServer, type Server } from 'node:https';
import type { SecureContext } from 'node:tls';
import type { Clock } from '../clock.ts';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { createChallengeServer } from './challenge-server.ts';
import { type Contexts, createContexts, secureOptions } from './contexts.ts';
import { capConnections, drain, listen, parseAddress } from './http.ts';
import { createPolicyMetrics, type PolicyMetrics } from './metrics-text.ts';
import { answerPolicy } from './policy-answer.ts';
import { createServed, type Served } from './served.ts';
import { watchShards } from './shard-watch.ts';
import { createStatusServer } from './status-server.ts';

export interface PolicyLimits {
  /** TLS contexts held in memory. */
  readonly contexts: number;
  /** Open connections of one client; behind a Service that hides clients, of one node. */
  readonly connectionsPerAddress: number;
  readonly connections: number;
  readonly headerBytes: number;
  readonly handshakeMs: number;
  readonly headersMs: number;
  readonly idleMs: number;
  readonly requestsPerConnection: number;
  /** Between looks at the shards that no event prompted. */
  readonly pollMs: number;
  /** On the way out: still answering while the endpoint is taken out of the Service. */
  readonly lameDuckMs: number;
  /** And then for open requests to end. */
  readonly drainMs: number;
}

const policyLimits: PolicyLimits = {
  contexts: 200,
  connectionsPerAddress: 256,
  connections: 10_000,
  headerBytes: 8192,
  handshakeMs: 5000,
  headersMs: 5000,
  idleMs: 5000,
  requestsPerConnection: 100,
  pollMs: 10_000,
  lameDuckMs: 3000,
  drainMs: 5000,
};

export interface PolicyServerOptions {
  /** Holds one folder a shard, each a mounted Secret. */
  readonly shardsDir: string;
  /** `:8443`, `127.0.0.1:0`, … */
  readonly httpsAddress: string;
  /** /healthz, /readyz and /metrics. */
  readonly httpAddress: string;
  /** Where a CA finds the answers to HTTP-01 challenges; absent: nowhere. */
  readonly challengeAddress?: string | undefined;
  readonly log: Log;
  readonly clock: Clock;
  /** When it aborts, the server drains as on `close`. */
  readonly signal?: AbortSignal;
  readonly limits?: Partial<PolicyLimits>;
}

export interface PolicyServer {
  readonly httpsPort: number;
  readonly httpPort: number;
  /** Undefined where no challenges are answered. */
  readonly challengePort: number | undefined;
  /** Resolves when the server has drained, by `close` or by the signal. */
  readonly closed: Promise<void>;
  readonly close: () => Promise<void>;
}

/**
 * Resolves once both ports listen and the shards that exist were read.
 * @throws Error when an address is malformed or taken.
 */
export async function startPolicyServer(options: PolicyServerOptions): Promise<PolicyServer> {
  const { log, clock } = options;
  const limits = { ...policyLimits, ...options.limits };
  const metrics = createPolicyMetrics();
  let mounted = 0;
  const served = createServed(() => mounted);
  const contexts = createContexts(limits.contexts);
  const problems = new Map<string, number>();
  let ready = false;
  let draining = false;

  const tls = createTlsServer({ served, contexts, metrics, limits, log, draining: () => draining });
  const connections = capConnections(tls, limits.connectionsPerAddress, metrics.countRefused);
  let shards = (): number => 0;
  const status = createStatusServer({
    notReady: () => (draining ? 'draining' : ready ? undefined : 'reading the shards'),
    metrics: () =>
      metrics.text({
        contexts: contexts.size(),
        shards: shards(),
        hosts: served.size(),
        problems: [...problems.values()].reduce((sum, count) => sum + count, 0),
        connections: connections.count(),
        ready,
      }),
  });
  const httpPort = await listen(status, parseAddress(options.httpAddress));
  const watch = await watchShards(
    options.shardsDir,
    {
      onMounted: (count) => {
        mounted = count;
      },
      onText: (shard, text) => {
        const taken = served.take(shard, text, clock.now());
        contexts.forget(taken.changed);
        problems.set(shard, taken.problems.length);
        metrics.countReload(taken.used ? 'ok' : 'failed');
        for (const { host, message } of taken.problems)
          log.warn('shard entry not used', { shard, host, problem: message });
        if (taken.missing.length > 0)
          log.warn('a shard has lost hosts, which are served on', { shard, hosts: taken.missing.join(' ') });
        log.info('shard read', { shard, used: taken.used, changed: taken.changed.length, hosts: served.size() });
      },
      onFailure: (shard, message) => {
        problems.set(shard, 1);
        metrics.countReload('failed');
        log.error('shard not read, its last good content stays', { shard, problem: message });
      },
    },
    limits.pollMs,
  );
  shards = watch.shards;
  const challenges = createChallengeServer({ find: served.find, draining: () => draining }, limits);
  const asking = capConnections(challenges, limits.connectionsPerAddress, metrics.countRefused);
  const { challengeAddress } = options;
  const challengePort =
    challengeAddress === undefined ? undefined : await listen(challenges, parseAddress(challengeAddress));
  const httpsPort = await listen(tls, parseAddress(options.httpsAddress));
  ready = true;
  log.info('policy server listens', { httpsPort, httpPort, shards: shards(), hosts: served.size() });

  const stop = async (): Promise<void> => {
    draining = true;
    log.info('policy server drains', { connections: connections.count() });
    await pause(limits.lameDuckMs);
    await Promise.all([drain(tls, limits.drainMs, connections.cut), drain(challenges, limits.drainMs, asking.cut)]);
    watch.close();
    status.closeAllConnections();
    await drain(status, 0);
  };
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  const close = (): Promise<void> => {
    if (!draining) void stop().then(resolve);
    return closed;
  };
  if (options.signal?.aborted === true) void close();
  options.signal?.addEventListener('abort', () => void close(), { once: true });
  return { httpsPort, httpPort, challengePort, closed, close };
}

interface TlsParts {
  readonly served: Served;
  readonly contexts: Contexts;
  readonly metrics: PolicyMetrics;
  readonly limits: PolicyLimits;
  readonly log: Log;
  readonly draining: () => boolean;
}

function createTlsServer({ served, contexts, metrics, limits, log, draining }: TlsParts): Server {
  const chooseContext = (name: string, done: (error: Error | null, context?: SecureContext) => void): void => {
    const host = name.toLowerCase();
    const found = served.find(host);
    // RFC 8461 §7.1: no certificate of ours names it, and no other may answer: the default context has none.
    if (found === undefined || found.entry.certificate === null) {
      metrics.countHandshake('unknown-name');
      return done(null);
    }
    try {
      done(null, contexts.of(host, found));
    } catch (error) {
      log.error('no TLS context for a host', { host, problem: messageOf(error) });
      done(null);
    }
  };
  const server = createServer(
    {
      SNICallback: chooseContext,
      ALPNProtocols: ['http/1.1'],
      minVersion: 'TLSv1.2',
      secureOptions,
      handshakeTimeout: limits.handshakeMs,
      maxHeaderSize: limits.headerBytes,
      headersTimeout: limits.headersMs,
      requestTimeout: limits.headersMs + 1000,
      keepAliveTimeout: limits.idleMs,
      connectionsCheckingInterval: 500,
    },
    (request, response) =>
      answerPolicy(request, response, { find: served.find, count: metrics.countRequest, draining }),
  );
  server.maxConnections = limits.connections;
  server.maxHeadersCount = 64;
  server.maxRequestsPerSocket = limits.requestsPerConnection;
  server.on('secureConnection', () => metrics.countHandshake('ok'));
  server.on('tlsClientError', (_, socket) => {
    metrics.countHandshake('failed');
    // Node leaves a socket open whose handshake took too long.
    socket.destroy();
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (!socket.writable || socket.destroyed) {
      socket.destroy();
      return;
    }
    const [code, text] = refusalOf(error.code);
    metrics.countRequest(code);
    socket.end(`HTTP/1.1 ${code} ${text}\r\nConnection: close\r\n\r\n`);
  });
  server.on('drop', metrics.countRefused);
  return server;
}

function refusalOf(errorCode: string | undefined): readonly [number, string] {
  if (errorCode === 'HPE_HEADER_OVERFLOW') return [431, 'Request Header Fields Too Large'];
  if (errorCode === 'ERR_HTTP_REQUEST_TIMEOUT') return [408, 'Request Timeout'];
  return [400, 'Bad Request'];
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
