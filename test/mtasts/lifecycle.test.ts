import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Publication } from '../../src/mtasts/lifecycle.ts';
import {
  burnt,
  effectiveMaxAge,
  effectiveMode,
  mintId,
  policyHosts,
  promisedUntil,
} from '../../src/mtasts/lifecycle.ts';

const day = 86_400_000;
const now = Date.UTC(2026, 10, 22, 7, 19, 0);
const publication = (change: Partial<Publication>): Publication => ({
  id: 'a',
  body: 'body a',
  mode: 'enforce',
  maxAgeSeconds: 1000,
  mxs: ['mx.example.com'],
  mintedAt: 0,
  ...change,
});

describe('ids', () => {
  test('an id tells its second and is letters and digits', () => {
    expect(mintId(now, 'body', [])).toMatch(/^20261122071900[0-9a-f]{8}$/);
  });

  test('the same text in the same second gets another id', () => {
    const first = mintId(now, 'body', []);
    expect(mintId(now, 'body', [])).toBe(first);
    expect(mintId(now, 'body', [first])).not.toBe(first);
  });

  test('no id is given twice, whatever is published', () => {
    const publish = fc.record({ body: fc.constantFrom('a', 'b'), after: fc.constantFrom(0, 1, 1000) });
    fc.assert(
      fc.property(fc.array(publish, { maxLength: 50 }), (all) => {
        const ids = new Set<string>();
        let time = now;
        for (const one of all) {
          time += one.after;
          const id = mintId(time, one.body, ids);
          expect(id).toMatch(/^[A-Za-z0-9]{1,32}$/);
          expect(ids.has(id)).toBe(false);
          ids.add(id);
        }
      }),
    );
  });

  const a = publication({ id: 'a', body: 'A', shownSince: 1 });
  test.each<[string, readonly Publication[], string, readonly string[]]>([
    ['the live body burns nothing', [a], 'A', []],
    ['another body burns the live id', [a], 'B', ['a']],
    ['the next body, served before its id, burns the live id', [a, publication({ id: 'b', body: 'B' })], 'B', ['a']],
    [
      'an old body on a lagging endpoint does not burn an id that nobody shows',
      [publication({ id: 'b', body: 'B' })],
      'A',
      [],
    ],
    ['an id that has gone is past burning', [{ ...a, goneSince: 5 }], 'B', []],
    [
      'while two ids are shown, each is burnt by the other body',
      [a, publication({ id: 'b', body: 'B', shownSince: 9 })],
      'A',
      ['b'],
    ],
  ])('%s', (_, history, seen, ids) => {
    expect(burnt(history, seen)).toEqual(ids);
  });
});

