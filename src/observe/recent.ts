/**
 * What was seen a moment ago to be as it should. An object on its way is looked at many times within seconds for the
 * sake of the one thing that is not right yet; what was right a moment ago need not be asked for again.
 */
import { createAging } from '../aging.ts';
import type { Clock } from '../clock.ts';
import type { ZoneHealth } from '../dns/zonehealth.ts';
import type { ObservedDomain } from '../plan/domain.ts';
import type { RecordView } from '../plan/record-view.ts';

interface Recent<T> {
  /** What was kept a moment ago for the same wish: whoever now wants something else of a thing sees it anew. */
  readonly find: (thing: string, wish: string) => T | undefined;
  readonly keep: (thing: string, wish: string, seen: T) => void;
}

/** Milliseconds: the way of many domains at a time takes longer than that of one. */
const freshMs = { views: 30_000, shown: 30_000, absences: 60_000, denials: 60_000, mx: 30_000 } as const;
/** Milliseconds: zones are made and dissolved by hand. */
const cutsKeptMs = 300_000;

/** Milliseconds for which a list of what stands at a provider will do on the way, as long as nothing of ours is written. */
export const recentListMs = 30_000;

/** Milliseconds: a zone whose chain of trust stands still is looked at as rarely as that, one in motion more often. */
const zoneMs = { still: 300_000, moving: 60_000 } as const;

/** Milliseconds for which one reading of what domains promise serves the retirements of many exchangers. */
export const promisesKeptMs = 600_000;

/** How old what is kept of an object on its way may be at most, in milliseconds. */
export const longestKeptMs: number = Math.max(...Object.values(freshMs));

/** Things of one kind: more than thousands of domains on their way at a time have. */
const mostKept = 50_000;

interface Kept<T> {
  readonly wish: string;
  readonly seen: T;
}

/** Why a set that does not stand may be written, and for how long its absence may be cached. */
export type Absence = Pick<RecordView, 'synthesised' | 'negativeTtl'>;

/** What is kept of domains on their way, and of what they promise. */
export interface Recents {
  readonly views: Recent<RecordView>;
  /** What all authoritative servers were seen to show. */
  readonly shown: Recent<Extract<RecordView['servers'], { ok: true }>>;
  readonly absences: Recent<Absence>;
  /** Seconds for which the servers of a zone let denials be cached: what its SOA says, of whichever name. */
  readonly denials: Recent<number>;
  readonly mx: Recent<ObservedDomain['mx']>;
  /** The zone that holds a name. */
  readonly cuts: Recent<string>;
  /** By zone: those whose chain of trust stood still, and all that are being looked at or were a minute ago. */
  readonly stillZones: Recent<ZoneHealth>;
  readonly zones: Recent<Promise<ZoneHealth>>;
  /** The MX patterns that senders may hold to by a domain's policies, as its durable state was read. */
  readonly promises: Recent<readonly string[]>;
}

export const createRecents = (clock: Clock): Recents => ({
  views: createRecent(clock, freshMs.views),
  shown: createRecent(clock, freshMs.shown),
  absences: createRecent(clock, freshMs.absences),
  denials: createRecent(clock, freshMs.denials),
  mx: createRecent(clock, freshMs.mx),
  cuts: createRecent(clock, cutsKeptMs),
  stillZones: createRecent(clock, zoneMs.still),
  zones: createRecent(clock, zoneMs.moving),
  promises: createRecent(clock, promisesKeptMs),
});

function createRecent<T>(clock: Clock, forMs: number): Recent<T> {
  const known = createAging<Kept<T>>(clock, forMs, mostKept);
  return {
    find: (thing, wish) => {
      const kept = known.get(thing);
      return kept?.wish === wish ? kept.seen : undefined;
    },
    keep: (thing, wish, seen) => known.set(thing, { wish, seen }),
  };
}
