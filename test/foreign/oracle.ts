/**
 * Who wrote which record set, and whether an operator may change it. It knows none of our code: only what went over the
 * wire to the name servers, and the rules that the documentation gives to users.
 *
 * A record set is an operator's, and may be changed or deleted by it, if
 *  1. its own write was the last that touched it, or that of another program with the same id; or
 *  2. it had published the set and has not seen it gone since, when no wish named it: what a hand does to it until then is
 *     an edit of the operator's record, which is restored, or removed where it is not wanted any more. A memory that is
 *     put back to an older copy brings back what had been published then: nobody could tell it from an edit; or
 *  3. the user gave it, by `mailseal.dev/adopt`, while it stood; or
 *  4. the operator's memory of the place was lost, put back or never there, the mark with its own id stands there, and
 *     the set says just what it would write, or has a shape that nobody else writes: TLSA sets of `3 1 1` only, a policy
 *     id as it mints them, the addresses of the policy host beside such an id, the mark alone; or
 *  5. it says word for word what the operator had tried to write there without hearing how that ended.
 * Anything else is foreign: neither changed nor deleted. Nothing is created below a name that only a wildcard provides.
 * Beside the mark of another installation nothing is written at all. What a look goes by may be a minute old when it begins.
 * And rule 2 tires: of values that were seen to stand and are altered again and again only three are restored at once,
 * then after ever longer pauses.
 */
import type { RecordSet } from '../../src/dns/rrset.ts';
import {
  bareHost,
  besides,
  domain,
  keyOf,
  markOf,
  type PlacedSpot,
  placedSpots,
  sameSet,
  sameValues,
  type Sets,
  spotAt,
  zone,
} from './names.ts';
import { createPatience, type Patience } from './patience.ts';

/** What may have been seen so long ago, in milliseconds, is not held against anybody. */
const staleMs = 60_000;
/** A place in one of the two zones. */
const memoryOf = ({ place, own }: PlacedSpot): string => `${place} ${own}`;
const everywhere = (): Set<string> => new Set(placedSpots.map(memoryOf));

/** What an operator is asked to publish now. */
export interface Wishes {
  /** By key, with the values where they are known beforehand. */
  readonly wanted: ReadonlyMap<string, readonly string[] | undefined>;
  readonly adopted: ReadonlySet<string>;
}

interface Book {
  readonly mine: Set<string>;
  /** Places of which nothing is remembered. */
  readonly forgotten: Set<string>;
  /** What it set out to write there last, whatever became of it. */
  readonly tried: Map<string, RecordSet>;
  readonly patience: Patience;
}

export interface Oracle {
  readonly violations: readonly string[];
  readonly byHand: (after: Sets) => void;
  /** A call that would write this was made; whatever became of it. */
  readonly tries: (operator: string, sets: readonly RecordSet[]) => void;
  /** By a look that began then. */
  readonly wrote: (operator: string, after: Sets, lookedAt: number) => void;
  /** A look of the operator ended undisturbed: it has seen what stood at these keys. */
  readonly looked: (operator: string, listed: ReadonlyMap<string, RecordSet | undefined>) => void;
  /** Its memory was lost. */
  readonly forgot: (operator: string) => void;
  /** Its memory is copied, and gives back what puts it back. */
  readonly copied: (operator: string) => () => void;
  /** Its wishes are others than before. */
  readonly wished: (operator: string) => void;
  /** Someone else's, by all that is known: it has to stay. */
  readonly isForeign: (operator: string, key: string) => boolean;
  /** Its own write was the last at this key. */
  readonly isLastOf: (operator: string, key: string) => boolean;
  /** Its memory was lost or put back at some time. */
  readonly hasForgotten: (operator: string) => boolean;
  readonly standing: () => Sets;
}

