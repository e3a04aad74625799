/** The way of an operator to an HTTPS server, here the Kubernetes API or the CA: everything passes, writes by the gate. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { Gate, Passage, Write } from './gate.ts';

export interface HttpDoorSpec {
  readonly gate: Gate;
  /** `https://address:port`. */
  readonly upstream: string;
  /** PEM of the CA that vouches for the upstream. */
  readonly upstreamCa: string;
  /** PEM of the door's own. */
  readonly tls: { readonly cert: string; readonly key: string };
  /** What a request writes; undefined where it only reads. */
  readonly writeOf: (method: string, path: string, body: Buffer) => Write | undefined;
  /** Whether the upstream is to see the name by which the door was asked. */
  readonly keepHost: boolean;
}

export interface HttpDoor {
  /** `https://127.0.0.1:port`. */
  readonly url: string;
  readonly stop: () => Promise<void>;
}

export async function startHttpDoor(spec: HttpDoorSpec): Promise<HttpDoor> {
  const agent = new https.Agent({ ca: spec.upstreamCa, keepAlive: true });
  const { host } = new URL(spec.upstream);

  const forward = (request: IncomingMessage, body: Buffer): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const headers = { ...request.headers, ...(spec.keepHost ? {} : { host }) };
      const options = { agent, method: request.method, headers };
      const sent = https.request(`${spec.upstream}${request.url}`, options, resolve);
      sent.once('error', reject);
      // A watch ends with whoever watches; a write that is on its way is not taken back.
      const cut = (): void => void sent.destroy();
      if (request.method === 'GET') request.socket.once('close', cut);
      sent.once('close', () => request.socket.off('close', cut));
      sent.end(body);
    });

  const read = async (request: IncomingMessage, response: ServerResponse, body: Buffer): Promise<void> => {
    const answer = await forward(request, body);
    answer.once('error', () => response.destroy());
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    response.flushHeaders();
    answer.pipe(response);
  };

  const write = async (
    request: IncomingMessage,
    response: ServerResponse,
    { write, passage, body }: { readonly write: Write; readonly passage: Passage; readonly body: Buffer },
  ): Promise<void> => {
    if (!passage.forward) return void request.socket.destroy();
    const witness = spec.gate.witness();
    await witness.before(write);
    const answer = await forward(request, body);
    const content = await buffer(answer);
    const status = answer.statusCode ?? 502;
    witness.after(write, status < 300);
    if (!passage.answer) {
      request.socket.destroy();
      return passage.done();
    }
    if (response.closed) passage.done();
    response.once('close', passage.done);
    response.writeHead(status, answer.headers).end(content);
  };

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await buffer(request);
    const found = spec.writeOf(request.method ?? 'GET', request.url ?? '/', body);
    if (found === undefined) return read(request, response, body);
    const passage = spec.gate.arrive(found);
    try {
      await write(request, response, { write: found, passage, body });
    } catch (error) {
      // The answer is lost, whatever was to become of it.
      passage.done();
      throw error;
    }
  };

  const server = https.createServer(spec.tls, (request, response) => {
    // Whoever asks is told by a cut connection, as by any bad network.
    serve(request, response).catch(() => request.socket.destroy());
  });
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () =>
      new Promise((resolve) => {
        agent.destroy();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const verbs: Readonly<Record<string, string>> = { POST: 'create', PUT: 'replace', PATCH: 'patch', DELETE: 'delete' };

/** What a request to the Kubernetes API writes, with hashes and other words of the moment left out. */
export function kubernetesWrite(method: string, path: string, body: Buffer): Write | undefined {
  const verb = verbs[method];
  if (verb === undefined) return undefined;
  const [, place = ''] = /^\/apis?\/(?:[^/]+\/)?v[0-9a-z]+\/([^?]*)/u.exec(path) ?? [];
  const [resource = '', name = '', subresource] = place.replace(/^namespaces\/[^/]+\//u, '').split('/');
  if (resource === 'selfsubjectaccessreviews') return undefined;
  const of = name === '' ? (JSON.parse(body.toString()) as { metadata?: { name?: string } }).metadata?.name : name;
  const stable = resource === 'events' ? '*' : (of ?? '').replace(/-[0-9a-f]{20}$/u, '-*');
  const what = `${verb} ${resource}/${stable}${subresource === undefined ? '' : `/${subresource}`}`;
  return { wire: 'kubernetes', what, body };
}

/** RFC 8555 §6.3: a POST with an empty payload reads. */
export function acmeWrite(method: string, path: string, body: Buffer): Write | undefined {
  if (method !== 'POST') return undefined;
  const { payload = '' } = JSON.parse(body.toString()) as { payload?: string };
  return payload === '' ? undefined : { wire: 'acme', what: `acme ${path.split('/')[1] ?? ''}`, body };
}
