/** Cloudflare's DNS by its API, version 4. Source: https://developers.cloudflare.com/api/resources/dns/subresources/records/ */
import { capabilitiesOf } from '../../api/capabilities.ts';
import type { DNSProviderSpec } from '../../api/types.ts';
import { isWithin } from '../../dns/names.ts';
import { MailsealError } from '../../errors.ts';
import type { MayWrite } from '../../kube/guard.ts';
import { connectCloudflare } from './cloudflare-api.ts';
import { unreadable } from './cloudflare-failure.ts';
import { type Row, batchesOf, operationsAtMost, operationsFor, setsOf } from './cloudflare-records.ts';
import { stillStands } from './compare.ts';
import { credential, stalled } from './credentials.ts';
import type { Credentials, ProviderParts } from './index.ts';
import { createLimiter, type Limiter } from './limiter.ts';
import type { CallRate, Provider, RecordChange, SetKey } from './provider.ts';
import { callByCall, changesText } from './refusal.ts';

export interface CloudflareOptions {
  /** Of the API, with its version. */
  readonly endpoint: string;
  readonly token: string;
  /** Milliseconds for each answer. Default 30000. */
  readonly timeoutMs?: number | undefined;
  /** Asked right before each call that changes something. */
  readonly mayWrite?: MayWrite | undefined;
  /** Of HTTP calls. Default `httpRate`. */
  readonly rate?: CallRate;
  /** Default: one of its own. */
  readonly limiterFor?: ((rate: CallRate) => Limiter) | undefined;
}

/**
 * 1200 calls in any five minutes shut all of a user out for five more: this is at most 1100, and leaves some to people
 * at the dashboard. Source: https://developers.cloudflare.com/fundamentals/api/reference/limits/
 */
export const httpRate: CallRate = { atOnce: 4, perSecond: 3, burst: 200 };

/** Operations in a batch; paid plans take 3500. Source: Cloudflare's docs, "Batch record changes". */
const operationsPerBatch = 200;

/** Records that a page of a whole zone holds: as many as the API gives. */
const perZonePage = 5000;
/** More names sought than this are worth one such page; so the change of one domain never reads the zone. */
const namesPerZonePage = 10;

/** A zone with no more records than that is read whole for more than one name: it is a page of the API's usual size. */
const smallZone = 100;

/** Records at one name beyond which it is asked for its next page. */
const perNamePage = 500;
/** No name has as many records as these hold: who goes on counting is not Cloudflare. */
const mostNamePages = 20;

/** Where the endpoint is not told. */
const ownEndpoint = 'https://api.cloudflare.com/client/v4';

const tokenKey = 'api-token';

/** The provider that a spec describes; throws as `createProvider` does. */
export function fromSpec(
  { endpoint = ownEndpoint, plainHttp }: NonNullable<DNSProviderSpec['cloudflare']>,
  credentials: Credentials,
  { timeoutMs, mayWrite, limiterFor }: Pick<ProviderParts, 'timeoutMs' | 'mayWrite' | 'limiterFor'>,
): Provider {
  const url = URL.parse(endpoint);
  const permitted = url?.protocol === 'https:' || (url?.protocol === 'http:' && plainHttp === true);
  if (url === null || !permitted || url.username !== '' || url.search !== '' || url.hash !== '')
    throw stalled('InvalidSpec', 'spec.cloudflare.endpoint is not an https URL without user, query and fragment');
  const token = credential(credentials, tokenKey, 'an API token of Cloudflare');
  if (!/^[\w.~+/=-]{1,512}$/.test(token))
    throw stalled('CredentialsInvalid', `"${tokenKey}" of the credentials Secret is not an API token and nothing else`);
  return createCloudflare({ endpoint, token, timeoutMs, mayWrite, limiterFor });
}

/** Runs what concerns one zone one after the other, and what concerns different zones side by side. */
function inTurn(): <T>(zone: string, run: () => Promise<T>) => Promise<T> {
  const last = new Map<string, Promise<unknown>>();
  return async (zone, run) => {
    const before = last.get(zone) ?? Promise.resolve();
    const turn = before.then(run, run);
    last.set(zone, turn);
    try {
      return await turn;
    } finally {
      if (last.get(zone) === turn) last.delete(zone);
    }
  };
}

