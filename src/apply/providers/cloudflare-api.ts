/** The few calls of Cloudflare's API that Mailseal makes, each paced, bounded, and with its failures named. */
import { BaseRecords } from 'cloudflare/resources/dns/records';
import { BaseZones } from 'cloudflare/resources/zones/zones';
import { createClient } from 'cloudflare/tree-shakable';
import { toALabel } from '../../dns/names.ts';
import { isRecord } from '../../kube/error.ts';
import { fetchUpTo } from './cloudflare-fetch.ts';
import { type Attempt, failureOf, unreadable } from './cloudflare-failure.ts';
import { type Operations, type Row, rowOf } from './cloudflare-records.ts';
import { type ListedZone, createZoneIds } from './cloudflare-zones.ts';
import type { Limiter } from './limiter.ts';

export interface ApiOptions {
  readonly endpoint: string;
  readonly token: string;
  /** Milliseconds for each whole answer. */
  readonly timeoutMs: number;
  /** For each call. */
  readonly limiter: Limiter;
}

/** Some of a zone's records that a filter fits, in the server's order. */
export interface Page {
  readonly rows: readonly Row[];
  /** Records on this page, those left out of `rows` with them. */
  readonly count: number;
  /** Records that the filter fits, on all pages. */
  readonly total: number;
}

export interface Asked {
  /** All names where it is absent. */
  readonly name?: string;
  /** From 1. */
  readonly page: number;
  /** At most 5000. */
  readonly perPage: number;
}

/** All of it rejects as `failureOf` says. */
export interface CloudflareApi {
  /** The id of a zone; rejects with `ZoneNotFound` where the token sees none of that name. */
  readonly zoneId: (zone: string) => Promise<string>;
  readonly page: (zone: string, id: string, asked: Asked) => Promise<Page>;
  /** All together or not at all. `mayWrite` is asked right before. */
  readonly batch: (attempt: Attempt, id: string, operations: Operations, mayWrite: () => void) => Promise<void>;
}

/** Of 5000 records with all that may be written on them; usual ones take a tenth. */
const mostBytes = 32 * 1024 * 1024;

/** As many as the API gives. */
const zonesAPage = 50;

const isId = (id: unknown): id is string => typeof id === 'string' && /^[0-9a-z]{1,32}$/i.test(id);

/** Undefined where it is no zone, or of a name that none of ours has. */
function zoneOf(shown: unknown): ListedZone | undefined {
  const { name, id, status }: { readonly [key in keyof ListedZone]?: unknown } = isRecord(shown) ? shown : {};
  const canonical = toALabel(String(name), { minLabels: 1, underscore: true });
  return canonical.ok && isId(id) ? { name: canonical.name, id, status } : undefined;
}

/** Opens no connection. */
export function connectCloudflare({ endpoint, token, timeoutMs, limiter }: ApiOptions): CloudflareApi {
  const client = createClient({
    resources: [BaseZones, BaseRecords],
    baseURL: endpoint.replace(/\/+$/, ''),
    apiToken: token,
    // Left out, the SDK looks for them in the environment.
    apiKey: null,
    apiEmail: null,
    userServiceKey: null,
    logLevel: 'off',
    // The caller waits and comes back; a write that may have been made is never made again unseen.
    maxRetries: 0,
    timeout: timeoutMs,
    fetch: fetchUpTo(mostBytes),
  });
  const call = async <T>(attempt: Attempt, run: () => Promise<T>): Promise<T> =>
    limiter.run(attempt.zone, async () => {
      try {
        return await run();
      } catch (error) {
        throw failureOf(error, attempt);
      }
    });

  type ZoneQuery = NonNullable<Parameters<typeof client.zones.list>[0]>;
  const zonesBy = (zone: string, query: ZoneQuery): Promise<readonly (ListedZone | undefined)[]> =>
    call({ zone, writes: undefined }, async () => {
      const { result, result_info: info } = await client.zones.list({ ...query, per_page: zonesAPage });
      if (!Array.isArray(result) || result.length > zonesAPage || info.page === undefined)
        throw unreadable('no list of zones');
      return result.map(zoneOf);
    });
  const zoneId = createZoneIds({
    named: async (zone, name) => (await zonesBy(zone, { name })).filter((one) => one !== undefined),
    page: async (zone, page) => {
      const zones = await zonesBy(zone, { order: 'name', direction: 'asc', page });
      return { zones: zones.filter((one) => one !== undefined), last: zones.length < zonesAPage };
    },
  });

  const page: CloudflareApi['page'] = (zone, id, { name, page, perPage }) =>
    call({ zone, writes: undefined }, async () => {
      const filter = name === undefined ? {} : { name: { exact: name } };
      const order = { order: 'name', direction: 'asc' } as const;
      const answer = await client.dns.records.list({ zone_id: id, ...filter, ...order, page, per_page: perPage });
      const { result } = answer;
      const info: { readonly page?: number; readonly total_count?: unknown } = answer.result_info;
      const total = info.total_count;
      if (!Array.isArray(result) || result.length > perPage || info.page !== page || typeof total !== 'number')
        throw unreadable('no list of records');
      const rows = result.map((record) => rowOf(record));
      if (rows.includes(undefined)) throw unreadable('records that are none');
      return { rows: rows.filter((row) => row !== undefined && row !== 'other'), count: result.length, total };
    });

  const batch: CloudflareApi['batch'] = (attempt, id, operations, mayWrite) =>
    call(attempt, async () => {
      mayWrite();
      const { deletes, patches, posts } = operations;
      const answer: unknown = await client.dns.records.batch({
        zone_id: id,
        ...(deletes.length > 0 && { deletes: [...deletes] }),
        ...(patches.length > 0 && { patches: [...patches] }),
        ...(posts.length > 0 && { posts: [...posts] }),
      });
      if (typeof answer !== 'object' || answer === null) throw new Error('it says nothing of what it did');
    });

  return { zoneId, page, batch };
}
