/** Plain HTTP for the kubelet and Prometheus: /healthz, /readyz, /metrics. */
import { createServer, type Server } from 'node:http';

export interface StatusSource {
  /** `undefined` when ready, else why not. */
  readonly notReady: () => string | undefined;
  readonly metrics: () => string;
}

export function createStatusServer(source: StatusSource): Server {
  const server = createServer({ maxHeaderSize: 8192, connectionsCheckingInterval: 1000 }, (request, response) => {
    const reply = (code: number, body: string, type = 'text/plain; charset=utf-8'): void => {
      response.writeHead(code, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
      response.end(request.method === 'HEAD' ? undefined : body);
    };
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('connection', 'close');
      response.setHeader('allow', 'GET, HEAD');
      return reply(405, 'only GET and HEAD\n');
    }
    switch (request.url ?? '') {
      case '/healthz':
        return reply(200, 'ok\n');
      case '/readyz': {
        const why = source.notReady();
        return why === undefined ? reply(200, 'ok\n') : reply(503, `${why}\n`);
      }
      case '/metrics':
        return reply(200, source.metrics(), 'text/plain; version=0.0.4; charset=utf-8');
      default:
        return reply(404, 'nothing here\n');
    }
  });
  server.headersTimeout = 5000;
  server.requestTimeout = 10_000;
  server.keepAliveTimeout = 15_000;
  server.maxConnections = 256;
  return server;
}