/** The provider for one token. It keeps the ids of zones, and how large a zone was, and nothing else. */
export function createCloudflare(options: CloudflareOptions): Provider {
  const { endpoint, token, timeoutMs = 30_000, mayWrite, rate = httpRate, limiterFor = createLimiter } = options;
  const api = connectCloudflare({ endpoint, token, timeoutMs, limiter: limiterFor(rate) });
  const ids = new Map<string, Promise<string>>();
  const zoneSizes = new Map<string, number>();
  const alone = inTurn();

  const idOf = (zone: string): Promise<string> => {
    const id = ids.get(zone) ?? api.zoneId(zone);
    ids.set(zone, id);
    id.catch(() => ids.get(zone) === id && ids.delete(zone));
    return id;
  };
  /** With the zone's id; where that has grown old, once more with the zone's new one. */
  const inZone = async <T>(zone: string, ask: (id: string) => Promise<T>): Promise<T> => {
    const known = ids.has(zone);
    const id = await idOf(zone);
    try {
      return await ask(id);
    } catch (error) {
      const gone = error instanceof MailsealError && ['ZoneNotFound', 'ProviderUnauthorized'].includes(error.reason);
      if (gone) ids.delete(zone);
      if (!gone || !known) throw error;
      return await ask(await idOf(zone));
    }
  };

  const atName = async (zone: string, id: string, name: string): Promise<readonly Row[]> => {
    const rows = new Map<string, Row>();
    for (let page = 1, seen = 0; page <= mostNamePages; page += 1) {
      const one = await api.page(zone, id, { name, page, perPage: perNamePage });
      for (const row of one.rows) rows.set(row.id, row);
      seen += one.count;
      if (seen >= one.total) return [...rows.values()];
      if (one.count === 0) throw unreadable('fewer records than it counts');
    }
    const message = `Cloudflare shows more than ${mostNamePages * perNamePage} records at ${name}: too many to read`;
    throw new MailsealError('ProviderUnavailable', message);
  };
  /** By all pages of the zone; undefined where so many are not worth it. */
  const inWholeZone = async (
    zone: string,
    id: string,
    names: readonly string[],
  ): Promise<readonly Row[] | undefined> => {
    const largePages = Math.ceil(names.length / namesPerZonePage) - 1;
    const [mostPages, perPage] = largePages > 0 ? [largePages, perZonePage] : [names.length > 1 ? 1 : 0, smallZone];
    const sought = new Set(names);
    const rows = new Map<string, Row>();
    if ((zoneSizes.get(zone) ?? 0) > mostPages * perPage) return undefined;
    for (let page = 1, seen = 0; page <= mostPages; page += 1) {
      const one = await api.page(zone, id, { page, perPage });
      // A record that came or went moved others from page to page, and one may have been missed.
      const moved = page > 1 && one.total !== zoneSizes.get(zone);
      zoneSizes.set(zone, one.total);
      if (moved || one.total > mostPages * perPage) return undefined;
      for (const row of one.rows) if (sought.has(row.name)) rows.set(row.id, row);
      seen += one.count;
      if (seen >= one.total) return [...rows.values()];
    }
    return undefined;
  };
  /** The API takes one name a call. A few calls at a time, and none after one that failed. */
  const namesOneByOne = async (zone: string, id: string, names: readonly string[]): Promise<readonly Row[]> => {
    const left = [...names];
    const rows: Row[] = [];
    const work = async (): Promise<void> => {
      for (let name = left.shift(); name !== undefined; name = left.shift()) {
        try {
          rows.push(...(await atName(zone, id, name)));
        } catch (error) {
          left.length = 0;
          throw error;
        }
      }
    };
    await Promise.all(Array.from({ length: rate.atOnce }, work));
    return rows;
  };
  const look = async (zone: string, sought: readonly SetKey[]): Promise<readonly Row[]> => {
    const stray = sought.find(({ name }) => !isWithin(name, zone));
    if (stray !== undefined) throw new MailsealError('ProviderRefused', `${stray.name} is not in the zone ${zone}`);
    const names = [...new Set(sought.map(({ name }) => name))];
    if (names.length === 0) return [];
    return inZone(zone, async (id) => (await inWholeZone(zone, id, names)) ?? (await namesOneByOne(zone, id, names)));
  };

  const write = async (zone: string, changes: readonly RecordChange[]): Promise<void> => {
    const rows = await look(zone, changes);
    await stillStands(async (zone, sought) => setsOf(rows, zone, sought), zone, changes);
    const operations = changes.map((change) => operationsFor(change, rows));
    const id = await idOf(zone);
    const attempt = { zone, writes: changesText(changes) };
    await callByCall(batchesOf(operations, operationsPerBatch), (batch) =>
      api.batch(attempt, id, batch, () => mayWrite?.()),
    );
  };

  return {
    capabilities: capabilitiesOf.cloudflare,
    // Of lists and writes, which make several calls each; those have a pace of their own.
    rate: { atOnce: rate.atOnce },
    share: (change) => operationsAtMost(change) / operationsPerBatch,
    list: async (zone, sought) => setsOf(await look(zone, sought), zone, sought),
    apply: (zone, changes) => (changes.length === 0 ? Promise.resolve() : alone(zone, () => write(zone, changes))),
  };
}