describe('RFC 8461 §8.3: the last promise', () => {
  const txtTtlSeconds = 300;
  const gone = publication({ id: 'a', shownSince: 0, goneSince: 1_000_000 });
  const none = publication({ id: 'z', mode: 'none', maxAgeSeconds: 86_400, mintedAt: 900_000, shownSince: 950_000 });
  test.each<[string, readonly Publication[], ReturnType<typeof promisedUntil>]>([
    ['nothing was ever promised', [], { until: 0 }],
    ['an id that stands promises on', [publication({ shownSince: 5 })], { standing: ['a'] }],
    ['gone, its TTL, its max_age', [gone, none], { until: 1_000_000 + 300_000 + 1_000_000 }],
    ['an id never announced promises nothing', [publication({ id: 'b', maxAgeSeconds: 9 })], { until: 0 }],
    ['none promises nothing while it stands', [none], { until: 0 }],
    [
      'a TTL that was larger for this id',
      [{ ...gone, txtTtlSeconds: 3600 }, none],
      { until: 1_000_000 + 3_600_000 + 1_000_000 },
    ],
    [
      'a later body, fetched under the earlier id, counts with its longer max_age',
      [gone, publication({ id: 'b', maxAgeSeconds: 5000, mintedAt: 800_000 }), none],
      { until: 1_000_000 + 300_000 + 5_000_000 },
    ],
    [
      'a body minted after the id left all caches does not',
      [
        gone,
        publication({ id: 'b', maxAgeSeconds: 5000, mintedAt: 1_300_001, shownSince: 1_300_002, goneSince: 1_300_003 }),
        none,
      ],
      { until: 1_300_003 + 300_000 + 5_000_000 },
    ],
    [
      'the longest promise wins, not the last',
      [{ ...gone, maxAgeSeconds: 90_000 }, publication({ id: 'b', mintedAt: 5, shownSince: 6, goneSince: 2_000_000 })],
      { until: 1_300_000 + 90_000_000 },
    ],
    ['an adopted policy may have promised a year', [{ ...gone, adopted: true }], { until: 1_300_000 + 31_557_600_000 }],
    [
      'an adopted policy without mode too',
      [{ ...gone, mode: 'none', adopted: true }],
      { until: 1_300_000 + 31_557_600_000 },
    ],
  ])('%s', (_, history, end) => {
    expect(promisedUntil(history, { txtTtlSeconds })).toEqual(end);
  });

  test('an administrator may know the longest max_age of an adopted policy', () => {
    const adopted = [{ ...gone, adopted: true as const }];
    expect(promisedUntil(adopted, { txtTtlSeconds, adoptedMaxAgeSeconds: 0 })).toEqual({
      until: 1_300_000 + 1_000_000,
    });
    expect(promisedUntil(adopted, { txtTtlSeconds, adoptedMaxAgeSeconds: 7000 })).toEqual({
      until: 1_300_000 + 7_000_000,
    });
  });

  test('no sender, however generous, holds a policy beyond it', () => {
    const one = fc.record({
      stands: fc.integer({ min: 1, max: 1000 }),
      lead: fc.integer({ min: 1, max: 100 }),
      maxAge: fc.integer({ min: 0, max: 500 }),
    });
    fc.assert(
      fc.property(fc.array(one, { minLength: 1, maxLength: 6 }), fc.integer({ min: 0, max: 200 }), (steps, ttl) => {
        // Bodies change `lead` seconds before ids; a sender sees an id until it has gone and its TTL has passed.
        let time = 0;
        const shown = steps.map((step) => {
          const mintedAt = time;
          const shownSince = mintedAt + step.lead * 1000;
          time = shownSince + step.stands * 1000;
          return { mintedAt, shownSince, maxAgeSeconds: step.maxAge };
        });
        const end = time + 1000;
        const history = shown.map((each, index) =>
          publication({ ...each, id: `i${index}`, goneSince: shown[index + 1]?.shownSince ?? end }),
        );
        const result = promisedUntil(history, { txtTtlSeconds: ttl });
        const until = 'until' in result ? result.until : Infinity;
        for (const id of history) {
          const inSight = (id.goneSince ?? 0) + ttl * 1000;
          for (const fetched of history) {
            // The body is served from its minting on until the next is minted; it was fetched while the id was in sight.
            const next = history[history.indexOf(fetched) + 1]?.mintedAt ?? end;
            const overlap = fetched.mintedAt <= inSight && next > (id.shownSince ?? 0);
            if (overlap && fetched.maxAgeSeconds > 0)
              expect(until).toBeGreaterThanOrEqual(inSight + fetched.maxAgeSeconds * 1000);
          }
        }
      }),
    );
  });
});

describe('I3: the hosts of a policy', () => {
  const removed = { host: 'old.example', ttl: 3600 };
  const slop = 600;
  test.each<[string, Parameters<typeof policyHosts>[0], ReturnType<typeof policyHosts>]>([
    [
      'those listed, sorted, each once',
      { listed: ['b.example', 'a.example', 'b.example'], removed: [], now, slop },
      { hosts: ['a.example', 'b.example'] },
    ],
    [
      'one removed but still in MX stays',
      { listed: ['a.example'], removed: [removed], now, slop },
      { hosts: ['a.example', 'old.example'] },
    ],
    [
      'one that has left stays for TTL and slop',
      { listed: ['a.example'], removed: [{ ...removed, leftMxAt: now - 4_199_999 }], now, slop },
      { hosts: ['a.example', 'old.example'], until: now + 1 },
    ],
    [
      'then it goes',
      { listed: ['a.example'], removed: [{ ...removed, leftMxAt: now - 4_200_000 }], now, slop },
      { hosts: ['a.example'] },
    ],
    [
      'one listed again is listed',
      { listed: ['old.example'], removed: [{ ...removed, leftMxAt: now }], now, slop },
      { hosts: ['old.example'] },
    ],
  ])('%s', (_, input, result) => {
    expect(policyHosts(input)).toEqual(result);
  });
});

