/**
 * A webhook provider of external-dns over any store of records, strict about the protocol: what external-dns itself would
 * not send is refused with 400. Source: external-dns, `api/webhook.yaml`.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface Endpoint {
  readonly dnsName: string;
  readonly recordType: string;
  readonly targets: readonly string[];
  readonly recordTTL?: number;
  readonly setIdentifier?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface RecordStore {
  readonly records: () => Promise<readonly Endpoint[]>;
  /** One record set. Rejects where `before` does not stand so. */
  readonly write: (before: Endpoint | undefined, after: Endpoint | undefined) => Promise<void>;
}

interface Call {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
}

/** Deals with a call in another way than the protocol's; false leaves it to the server. */
type Fault = (call: Call, response: ServerResponse) => boolean | Promise<boolean>;

export interface Webhook {
  readonly url: string;
  /** All calls so far, in order. */
  readonly calls: readonly Call[];
  /** Asked about each call, until it has dealt with one. */
  readonly faultOnce: (fault: Fault) => void;
  /** The next write ends after its first change. */
  readonly failHalfway: () => void;
  /** The next write is made, and its answer lost. */
  readonly loseAnswer: () => void;
  /** The next call is told to come back in 7 seconds. */
  readonly throttle: () => void;
  readonly stop: () => Promise<void>;
}

export interface WebhookOptions extends RecordStore {
  readonly include: readonly string[];
  readonly exclude?: readonly string[];
  /** What becomes of endpoints at `/adjustendpoints`. */
  readonly adjust?: (endpoints: readonly Endpoint[]) => readonly Endpoint[];
  readonly tls?: { readonly key: string; readonly cert: string };
}

const mediaType = 'application/external.dns.webhook+json;version=1';
const lists = ['create', 'updateOld', 'updateNew', 'delete'] as const;
type Changes = Readonly<Record<(typeof lists)[number], readonly Endpoint[]>>;

class BadRequest extends Error {}

function check(holds: boolean, what: string): asserts holds {
  if (!holds) throw new BadRequest(what);
}

function checkEndpoints(value: unknown): asserts value is readonly Endpoint[] {
  check(Array.isArray(value), 'a list of endpoints is no list');
  for (const one of value as readonly Partial<Endpoint>[]) {
    check(typeof one.dnsName === 'string' && !one.dnsName.endsWith('.'), 'dnsName');
    check(['A', 'AAAA', 'CNAME', 'TXT'].includes(one.recordType ?? ''), `recordType ${one.recordType}`);
    check(Array.isArray(one.targets) && one.targets.length > 0, `targets of ${one.dnsName}`);
    check(one.recordTTL === undefined || Number.isInteger(one.recordTTL), `recordTTL of ${one.dnsName}`);
  }
}

function checkChanges(value: unknown): asserts value is Changes {
  const body = value as Changes;
  check(
    Object.keys(body).every((key) => (lists as readonly string[]).includes(key)),
    'an unknown list of changes',
  );
  for (const key of lists) checkEndpoints(body[key]);
  check(body.updateOld.length === body.updateNew.length, 'updateOld and updateNew are no pairs');
  for (const [at, { dnsName, recordType }] of body.updateOld.entries()) {
    const next = body.updateNew[at];
    check(next?.dnsName === dnsName && next.recordType === recordType, `updateNew of ${dnsName}`);
  }
}

/** In external-dns's own order: what goes makes room for what comes. */
const stepsOf = (body: Changes): readonly (readonly [Endpoint | undefined, Endpoint | undefined])[] => [
  ...body.delete.map((one) => [one, undefined] as const),
  ...body.updateOld.map((one, at) => [one, body.updateNew[at]] as const),
  ...body.create.map((one) => [undefined, one] as const),
];

export async function startWebhook(options: WebhookOptions): Promise<Webhook> {
  const calls: Call[] = [];
  const faults: Fault[] = [];
  let isHalf = false;

  const write = async (body: unknown): Promise<void> => {
    checkChanges(body);
    for (const [before, after] of stepsOf(body)) {
      await options.write(before, after);
      if (!isHalf) continue;
      isHalf = false;
      throw new Error('failed halfway');
    }
  };
  const answer = (response: ServerResponse, value: unknown): void => {
    response.writeHead(200, { 'content-type': mediaType, vary: 'Content-Type' }).end(JSON.stringify(value));
  };
  const serve = async (call: Call, request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method, path, body } = call;
    check(request.headers.accept === mediaType, 'Accept');
    if (method === 'POST') check(request.headers['content-type'] === mediaType, 'Content-Type');
    switch (`${method} ${path}`) {
      case 'GET /':
        return answer(response, { include: options.include, exclude: options.exclude });
      case 'GET /records':
        return answer(response, await options.records());
      case 'POST /adjustendpoints':
        checkEndpoints(body);
        return answer(response, (options.adjust ?? ((all) => all))(body));
      case 'POST /records':
        await write(body);
        return void response.writeHead(204).end();
      default:
        return void response.writeHead(404).end();
    }
  };
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const sent = await text(request);
    const body = sent === '' ? undefined : (JSON.parse(sent) as unknown);
    const call = { method: request.method ?? '', path: request.url ?? '', body };
    calls.push(call);
    for (const [at, fault] of faults.entries()) {
      if (!(await fault(call, response))) continue;
      faults.splice(at, 1);
      return;
    }
    try {
      await serve(call, request, response);
    } catch (error) {
      const words = error instanceof Error ? error.message : String(error);
      response.writeHead(error instanceof BadRequest ? 400 : 500, { 'content-type': 'text/plain' }).end(words);
    }
  };
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => void take(request, response);
  const server = options.tls === undefined ? createServer(onRequest) : createTlsServer(options.tls, onRequest);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  const isWrite = ({ method, path }: Call): boolean => method === 'POST' && path === '/records';
  return {
    url: `${options.tls === undefined ? 'http' : 'https'}://localhost:${port}`,
    calls,
    faultOnce: (fault) => void faults.push(fault),
    failHalfway: () => {
      isHalf = true;
    },
    loseAnswer: () => {
      faults.push(async (call, response) => {
        if (!isWrite(call)) return false;
        await write(call.body);
        response.destroy();
        return true;
      });
    },
    throttle: () => {
      faults.push((_call, response) => {
        response.writeHead(429, { 'retry-after': '7' }).end();
        return true;
      });
    },
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
