import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mintId, promisedUntil, type Publication } from '../../src/mtasts/lifecycle.ts';
import { shortened } from '../../src/plan/history.ts';
import { day, desired, hour, minute, now, publication, second } from './cases.ts';
import { bodyOf, fetched, live, planOf, settled } from './domain-world.ts';

const unannounced = ({ shownSince: _shown, ...rest }: Publication): Publication => rest;
const at = (age: number, change: Partial<Publication> = {}): Publication => {
  const mintedAt = now - age;
  return publication({ id: mintId(mintedAt, '', []), mintedAt, shownSince: mintedAt, ...change });
};
const newest = at(hour);
const txtTtlSeconds = 300;

describe('what is dropped', () => {
  const standing = at(9 * day);
  const stays = at(10 * day, { goneSince: now - 2 * day + second });
  const ends = at(10 * day, { goneSince: now - 2 * day - second });
  const draft = (age: number): Publication => unannounced(at(age));
  test.each<readonly [string, readonly Publication[], readonly Publication[]]>([
    ['nothing of what is shown', [standing, newest], [standing, newest]],
    ['nothing that a sender may hold to', [stays, newest], [stays, newest]],
    ['what none can hold to any more', [ends, newest], [newest]],
    ['not what is younger than one that stands', [standing, ends, newest], [standing, ends, newest]],
    ['what was never announced, where no id is older', [draft(8 * day), newest], [newest]],
    ['also where nothing was ever announced', [draft(day), draft(hour)], []],
    ['not an id of the last minute', [draft(hour), draft(minute - 1)], [draft(minute - 1)]],
    ['not the only one that is shown, however old', [at(900 * day)], [at(900 * day)]],
    [
      'not what says since when the domain enforces',
      [
        at(900 * day, { mode: 'enforce', goneSince: now - 800 * day }),
        at(890 * day, { goneSince: now - 700 * day }),
        newest,
      ],
      [at(900 * day, { mode: 'enforce', goneSince: now - 800 * day }), newest],
    ],
  ])('%s', (_, history, want) => {
    expect(shortened(history, now)).toEqual(want);
  });

  test('of bodies that were never announced under a shown id, all but the longest promise', () => {
    const long = unannounced(at(2 * hour, { mode: 'enforce', maxAgeSeconds: 604_800 }));
    const left = shortened([standing, draft(3 * hour), long, draft(hour)], now);
    expect(left).toHaveLength(2);
    expect(left[1]).toMatchObject({ mintedAt: now - 3 * hour, maxAgeSeconds: 604_800 });
    expect(left[1]).not.toHaveProperty('shownSince');
  });
});

describe('a domain', () => {
  test('that is edited for a year has a short history and never gives an id twice', () => {
    let state = settled;
    const given = new Set<string>();
    const [every, times] = [6 * hour, 1460];
    for (let n = 1; n <= times; n += 1) {
      const time = now + n * every;
      const maxAgeSeconds = n % 2 === 0 ? 86_400 : 604_800;
      const wish = { ...desired, mtaSts: { ...desired.mtaSts, maxAgeSeconds } };
      ({ state } = planOf({ state }, wish, time));
      const { id = '', body = '' } = state.publications.at(-1) ?? {};
      expect(given.has(id)).toBe(false);
      given.add(id);
      const served = { pods: [{ pod: 'p', served: fetched(body) }], outsideFetch: fetched(body) };
      ({ state } = planOf({ state, ...served }, wish, time + minute));
      // All servers show it.
      const applied = state.applied.map((entry) => ({ ...entry, since: time + 2 * minute }));
      ({ state } = planOf({ state: { ...state, applied }, ...served }, wish, time + 3 * minute));
      expect(state.publications.length).toBeLessThan(40);
    }
    expect(given.size).toBe(times);
  });

  test('that goes to and fro before anything is announced keeps what was announced', () => {
    let state = settled;
    for (let n = 1; n <= 500; n += 1) {
      const wish = { ...desired, mtaSts: { ...desired.mtaSts, maxAgeSeconds: 86_400 + (n % 2) } };
      ({ state } = planOf({ state }, wish, now + n * 5 * second));
    }
    expect(state.publications[0]).toEqual(live);
    expect(state.publications.length).toBeLessThan(30);
    expect(state.publications.at(-1)?.body).toBe(bodyOf('enforce', 86_400));
  });
});

