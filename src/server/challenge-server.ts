/**
 * Plain HTTP for one purpose: the answers that prove `mta-sts.D` to a CA (RFC 8555 §8.3). Nothing else is ever served
 * there, and nobody is led on to HTTPS: a policy that came over HTTP would prove nothing.
 */
import { createServer, type Server } from 'node:http';
import { hostOf } from './http.ts';
import type { ServedHost } from './served.ts';

export interface ChallengeLimits {
  readonly connections: number;
  readonly requestsPerConnection: number;
  readonly headerBytes: number;
  readonly headersMs: number;
  readonly idleMs: number;
}

export interface ChallengeSource {
  readonly find: (host: string) => ServedHost | undefined;
  readonly draining: () => boolean;
}

const challengePath = /^\/\.well-known\/acme-challenge\/(?<token>[A-Za-z0-9_-]{1,128})$/u;

/** The answer to one token, which only the host that it was made for gives. */
function answerOf(served: ServedHost | undefined, url: string): string | undefined {
  const token = challengePath.exec(url)?.groups?.['token'];
  const answers = served?.entry.http01;
  return token !== undefined && answers !== undefined && Object.hasOwn(answers, token) ? answers[token] : undefined;
}

export function createChallengeServer({ find, draining }: ChallengeSource, limits: ChallengeLimits): Server {
  const { headerBytes, headersMs, idleMs, connections } = limits;
  const server = createServer(
    {
      maxHeaderSize: headerBytes,
      headersTimeout: headersMs,
      requestTimeout: headersMs + 1000,
      keepAliveTimeout: idleMs,
      connectionsCheckingInterval: 500,
    },
    (request, response) => {
      const reply = (code: number, type: string, body: string, headers: Record<string, string> = {}): void => {
        response.writeHead(code, { 'content-type': type, 'content-length': Buffer.byteLength(body), ...headers });
        response.end(request.method === 'HEAD' ? undefined : body);
      };
      const plain = 'text/plain; charset=utf-8';
      if (draining()) response.setHeader('connection', 'close');
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        return reply(405, plain, 'only GET and HEAD\n', { allow: 'GET, HEAD', connection: 'close' });
      }
      const host = hostOf(request);
      const answer = host === undefined ? undefined : answerOf(find(host), request.url ?? '');
      // RFC 8555 §8.3: application/octet-stream, and the key authorization alone.
      return answer === undefined
        ? reply(404, plain, 'nothing here; the policy is served over HTTPS\n')
        : reply(200, 'application/octet-stream', answer);
    },
  );
  server.maxConnections = connections;
  server.maxHeadersCount = 64;
  server.maxRequestsPerSocket = limits.requestsPerConnection;
  return server;
}
