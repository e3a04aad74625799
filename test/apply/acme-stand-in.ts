/** An ACME server behind a socket that misbehaves on command, as the real one here does not: throttled, torn, silent. */
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { makeCa } from '../pki/certificates.ts';

export interface StandInAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export interface AcmeStandIn {
  readonly directoryUrl: string;
  readonly caBundle: string;
  /** `POST /order/1`, in order. */
  readonly requests: string[];
  /** The JWS payloads of POSTs, decoded; undefined for POST-as-GET. */
  readonly payloads: unknown[];
  /** Nonces that POSTs carried. */
  readonly nonces: string[];
  /** Answers to the next requests of a path, before `fallback`. */
  readonly next: (path: string, ...answers: readonly StandInAnswer[]) => void;
  readonly stop: () => Promise<void>;
}

interface Jws {
  readonly protected: string;
  readonly payload: string;
}

const decode = (part: string): unknown => JSON.parse(Buffer.from(part, 'base64url').toString()) as unknown;

/** `fallback` answers by path; a path without an answer is 404. */
export async function startAcmeStandIn(
  fallback: (base: string) => Readonly<Record<string, StandInAnswer>>,
): Promise<AcmeStandIn> {
  const ca = await makeCa('ACME');
  const leaf = await ca.issue({ names: ['localhost'] });
  const [requests, payloads, nonces, queued]: [string[], unknown[], string[], Map<string, StandInAnswer[]>] = [
    [],
    [],
    [],
    new Map(),
  ];
  let base = '';
  let count = 0;
  const answer = (path: string): StandInAnswer => {
    const queue = queued.get(path);
    const directory = {
      newNonce: `${base}/nonce`,
      newAccount: `${base}/account`,
      newOrder: `${base}/new-order`,
      revokeCert: `${base}/revoke`,
      renewalInfo: `${base}/renewal-info`,
    };
    const usual = { '/dir': { body: directory }, '/nonce': {}, ...fallback(base) };
    return (
      queue?.shift() ?? usual[path as keyof typeof usual] ?? { status: 404, body: problem('malformed', 'not found') }
    );
  };
  const server: Server = createServer(
    { key: leaf.key, cert: leaf.cert + ca.intermediate.cert },
    (request, response) => {
      void text(request).then((body) => {
        const path = request.url ?? '';
        requests.push(`${request.method} ${path}`);
        if (request.method === 'POST') {
          const jws = JSON.parse(body) as Jws;
          payloads.push(jws.payload === '' ? undefined : decode(jws.payload));
          nonces.push((decode(jws.protected) as { nonce: string }).nonce);
        }
        const { status = 200, headers = {}, body: content } = answer(path);
        const type = {
          'content-type': typeof content === 'string' ? 'application/pem-certificate-chain' : 'application/json',
        };
        response.writeHead(status, { ...type, 'replay-nonce': `nonce-${++count}`, ...headers });
        response.end(typeof content === 'string' || content === undefined ? content : JSON.stringify(content));
      });
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `https://localhost:${(server.address() as AddressInfo).port}`;
  const stop = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  const next: AcmeStandIn['next'] = (path, ...answers) =>
    queued.set(path, [...(queued.get(path) ?? []), ...answers]) && undefined;
  return { directoryUrl: `${base}/dir`, caBundle: ca.root.cert, requests, payloads, nonces, next, stop };
}

export function problem(type: string, detail: string, more: object = {}): object {
  return { type: `urn:ietf:params:acme:error:${type}`, detail, ...more };
}
