/**
 * Cloudflare's API behind a socket, as far as Mailseal needs it, and stricter than the real one wherever that is
 * lenient: zones by name, DNS records by name and by page, batches. Written from its published description:
 * https://developers.cloudflare.com/api/resources/zones/methods/list/ and
 * https://developers.cloudflare.com/api/resources/dns/subresources/records/.
 */
import { type IncomingMessage, type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { Refusal, refusal } from './refusal.ts';
import { createThrottle, tooMany } from './throttle.ts';
import { type Zone, type ZoneOptions, createZone, newId } from './zone.ts';

/** One call and its answer, as they went over the wire. */
export interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly body: unknown;
  readonly status: number;
  readonly answer: unknown;
}

export interface CloudflareStandIn {
  readonly endpoint: string;
  /** May do everything. */
  readonly token: string;
  /** May read everything, and change nothing. */
  readonly readingToken: string;
  readonly zone: (name: string) => Zone;
  readonly addZone: (name: string, options?: Partial<ZoneOptions>) => Zone;
  readonly removeZone: (name: string) => void;
  readonly calls: () => { readonly reads: number; readonly writes: number };
  readonly exchanges: Exchange[];
  /** The next write is made, and its answer lost. */
  readonly loseAnswer: () => void;
  /** The next call is told to come back. */
  readonly throttle: (seconds: number) => void;
  /** The next call is answered with this, and nothing is done. */
  readonly answerNext: (status: number, body: string, contentType?: string) => void;
  /** Is run once, when the call of this number has arrived, of all from 1. */
  readonly beforeCall: (number: number, run: () => void) => void;
  /** Is run once, when the next write has arrived, before it is looked at. */
  readonly beforeNextWrite: (run: () => void) => void;
  readonly stop: () => Promise<void>;
}

