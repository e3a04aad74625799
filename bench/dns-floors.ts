/** The least that each API needs, by arithmetic. */
import { workersFor } from '../src/reconcile/controllers.ts';
import type { Placed } from './converge-floor.ts';
import { setsOf } from './dns-work.ts';

export interface Part {
  readonly calls: number;
  /** What they are, for whoever reads the figure. */
  readonly what: string;
}

export interface Floor {
  readonly reads: Part;
  readonly writes: Part;
}

/** All domains in one zone, or each in a zone of its own. */
export type FloorOf = (domains: readonly Placed[], zones: 'one' | 'each') => Floor;

const setsADomain = 4;
const n = (count: number): string => count.toLocaleString('en');
const part = (calls: number, what: string): Part => ({ calls, what });

/** Nobody knows of a domain before it is looked at, and so many are looked at a time. */
const looksOf = (domains: readonly Placed[]): number => Math.ceil(domains.length / workersFor.domain);
const lookWords = `per ${workersFor.domain} domains`;

/**
 * Changes that one call holds: by the API (Route 53; Cloudflare on its smallest plan), or by what is good for the server
 * and for those whose changes share a call. A DNS message would hold some 400 rows, PowerDNS' body some 10,000 sets.
 */
const batch = { rfc2136: 50, powerdns: 500, route53: 1000, cloudflare: 200, webhook: 50 } as const;
/** Of all values in one batch, with their quotes. */
const route53Characters = 32_000;
const [route53ZonesAPage, cloudflareZonesAPage] = [100, 50];

const batches = (domains: readonly Placed[], most: number): number => Math.ceil((domains.length * setsADomain) / most);

export const rfc2136: FloorOf = (domains, zones) => {
  const sets = domains.length * setsADomain;
  const writes = zones === 'each' ? domains.length : batches(domains, batch.rfc2136);
  return {
    reads: part(sets, `a question for each of ${n(sets)} sets`),
    writes: part(writes, zones === 'each' ? 'a message for each zone' : `${batch.rfc2136} rows a message`),
  };
};

export const powerdns: FloorOf = (domains, zones) => {
  if (zones === 'each') {
    return {
      reads: part(domains.length * 2, 'each zone once for the look, once before the change'),
      writes: part(domains.length, 'a change for each zone'),
    };
  }
  const writes = batches(domains, batch.powerdns);
  return {
    reads: part(looksOf(domains) + writes, `the zone once ${lookWords}, once before each change`),
    writes: part(writes, `${batch.powerdns} sets a change`),
  };
};

function route53Batches(domains: readonly Placed[]): number {
  const values = domains.flatMap(setsOf).flatMap(({ type, values }) => values.map((value) => ({ type, value })));
  const characters = values.reduce((sum, { type, value }) => sum + value.length + (type === 'TXT' ? 2 : 0), 0);
  return Math.max(batches(domains, batch.route53), Math.ceil(characters / route53Characters));
}

export const route53: FloorOf = (domains, zones) => {
  if (zones === 'each') {
    const pages = Math.ceil(domains.length / route53ZonesAPage);
    return {
      reads: part(pages + domains.length, `${pages} pages of zones, a page for each zone`),
      writes: part(domains.length, 'a batch for each zone'),
    };
  }
  return {
    reads: part(1 + looksOf(domains), `the zone's id, a page ${lookWords}`),
    writes: part(route53Batches(domains), `${n(batch.route53)} records or ${n(route53Characters)} characters a batch`),
  };
};

export const cloudflare: FloorOf = (domains, zones) => {
  if (zones === 'each') {
    const pages = Math.ceil(domains.length / cloudflareZonesAPage);
    return {
      reads: part(
        pages + domains.length * 2,
        `${pages} pages of zones, a page for each zone for the look and one before the change`,
      ),
      writes: part(domains.length, 'a batch for each zone'),
    };
  }
  const writes = batches(domains, batch.cloudflare);
  return {
    reads: part(1 + looksOf(domains) + writes, `the zone's id, a page ${lookWords} and one before each batch`),
    writes: part(writes, `${batch.cloudflare} records a batch`),
  };
};

export const webhook: FloorOf = (domains, zones) => {
  const writes = zones === 'each' ? domains.length : batches(domains, batch.webhook);
  return {
    reads: part(
      1 + looksOf(domains) + writes * 2,
      `the filter, all records once ${lookWords}, and before each change all records and its adjustment`,
    ),
    writes: part(writes, zones === 'each' ? 'a call for each zone' : `${batch.webhook} sets a call`),
  };
};