/** Histories as they come to be: each minted after the one before, gone when the next that was announced is seen. */
const histories: fc.Arbitrary<readonly Publication[]> = fc
  .array(
    fc.record({
      mode: fc.constantFrom('enforce', 'testing', 'none' as const),
      maxAgeSeconds: fc.oneof(fc.integer({ min: 1, max: 86_400 }), fc.integer({ min: 1, max: 31_557_600 })),
      after: fc.oneof(fc.integer({ min: 1, max: 40 * day }), fc.integer({ min: 1, max: 2 * day })),
      announced: fc.boolean(),
      gone: fc.boolean(),
      txtTtlSeconds: fc.option(fc.integer({ min: 1, max: 86_400 }), { nil: undefined }),
      adopted: fc.integer({ min: 0, max: 49 }).map((n) => (n === 0 ? (true as const) : undefined)),
    }),
    { maxLength: 60 },
  )
  .map((steps) => {
    const history: Publication[] = [];
    let time = now - 3000 * day;
    for (const { after, announced, gone, txtTtlSeconds: ttl, adopted, mode, maxAgeSeconds } of steps) {
      time += after;
      const shownSince = time + 1000;
      if (announced && gone) {
        for (const [n, one] of history.entries())
          if (one.shownSince !== undefined) history[n] = { ...one, goneSince: one.goneSince ?? shownSince };
      }
      history.push({
        ...unannounced(publication({ id: mintId(time, '', []), mode, maxAgeSeconds, mintedAt: time })),
        ...(announced ? { shownSince } : {}),
        ...(ttl === undefined ? {} : { txtTtlSeconds: ttl }),
        ...(adopted === undefined ? {} : { adopted }),
      });
    }
    return history;
  });

/** As when the policy is withdrawn: from then on no promise is made any more, and the last one can be dated. */
const withdrawn = (history: readonly Publication[], today: number): readonly Publication[] => [
  ...history.map((one) => (one.shownSince === undefined ? one : { ...one, goneSince: one.goneSince ?? today + hour })),
  publication({ mode: 'none', mintedAt: today, shownSince: today }),
];
const ends = (history: readonly Publication[], today: number, ttl: number): number => {
  const end = promisedUntil(withdrawn(history, today), { txtTtlSeconds: ttl });
  return 'until' in end ? end.until : Infinity;
};

test.each(Array.from({ length: 26 }, (_, n) => n))('of too many, the long promise of number %i is kept', (n) => {
  const many = Array.from({ length: 26 }, (_, k) => {
    const age = (26 - k) * hour;
    const goneSince = now - age + hour;
    return at(age, k === n ? { goneSince, maxAgeSeconds: 2_419_200, txtTtlSeconds: 86_400 } : { goneSince });
  });
  const left = shortened([...many, newest], now);
  expect(left).toHaveLength(21);
  expect(ends(left, now, txtTtlSeconds)).toBeGreaterThanOrEqual(ends([...many, newest], now, txtTtlSeconds));
});

test.each([0, 1, 2, 9])('of too many, number %i stays as it is where the domain enforces since then', (n) => {
  const many = Array.from({ length: 26 }, (_, k) =>
    at((26 - k) * hour, { goneSince: now - (25 - k) * hour, mode: k >= n ? 'enforce' : 'testing' }),
  );
  expect(shortened([...many, newest], now)).toContain(many[n]);
});

const whole = fc.record({
  all: histories,
  later: fc.integer({ min: 0, max: 800 * day }),
  ttl: fc.integer({ min: 1, max: 86_400 }),
});

test('no promise is ever shortened, whatever the history', () => {
  fc.assert(
    fc.property(whole, ({ all, later, ttl }) => {
      const today = (all.at(-1)?.mintedAt ?? now) + later;
      const left = shortened(all, today);
      const until = ends(all, today, ttl);
      if (until > today) expect(ends(left, today, ttl)).toBeGreaterThanOrEqual(until);
      expect(left.length).toBeLessThanOrEqual(20 + 2 + 1);
      const shown = all.findLast(({ shownSince }) => shownSince !== undefined);
      if (shown !== undefined) expect(left).toContain(shown);
      expect(shortened(left, today)).toEqual(left);
    }),
    { numRuns: 2000 },
  );
});

test('what is dropped later stays dropped, and nothing that stands is touched by a look alone', () => {
  const made = planOf({ state: { ...settled, publications: [at(900 * day, { goneSince: now - 800 * day }), live] } });
  expect(made.changes).toEqual([]);
  expect(promisedUntil(made.state.publications, { txtTtlSeconds })).toEqual({ standing: [live.id] });
});
