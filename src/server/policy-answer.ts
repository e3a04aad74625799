/** RFC 8461 §3.3 on the server's side: one path, one body a host, nothing to redirect to. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { hostOf } from './http.ts';
import type { ServedHost } from './served.ts';

const policyPath = '/.well-known/mta-sts.txt';
const revisionHeader = 'mailseal-revision';

export interface PolicyAnswer {
  readonly find: (host: string) => ServedHost | undefined;
  readonly count: (code: number) => void;
  readonly draining: () => boolean;
}

/** Answers one request; writes nothing but through `response`. */
export function answerPolicy(request: IncomingMessage, response: ServerResponse, policy: PolicyAnswer): void {
  const { method, url } = request;
  const name = serverName(request.socket as TLSSocket);
  if (policy.draining()) response.setHeader('connection', 'close');
  const refuse = (code: number, text: string, headers: Record<string, string> = {}): void => {
    policy.count(code);
    const body = method === 'HEAD' ? undefined : `${text}\n`;
    // A body that we don't read must not be taken for the next request.
    const close = method === 'GET' || method === 'HEAD' ? {} : { connection: 'close' };
    const length = Buffer.byteLength(text) + 1;
    response.writeHead(code, {
      'content-type': 'text/plain; charset=utf-8',
      'content-length': length,
      ...close,
      ...headers,
    });
    response.end(body);
  };
  if (name === undefined || hostOf(request) !== name) {
    return refuse(421, 'the Host header differs from the name that TLS was set up for');
  }
  if (url !== policyPath) return refuse(404, `nothing here; the policy is at ${policyPath}`);
  if (method !== 'GET' && method !== 'HEAD') return refuse(405, 'only GET and HEAD', { allow: 'GET, HEAD' });
  const served = policy.find(name);
  if (served?.body === undefined) return refuse(404, 'no policy is published for this host');
  policy.count(200);
  // RFC 8461 §3.3: text/plain, and nothing said of caching, since senders must not use HTTP caches.
  response.writeHead(200, {
    'content-type': 'text/plain; charset=utf-8',
    'content-length': served.body.length,
    [revisionHeader]: served.entry.revision,
  });
  response.end(method === 'HEAD' ? undefined : served.body);
}

function serverName(socket: TLSSocket & { readonly servername?: string | false | null }): string | undefined {
  return typeof socket.servername === 'string' ? socket.servername.toLowerCase() : undefined;
}
