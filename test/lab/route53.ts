/**
 * Route 53 for tests: moto keeps zones and records, and in front of it stands what moto lacks and the real one does:
 * its order of names, all that it refuses (`route53-rules.ts`), changes that are pending for a while, credentials, and
 * too many calls. What the real one can be made to do only by chance has a switch.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import type { RecordSet } from '../../src/dns/rrset.ts';
import { quoteTxt } from '../../src/dns/txt.ts';
import { startMoto } from './moto.ts';
import { createHands, recordSets } from './route53-hands.ts';
import { inOrder, judge, keyOf, overLimit, place, stored } from './route53-rules.ts';
import {
  type ApiSet,
  changeXml,
  element,
  errorXml,
  pageXml,
  readChanges,
  refusedXml,
  zonesXml,
} from './route53-xml.ts';

export interface Route53 {
  readonly url: string;
  /** The credentials that it knows, as the Secret has them. */
  readonly credentials: Readonly<Record<string, string>>;
  /** The token of the cluster that it gives a role for, as to pods with IRSA. */
  readonly webToken: string;
  readonly createZone: (name: string, isPrivate?: boolean) => Promise<string>;
  readonly removeZone: (name: string) => Promise<void>;
  /** Writes past all rules; a set without values and alias goes. */
  readonly put: (zone: string, sets: readonly ApiSet[]) => Promise<void>;
  /** Very many sets: only what stands in front of moto knows of them, for moto takes ever longer for each. */
  readonly hold: (zone: string, sets: readonly ApiSet[]) => void;
  readonly byHand: (zone: string, set: RecordSet) => Promise<void>;
  /** What moto holds, as Mailseal compares it. */
  readonly records: (zone: string) => Promise<readonly RecordSet[]>;
  readonly calls: () => { readonly reads: number; readonly writes: number };
  /** The access keys that are good, those of assumed roles among them. */
  readonly keys: () => readonly string[];
  /** The sizes of the batches that were made, in changes. */
  readonly batches: () => readonly number[];
  /** The next write is made, and its connection cut instead of an answer. */
  readonly loseAnswer: () => void;
  /** Of the writes from now on the one of this number, from 1, fails, and nothing of it is made. */
  readonly failWrite: (number: number) => void;
  /** The next call is one too many. */
  readonly throttle: (retryAfterSeconds: number) => void;
  /** How long changes are pending from now on (a second when never said), and whether another is refused meanwhile. */
  readonly pending: (ms: number, refuse: boolean) => void;
  readonly stop: () => Promise<void>;
}

interface Zone {
  /** With its final dot. */
  readonly name: string;
  sets: ReadonlyMap<string, ApiSet>;
  busyUntil: number;
  isWriting: boolean;
}