export function createOracle(
  now: () => number,
  ids: ReadonlyMap<string, string>,
  wishesOf: (operator: string) => Wishes,
  start: Sets,
): Oracle {
  let standing = start;
  /** `hand`, or an operator. */
  const writers = new Map<string, string>();
  const violations: string[] = [];
  /** Since when something stands that is to be respected even where nothing of ours is overwritten. */
  const since = new Map<string, number>();
  const books = new Map<string, Book>();
  const losers = new Set<string>();
  const bookOf = (operator: string): Book => {
    const book = books.get(operator) ?? {
      mine: new Set(),
      forgotten: everywhere(),
      tried: new Map(),
      patience: createPatience(now),
    };
    books.set(operator, book);
    return book;
  };
  const beside = (spot: PlacedSpot, role: 'mark' | 'policy'): RecordSet | undefined => {
    const [found] = besides(spot, role);
    return found && standing.get(keyOf(found));
  };
  const idOf = (operator: string): string => ids.get(operator) ?? '';

  const isMinted = (set: RecordSet | undefined): boolean =>
    set?.values.length === 1 && /^v=STSv1; id=\d{14}[0-9a-f]{8};$/u.test(set.values[0] ?? '');
  const isOurShape = (operator: string, key: string, set: RecordSet): boolean => {
    const spot = spotAt(key);
    if (spot === undefined) return false;
    const mark = beside(spot, 'mark');
    // Its own mark that it has just set says nothing of what stood beside it before.
    const told = losers.has(operator) || mark === undefined || writers.get(keyOf(mark)) !== operator;
    const wanted = told ? wishesOf(operator).wanted.get(key) : undefined;
    if (wanted !== undefined && sameValues(wanted, set.values)) return true;
    switch (spot.role) {
      case 'mark':
        return sameValues(set.values, [markOf(idOf(operator))]);
      case 'tlsa':
        return set.values.every((value) => /^3 1 1 [0-9a-f]{64}$/u.test(value));
      case 'policy':
        return isMinted(set);
      case 'address':
        return isMinted(beside(spot, 'policy'));
      case 'reports':
        return false;
    }
  };
  /** What becomes an operator's without a write of its own. */
  const deem = (operator: string): void => {
    const { mine, forgotten } = bookOf(operator);
    const { adopted } = wishesOf(operator);
    for (const [key, set] of standing) {
      const spot = spotAt(key);
      if (spot === undefined) continue;
      if (adopted.has(key)) mine.add(key);
      const marked = beside(spot, 'mark')?.values.includes(markOf(idOf(operator))) === true;
      if (marked && forgotten.has(memoryOf(spot)) && isOurShape(operator, key, set)) mine.add(key);
    }
  };
  const moved = (after: Sets): readonly string[] =>
    [...new Set([...standing.keys(), ...after.keys()])].filter((key) => !sameSet(standing.get(key), after.get(key)));
  const accept = (after: Sets, writer: string): void => {
    for (const key of moved(after)) {
      writers.set(key, writer);
      since.set(key, now());
    }
    standing = after;
    for (const operator of ids.keys()) deem(operator);
  };

  const foreignMark = (operator: string, key: string, lookedAt: number): string | undefined => {
    const spot = spotAt(key);
    if (spot === undefined) return undefined;
    const mark = beside(spot, 'mark');
    if (mark === undefined || lookedAt - (since.get(keyOf(mark)) ?? 0) < staleMs) return undefined;
    const owners = mark.values.flatMap(
      (value) => /^heritage=mailseal,owner=([A-Za-z0-9-]{8,64})$/u.exec(value)?.[1] ?? [],
    );
    return owners.includes(idOf(operator)) ? undefined : owners[0];
  };
  const isBelowWildcard = (key: string, lookedAt: number): boolean => {
    const wildcard = [`*.${zone} A`, `*.${zone} CNAME`].find((one) => standing.has(one));
    if (wildcard === undefined || lookedAt - (since.get(wildcard) ?? 0) < staleMs) return false;
    const place = spotAt(key)?.own === false ? spotAt(key)?.place : undefined;
    if (place !== bareHost && place !== domain) return false;
    return ![...standing.values()].some(({ name }) => name === place || name.endsWith(`.${place}`));
  };

  const isForeign = (operator: string, key: string): boolean => {
    const set = standing.get(key);
    const { mine, tried } = bookOf(operator);
    const writer = writers.get(key) ?? 'hand';
    // Two installations with one id are one and the same to everybody else.
    if (set === undefined || ids.get(writer) === ids.get(operator) || mine.has(key)) return false;
    const attempt = tried.get(key);
    return attempt === undefined || !sameValues(attempt.values, set.values);
  };
  const judge = (operator: string, key: string, after: RecordSet | undefined, lookedAt: number): string | undefined => {
    const before = standing.get(key);
    const how = `${operator} makes ${key} ${after === undefined ? 'nothing' : after.values.join(' | ')}`;
    if (before === undefined) {
      if (isBelowWildcard(key, lookedAt)) return `${how} below a name that only a wildcard provides`;
      return foreignMark(operator, key, lookedAt) === undefined
        ? undefined
        : `${how} beside another installation's mark`;
    }
    if (isForeign(operator, key))
      return `${how}, where ${writers.get(key) ?? 'someone before us'} had ${before.values.join(' | ')} (TTL ${before.ttl} → ${after?.ttl ?? '-'})`;
    if (foreignMark(operator, key, lookedAt) !== undefined) return `${how} beside another installation's mark`;
    const altered = writers.get(key) !== operator && spotAt(key)?.role !== 'tlsa';
    const impatient = altered && bookOf(operator).patience.isLost(key, before, after);
    return impatient ? `${how} again and again, without a pause` : undefined;
  };
  const forgot: Oracle['forgot'] = (operator) => {
    const { forgotten, patience } = bookOf(operator);
    for (const place of everywhere()) forgotten.add(place);
    patience.calm();
    losers.add(operator);
    deem(operator);
  };

  return {
    violations,
    standing: () => standing,
    isForeign,
    isLastOf: (operator, key) => writers.get(key) === operator,
    hasForgotten: (operator) => losers.has(operator),
    byHand: (after) => accept(after, 'hand'),
    tries: (operator, sets) => {
      const { tried } = bookOf(operator);
      for (const set of sets) tried.set(keyOf(set), set);
    },
    wrote: (operator, after, lookedAt) => {
      const { mine, tried, patience } = bookOf(operator);
      for (const key of moved(after)) {
        const set = after.get(key);
        const problem = judge(operator, key, set, lookedAt);
        if (problem !== undefined) violations.push(problem);
        patience.published(key, set);
        if (set === undefined) tried.delete(key);
        else mine.add(key);
      }
      accept(after, operator);
    },
    looked: (operator, listed) => {
      const { mine, forgotten, tried, patience } = bookOf(operator);
      const { wanted } = wishesOf(operator);
      for (const [key, seen] of listed) {
        const gone = seen === undefined && !standing.has(key);
        if (gone && !wanted.has(key)) for (const known of [mine, tried]) known.delete(key);
        patience.seen(key, seen);
        const spot = spotAt(key);
        if (spot?.role !== 'mark') continue;
        if (!mine.has(key)) forgotten.add(memoryOf(spot));
        else if (seen !== undefined) forgotten.delete(memoryOf(spot));
      }
    },
    forgot,
    copied: (operator) => {
      const had = [...bookOf(operator).mine];
      return () => {
        for (const key of had) bookOf(operator).mine.add(key);
        forgot(operator);
      };
    },
    wished: (operator) => {
      bookOf(operator).patience.calm();
      deem(operator);
    },
  };
}