/** `now` in milliseconds since 1970, by which calls are counted. */
export async function startCloudflare(now: () => number = Date.now): Promise<CloudflareStandIn> {
  const zones = new Map<string, Zone>();
  const [token, readingToken] = [`edit-${newId()}`, `read-${newId()}`];
  const throttle = createThrottle(now);
  const exchanges: Exchange[] = [];
  const counts = { reads: 0, writes: 0 };
  const due = new Map<number, () => void>();
  const next: { lose: boolean; pause?: number; answer?: readonly [number, string, string]; write?: () => void } = {
    lose: false,
  };

  const authorise = (request: IncomingMessage, writes: boolean): void => {
    const header = request.headers.authorization;
    const given = /^Bearer ([\w-]+)$/.exec(header ?? '')?.[1];
    if (given === undefined) {
      const chain = [{ code: 6111, message: 'Invalid format for Authorization header' }];
      throw new Refusal(400, [{ code: 6003, message: 'Invalid request headers', error_chain: chain }]);
    }
    if (given !== token && given !== readingToken) throw refusal(403, 9109, 'Invalid access token');
    if (writes && given !== token) throw refusal(403, 10_000, 'Authentication error');
  };
  const zoneOf = (id: string): Zone => {
    const found = [...zones.values()].find((zone) => zone.id === id);
    if (found !== undefined) return found;
    const message = `Could not route to /client/v4/zones/${id}/dns_records, perhaps your object identifier is invalid?`;
    throw new Refusal(404, [
      { code: 7003, message },
      { code: 7000, message: 'No route for that URI' },
    ]);
  };

  const route = (method: string, path: string, query: URLSearchParams, body: string): unknown => {
    const [, id, batch] = /^\/client\/v4\/zones\/([^/]+)\/dns_records(\/batch)?$/.exec(path) ?? [];
    if (method === 'GET' && path === '/client/v4/zones') return listZones([...zones.values()], query, now);
    if (method === 'GET' && id !== undefined && batch === undefined) return listRecords(zoneOf(id), query);
    if (method === 'POST' && id !== undefined && batch !== undefined) return { result: zoneOf(id).batch(parse(body)) };
    throw refusal(405, 10_405, 'Method not allowed for this authentication scheme');
  };
  const answer = (
    request: IncomingMessage,
    url: URL,
    body: string,
  ): { status: number; answer: unknown; headers: object } => {
    try {
      const writes = request.method !== 'GET';
      if (next.pause !== undefined) {
        const { pause } = next;
        delete next.pause;
        throw tooMany(pause);
      }
      throttle.take();
      authorise(request, writes);
      if (writes) {
        next.write?.();
        delete next.write;
      }
      const result = route(request.method ?? '', url.pathname, url.searchParams, body) as object;
      return { status: 200, answer: { success: true, errors: [], messages: [], ...result }, headers: {} };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const { status, complaints, headers } = error;
      return { status, answer: { success: false, errors: complaints, messages: [], result: null }, headers };
    }
  };

  const server: Server = createServer((request, response) => {
    void text(request).then((body) => {
      const url = new URL(request.url ?? '', 'http://localhost');
      const writes = request.method !== 'GET';
      counts[writes ? 'writes' : 'reads'] += 1;
      due.get(counts.reads + counts.writes)?.();
      const instead = next.answer;
      delete next.answer;
      if (instead !== undefined) {
        const [status, words, contentType] = instead;
        return void response.writeHead(status, { 'content-type': contentType }).end(words);
      }
      const { status, answer: said, headers } = answer(request, url, body);
      const query = Object.fromEntries(url.searchParams);
      const asked = {
        method: request.method ?? '',
        path: url.pathname,
        query,
        body: body === '' ? undefined : parse(body),
      };
      exchanges.push({ ...asked, status, answer: said });
      if (writes && next.lose) {
        next.lose = false;
        return void request.socket.destroy();
      }
      response.writeHead(status, { 'content-type': 'application/json', ...throttle.headers(), ...headers });
      response.end(JSON.stringify(said));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}/client/v4`,
    token,
    readingToken,
    zone: (name) => {
      const zone = zones.get(name);
      if (zone === undefined) throw new Error(`the stand-in holds no zone ${name}`);
      return zone;
    },
    addZone: (name, options = {}) => {
      const zone = createZone({ now, ...options, name });
      zones.set(name, zone);
      return zone;
    },
    removeZone: (name) => void zones.delete(name),
    calls: () => ({ ...counts }),
    exchanges,
    loseAnswer: () => void (next.lose = true),
    throttle: (seconds) => void (next.pause = seconds),
    answerNext: (status, body, contentType = 'application/json') => void (next.answer = [status, body, contentType]),
    beforeCall: (number, run) => void due.set(number, run),
    beforeNextWrite: (run) => void (next.write = run),
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body) as unknown;
  } catch {
    throw refusal(400, 9207, 'Request body is invalid.');
  }
}

/** One page of `items`, with its `result_info`; throws a Refusal. */
function paged<T>(
  items: readonly T[],
  query: URLSearchParams,
  size: { usual: number; least: number; most: number },
): object {
  const number = (key: string, usual: number, least: number, most: number): number => {
    const given = query.get(key);
    if (given === null) return usual;
    if (!/^[0-9]{1,9}$/.test(given) || Number(given) < least || Number(given) > most)
      throw refusal(400, 9211, `${key} must be between ${least} and ${most}.`);
    return Number(given);
  };
  const perPage = number('per_page', size.usual, size.least, size.most);
  const page = number('page', 1, 1, 1_000_000);
  const result = items.slice((page - 1) * perPage, page * perPage);
  const pages = Math.ceil(items.length / perPage);
  const info = { page, per_page: perPage, count: result.length, total_count: items.length, total_pages: pages };
  return { result, result_info: info };
}

function onlyKnown(query: URLSearchParams, known: readonly string[]): void {
  const unknown = [...query.keys()].find((key) => !known.includes(key));
  if (unknown !== undefined) throw refusal(400, 9212, `${unknown} is no parameter.`);
}

function listRecords(zone: Zone, query: URLSearchParams): object {
  onlyKnown(query, ['name.exact', 'type', 'order', 'direction', 'page', 'per_page']);
  const [name, type] = [query.get('name.exact')?.toLowerCase(), query.get('type')];
  if (!['name', null].includes(query.get('order'))) throw refusal(400, 9212, 'This stand-in orders by name.');
  const found = name === undefined ? zone.records() : zone.at(name);
  return paged(
    found.filter((record) => type === null || record.type === type),
    query,
    { usual: 100, least: 1, most: 5000 },
  );
}

function listZones(zones: readonly Zone[], query: URLSearchParams, now: () => number): object {
  onlyKnown(query, ['name', 'order', 'direction', 'page', 'per_page']);
  const name = query.get('name');
  if (!['name', null].includes(query.get('order'))) throw refusal(400, 9212, 'This stand-in orders by name.');
  const time = new Date(now()).toISOString();
  const found = zones
    .filter((zone) => name === null || zone.shownAs === name)
    .toSorted((a, b) => (a.shownAs < b.shownAs ? -1 : 1));
  const described = found.map((zone) => ({
    id: zone.id,
    name: zone.shownAs,
    status: 'active',
    type: 'full',
    paused: false,
    account: { id: 'a'.repeat(32), name: 'ours' },
    owner: { id: 'a'.repeat(32), name: 'ours', type: 'organization' },
    plan: {},
    meta: {},
    development_mode: 0,
    name_servers: ['a.ns.example', 'b.ns.example'],
    original_name_servers: null,
    original_registrar: null,
    original_dnshost: null,
    activated_on: time,
    created_on: time,
    modified_on: time,
  }));
  return paged(described, query, { usual: 20, least: 5, most: 50 });
}