interface Reply {
  readonly status: number;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const ok = (body: string): Reply => ({ status: 200, body });
const refused = (status: number, code: string, message: string): Reply => ({ status, body: errorXml(code, message) });

/** `dir` is for moto's log. */
export async function startRoute53(dir: string): Promise<Route53> {
  const moto = await startMoto(dir);
  const hands = createHands(moto.url);
  const credentials = { 'access-key-id': 'AKIALABLABLABLABLABL', 'secret-access-key': 'lab-secret' };
  const webToken = 'lab-web-identity';
  const accessKeys = new Set([credentials['access-key-id']]);
  const zones = new Map<string, Zone>();
  const changes = new Map<string, number>();
  const batches: number[] = [];
  const counts = { reads: 0, writes: 0 };
  let lose = false;
  let untilFailure = 0;
  let retryAfter: number | undefined;
  let pending = { ms: 1000, refuse: false };

  const zoneBy = (name: string): readonly [string, Zone] => {
    const found = [...zones].find(([, zone]) => zone.name === `${name}.`);
    if (found === undefined) throw new Error(`no zone ${name} was created`);
    return found;
  };

  const page = (zone: Zone, query: URLSearchParams): Reply => {
    const most = Math.min(300, Number(query.get('maxitems') ?? 300));
    const [name, type, identifier] = ['name', 'type', 'identifier'].map((key) => query.get(key) ?? '');
    if (type !== '' && name === '') return refused(400, 'InvalidInput', 'The input is not valid');
    const start = [place(name ?? '').toLowerCase(), type ?? '', identifier ?? ''] as const;
    const isBefore = (set: ApiSet): boolean => {
      const own = [place(set.name), set.type, set.identifier ?? ''] as const;
      const at = own.findIndex((part, index) => part !== start[index]);
      return at >= 0 && (own[at] ?? '') < (start[at] ?? '');
    };
    const sets = inOrder(zone.sets.values()).filter((set) => !isBefore(set));
    return ok(pageXml(sets.slice(0, most), sets[most], most));
  };

  const change = async (id: string, zone: Zone, body: string): Promise<Reply> => {
    const isBusy = zone.isWriting || (pending.refuse && Date.now() < zone.busyUntil);
    if (isBusy)
      return refused(
        400,
        'PriorRequestNotComplete',
        'The request was rejected because Route 53 was still processing a prior request.',
      );
    const asked = readChanges(body);
    const over = overLimit(asked);
    const verdict = over === undefined ? judge(zone.name, zone.sets, asked) : { refused: [over] };
    if ('refused' in verdict) return { status: 400, body: refusedXml(verdict.refused) };
    zone.isWriting = true;
    try {
      // A deletion in the order in which moto was told what stands.
      await hands.write(
        id,
        asked.map(({ action, set }) => ({
          action,
          set: action === 'DELETE' ? (zone.sets.get(keyOf(stored(set))) ?? set) : stored(set),
        })),
      );
    } finally {
      zone.isWriting = false;
    }
    zone.sets = verdict.sets;
    zone.busyUntil = Date.now() + pending.ms;
    batches.push(asked.length);
    const changeId = `C${changes.size}`;
    changes.set(changeId, zone.busyUntil);
    return ok(changeXml('ChangeResourceRecordSetsResponse', changeId, true));
  };

  const listZones = async (query: URLSearchParams): Promise<Reply> => {
    const from = query.get('dnsname') ?? '';
    const all = (await hands.zones()).map((xml) => [place(element(xml, 'Name') ?? ''), xml] as const);
    const sorted = all.filter(([at]) => at >= place(from)).sort(([a], [b]) => (a < b ? -1 : 1));
    return ok(
      zonesXml(
        sorted.map(([, xml]) => xml),
        from,
        Math.min(100, Number(query.get('maxitems') ?? 100)),
      ),
    );
  };

  /** All else, such as the assuming of a role; whose keys are good from then on. */
  const passOn = async (request: IncomingMessage, body: string): Promise<Reply> => {
    const { authorization = '', 'content-type': type = '' } = request.headers;
    const signed = authorization === '' ? {} : { authorization };
    const init = { method: request.method ?? 'GET', headers: { ...signed, 'content-type': type } };
    const answer = await fetch(`${moto.url}${request.url}`, { ...init, ...(body === '' ? {} : { body }) });
    const said = await answer.text();
    const key = element(said, 'AccessKeyId');
    if (key !== undefined) accessKeys.add(key);
    return { status: answer.status, body: said };
  };

  const answer = async (request: IncomingMessage, body: string): Promise<Reply> => {
    const url = new URL(request.url ?? '/', moto.url);
    const isWrite = request.method === 'POST' && url.pathname.startsWith('/2013');
    counts[isWrite ? 'writes' : 'reads'] += 1;
    const key = /Credential=([^/]+)\//.exec(request.headers.authorization ?? '')?.[1] ?? '';
    const asked = new URLSearchParams(body);
    // It is not signed: the token is what tells who asks.
    const isByToken = asked.get('Action') === 'AssumeRoleWithWebIdentity';
    if (isByToken && asked.get('WebIdentityToken') !== webToken)
      return refused(400, 'InvalidIdentityToken', 'The web identity token that was passed could not be validated');
    if (!isByToken && !accessKeys.has(key))
      return refused(403, 'InvalidClientTokenId', 'The security token included in the request is invalid.');
    if (retryAfter !== undefined) {
      const headers = { 'retry-after': String(retryAfter) };
      retryAfter = undefined;
      return { ...refused(400, 'Throttling', 'Rate exceeded'), headers };
    }
    if (url.pathname === '/2013-04-01/hostedzonesbyname') return listZones(url.searchParams);
    const [, what, id = '', part] =
      /^\/2013-04-01\/(hostedzone|change)\/([^/]+)(\/rrset)?\/?$/.exec(url.pathname) ?? [];
    if (what === 'change') return ok(changeXml('GetChangeResponse', id, Date.now() < (changes.get(id) ?? 0)));
    if (part === undefined) return passOn(request, body);
    const zone = zones.get(id);
    if (zone === undefined) return refused(404, 'NoSuchHostedZone', `No hosted zone found with ID: ${id}`);
    if (isWrite && untilFailure > 0 && --untilFailure === 0) return refused(500, 'InternalFailure', 'We failed.');
    return isWrite ? change(id, zone, body) : page(zone, url.searchParams);
  };

  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const reply = await answer(request, await text(request)).catch((error: unknown) =>
      refused(500, 'InternalFailure', String(error)),
    );
    if (lose && request.method === 'POST' && reply.status === 200) {
      lose = false;
      request.socket.destroy();
      return;
    }
    response.writeHead(reply.status, { 'content-type': 'text/xml', ...reply.headers });
    response.end(reply.body);
  };
  const server = createServer((request, response) => void respond(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { readonly port: number };

  const put: Route53['put'] = async (name, given) => {
    const [id, zone] = zoneBy(name);
    const sets = new Map(zone.sets);
    const all = given.map(stored).flatMap((set) => {
      const standing = sets.get(keyOf(set));
      const isGone = set.values.length === 0 && set.alias === undefined;
      if (isGone) sets.delete(keyOf(set));
      else sets.set(keyOf(set), set);
      if (!isGone) return [{ action: 'UPSERT', set }];
      return standing === undefined ? [] : [{ action: 'DELETE', set: standing }];
    });
    await hands.write(id, all);
    zone.sets = sets;
  };

  return {
    url: `http://127.0.0.1:${port}`,
    credentials,
    webToken,
    createZone: async (name, isPrivate = false) => {
      const id = await hands.createZone(name, isPrivate);
      const sets = new Map((await hands.read(id)).map((set) => [keyOf(set), set]));
      zones.set(id, { name: `${name}.`, sets, busyUntil: 0, isWriting: false });
      return id;
    },
    removeZone: async (name) => {
      const [id] = zoneBy(name);
      await hands.removeZone(id);
      zones.delete(id);
    },
    put,
    hold: (name, given) => {
      const [, zone] = zoneBy(name);
      zone.sets = new Map([...zone.sets.values(), ...given.map(stored)].map((set) => [keyOf(set), set]));
    },
    byHand: (zone, { name, type, ttl, values }) =>
      put(zone, [{ name, type, ttl, values: values.map((value) => (type === 'TXT' ? quoteTxt(value) : value)) }]),
    records: async (name) => recordSets(await hands.read(zoneBy(name)[0])),
    calls: () => ({ ...counts }),
    keys: () => [...accessKeys],
    batches: () => [...batches],
    loseAnswer: () => void (lose = true),
    failWrite: (number) => void (untilFailure = number),
    throttle: (seconds) => void (retryAfter = seconds),
    pending: (ms, refuse) => void (pending = { ms, refuse }),
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await moto.stop();
    },
  };
}
