import { createServer, type Server } from 'node:http';

/** What the operator says of itself; each text is shown to whoever asks. */
export interface OperatorStatus {
  /** Why it should be restarted; undefined while it lives. */
  readonly sick: () => string | undefined;
  /** Why it can't work yet; undefined once it can. */
  readonly unready: () => string | undefined;
  readonly metrics: () => Promise<string>;
}

/** Serves /healthz, /readyz and /metrics. Rejects when the address can't be bound. */
export async function serveOperatorStatus(
  address: { readonly host: string; readonly port: number },
  status: OperatorStatus,
): Promise<{ readonly port: number; readonly close: () => Promise<void> }> {
  const verdict = (problem: string | undefined): { readonly code: number; readonly text: string } =>
    problem === undefined ? { code: 200, text: 'ok\n' } : { code: 503, text: `${problem}\n` };
  const answer = async (path: string): Promise<{ readonly code: number; readonly text: string }> => {
    switch (path) {
      case '/healthz':
        return verdict(status.sick());
      case '/readyz':
        return verdict(status.unready());
      case '/metrics':
        return { code: 200, text: await status.metrics() };
      default:
        return { code: 404, text: 'here are /healthz, /readyz and /metrics\n' };
    }
  };
  const server: Server = createServer((request, response) => {
    answer((request.url ?? '/').split('?')[0] ?? '/').then(
      ({ code, text }) =>
        response.writeHead(code, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  server.headersTimeout = 10_000;
  server.requestTimeout = 10_000;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(address.port, address.host, resolve);
  await promise;
  const bound = server.address();
  return {
    port: typeof bound === 'object' && bound !== null ? bound.port : address.port,
    close: () => {
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      server.closeAllConnections();
      return closed.promise;
    },
  };
}
