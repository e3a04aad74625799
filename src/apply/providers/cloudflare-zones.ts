/** The ids of zones, which all else of Cloudflare's API is asked by. */
import { domainToUnicode } from 'node:url';
import { createTurns } from '../../observe/dns/turns.ts';
import { zoneNotFound } from './cloudflare-failure.ts';

export interface ListedZone {
  /** Canonical. */
  readonly name: string;
  readonly id: string;
  /** `active`: of several accounts that claim one zone the active one serves it. */
  readonly status: unknown;
}

/** Two calls of the API; both reject as `failureOf` says. `zone` is for messages. */
export interface ZoneLists {
  /** Those that the API finds by this name. */
  readonly named: (zone: string, name: string) => Promise<readonly ListedZone[]>;
  /** Some of all that the token sees, from page 1. */
  readonly page: (
    zone: string,
    page: number,
  ) => Promise<{ readonly zones: readonly ListedZone[]; readonly last: boolean }>;
}

/** So many are asked for by name; whoever has more is told dozens by each page, and one who has not pays double. */
const fewZones = 10;

/** The id of a zone; rejects with `ZoneNotFound` where the token sees none of that name. */
export function createZoneIds({ named, page }: ZoneLists): (zone: string) => Promise<string> {
  /** Seen on pages and not asked for since: each is told once, since whoever asks again knows it to be old. */
  const listed = new Map<string, string>();
  const turns = createTurns(1);
  let asked = 0;
  let next: number | undefined = 1;

  const take = (zone: string): string | undefined => {
    const id = listed.get(zone);
    listed.delete(zone);
    return id;
  };
  const byPage = (zone: string): Promise<string | undefined> =>
    turns.take('', async () => {
      const known = take(zone);
      if (known !== undefined || next === undefined) return known;
      const { zones, last } = await page(zone, next);
      next = last ? undefined : next + 1;
      for (const { name, id, status } of zones) if (status === 'active') listed.set(name, id);
      return take(zone);
    });
  const byName = async (zone: string): Promise<string> => {
    let zones = (await named(zone, zone)).filter(({ name }) => name === zone);
    // The API finds some internationalised zones by their U-labels only.
    const unicode = domainToUnicode(zone);
    if (zones.length === 0 && unicode !== zone && unicode !== '')
      zones = (await named(zone, unicode)).filter(({ name }) => name === zone);
    const chosen = zones.find(({ status }) => status === 'active') ?? (zones.length === 1 ? zones[0] : undefined);
    if (chosen === undefined) throw zoneNotFound(zone);
    return chosen.id;
  };
  return async (zone) => {
    asked += 1;
    return (asked > fewZones ? await byPage(zone) : undefined) ?? byName(zone);
  };
}