describe('the mode', () => {
  const input: Parameters<typeof effectiveMode>[0] = {
    wanted: 'enforce',
    promotion: { afterDays: 14, immediately: false },
    live: 'testing',
    testingSince: now - 14 * day,
    failures: [],
    proven: true,
    now,
  };
  test.each<[string, Partial<typeof input>, ReturnType<typeof effectiveMode>]>([
    ['testing is as wanted', { wanted: 'testing' }, { mode: 'testing', why: 'AsWanted' }],
    [
      'testing is as wanted after enforcing too',
      { wanted: 'testing', live: 'enforce' },
      { mode: 'testing', why: 'AsWanted' },
    ],
    ['none is as wanted', { wanted: 'none' }, { mode: 'none', why: 'AsWanted' }],
    [
      'a new domain starts in testing',
      { live: undefined, testingSince: undefined },
      { mode: 'testing', why: 'InTesting', at: now + 14 * day },
    ],
    [
      'it stays there for the days',
      { testingSince: now - 14 * day + 1 },
      { mode: 'testing', why: 'InTesting', at: now + 1 },
    ],
    ['then it is promoted', {}, { mode: 'enforce', why: 'Promoted' }],
    ['a failing MX blocks promotion', { failures: ['mx1 fails'] }, { mode: 'testing', why: 'Failing' }],
    ['what is unknown blocks promotion', { proven: false }, { mode: 'testing', why: 'Unproven' }],
    [
      'nothing demotes',
      { live: 'enforce', failures: ['mx1 fails'], proven: false, testingSince: undefined },
      { mode: 'enforce', why: 'KeepsEnforcing' },
    ],
    [
      'at once where it is asked for',
      { promotion: { afterDays: 14, immediately: true }, live: undefined, testingSince: undefined },
      { mode: 'enforce', why: 'Promoted' },
    ],
    [
      'at once, but not with a failing MX',
      { promotion: { afterDays: 14, immediately: true }, failures: ['x'] },
      { mode: 'testing', why: 'Failing' },
    ],
  ])('%s', (_, change, result) => {
    expect(effectiveMode({ ...input, ...change })).toEqual(result);
  });
});

describe('max_age', () => {
  const input: Parameters<typeof effectiveMaxAge>[0] = {
    mode: 'enforce',
    wantedSeconds: 2_419_200,
    immediately: false,
    enforcingSince: now,
    now,
  };
  test.each<[string, Partial<typeof input>, ReturnType<typeof effectiveMaxAge>]>([
    ['a day in testing', { mode: 'testing' }, { seconds: 86_400 }],
    ['less in testing where less is wanted', { mode: 'testing', wantedSeconds: 60 }, { seconds: 60 }],
    ['a day when it is withdrawn', { mode: 'none' }, { seconds: 86_400 }],
    ['a day at promotion', { enforcingSince: undefined }, { seconds: 86_400 }],
    ['a day for the first day', {}, { seconds: 86_400, next: { seconds: 604_800, at: now + day } }],
    ['a week for a week', { now: now + day }, { seconds: 604_800, next: { seconds: 2_419_200, at: now + 8 * day } }],
    ['then what is wanted', { now: now + 8 * day }, { seconds: 2_419_200 }],
    [
      'a wish between a day and a week needs two steps',
      { wantedSeconds: 100_000, now: now + day },
      { seconds: 100_000 },
    ],
    ['no steps where it is to be immediate', { immediately: true, enforcingSince: undefined }, { seconds: 2_419_200 }],
    ['never more than a year', { immediately: true, wantedSeconds: 99_999_999 }, { seconds: 31_557_600 }],
  ])('%s', (_, change, result) => {
    expect(effectiveMaxAge({ ...input, ...change })).toEqual(result);
  });
});
