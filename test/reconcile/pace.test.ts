import { describe, expect, test } from 'vitest';
import type { KubeObject } from '../../src/kube/types.ts';
import { askedAt, createPace } from '../../src/reconcile/pace.ts';
import type { Trouble } from '../../src/status/findings.ts';

const minute = 60_000;
const stalled: Trouble = { kind: 'Stalled', reason: 'NoIssuer', message: '' };
const retry: Trouble = { kind: 'Retry', reason: 'ProviderUnavailable', message: '' };
const wait = (forMs: number) => [{ why: 'x', forMs }];
type After = Parameters<ReturnType<typeof createPace>['next']>[1];

test.each<readonly [string, After, number]>([
  ['after a change: at once', { made: 1 }, 50],
  ['after all was stored as done: in a minute', { made: 1, done: true }, minute],
  ['after all was stored as done, with a status held back', { made: 1, done: true, statusDueMs: 4000 }, 4000],
  ['nothing to do: in half an hour', {}, 30 * minute],
  ['the nearest wait decides', { waits: [...wait(9000), ...wait(3000)] }, 3000],
  ['never sooner than it is worth', { waits: wait(0) }, 50],
  ['a status that is due comes first', { waits: wait(9000), statusDueMs: 4000 }, 4000],
  ['a failure that may pass: in five seconds', { trouble: retry }, 5000],
  ['a change before a failure does not make it faster', { trouble: retry, made: 3 }, 5000],
  ['as late as the peer asked', { trouble: retry, retryAfterMs: 7 * minute }, 7 * minute],
  [
    'as late as the peer asked, whatever status is due',
    { trouble: retry, retryAfterMs: 7 * minute, statusDueMs: 1000 },
    7 * minute,
  ],
  ['what a human must mend: rarely', { trouble: stalled }, 18_750],
])('%s', (_, after, want) => {
  expect(createPace().next('a', after).requeueAfterMs).toBe(want);
});

describe('looks in vain', () => {
  const looks = (after: After, count: number): readonly number[] => {
    const pace = createPace();
    return Array.from({ length: count }, () => pace.next('a', after).requeueAfterMs ?? 0);
  };
  test('keep their pace for twenty times, then slow down to one a minute', () => {
    const all = looks({ waits: wait(1000) }, 60);
    expect(new Set(all.slice(0, 20))).toEqual(new Set([1000]));
    expect(all[20]).toBe(1250);
    expect(all.at(-1)).toBe(minute);
    expect([...all].sort((a, b) => a - b)).toEqual(all);
  });
  test('of what is stalled slow down to one in five minutes', () => {
    expect(looks({ trouble: stalled }, 60).at(-1)).toBe(5 * minute);
  });
  test('never overtake a wait that is longer by itself', () => {
    expect(looks({ waits: wait(10 * minute) }, 60).at(-1)).toBe(10 * minute);
  });
  test('are forgotten after a change, and apart for each object', () => {
    const pace = createPace();
    for (let look = 0; look < 40; look += 1) pace.next('a', { waits: wait(1000) });
    expect([pace.isSettling('a'), pace.isSettling('b')]).toEqual([false, true]);
    expect(pace.next('b', { waits: wait(1000) }).requeueAfterMs).toBe(1000);
    pace.next('a', { made: 1 });
    expect(pace.isSettling('a')).toBe(true);
    expect(pace.next('a', { waits: wait(1000) }).requeueAfterMs).toBe(1000);
  });
});

describe('changes that do not last', () => {
  const pauses = (pace: ReturnType<typeof createPace>, ...rounds: readonly string[]): readonly (number | undefined)[] =>
    rounds.map((round) => pace.next('a', { made: 1, round }).requeueAfterMs);

  test('are made a few times at full pace, then ever more slowly, down to once a minute', () => {
    const all = pauses(createPace(), ...Array.from({ length: 20 }, () => 'x'));
    expect(all.slice(0, 7)).toEqual([50, 50, 50, 50, 100, 200, 400]);
    expect(all.at(-1)).toBe(minute);
  });
  test('are noticed where two rounds undo each other in turn', () => {
    const turns = Array.from({ length: 30 }, (_, n) => (n % 2 === 0 ? 'x' : 'y'));
    expect(pauses(createPace(), ...turns).at(-1)).toBe(minute);
  });
  test('slow down nothing that is new', () => {
    const pace = createPace();
    pauses(pace, ...Array.from({ length: 20 }, () => 'x'));
    expect(pauses(pace, 'y')).toEqual([50]);
  });
  test('are forgotten once the object was at rest, and not while it waits for a moment', () => {
    const pace = createPace();
    pauses(pace, ...Array.from({ length: 12 }, () => 'x'));
    expect(pace.isRepeating('a')).toBe(true);
    pace.next('a', { waits: wait(1000) });
    expect(pace.isRepeating('a')).toBe(true);
    pace.next('a', {});
    expect(pace.isRepeating('a')).toBe(false);
    expect(pauses(pace, 'x')).toEqual([50]);
  });
  test('are forgotten too where they lasted for many looks of an object that never comes to rest', () => {
    const pace = createPace();
    pauses(pace, ...Array.from({ length: 12 }, () => 'x'));
    for (let look = 0; look < 21; look += 1) pace.next('a', { waits: wait(1000) });
    expect(pace.isRepeating('a')).toBe(false);
  });
});

test.each<readonly [string, string | undefined, number]>([
  ['a time', '2026-11-22T00:00:00Z', Date.UTC(2026, 10, 22)],
  ['none', undefined, 0],
  ['no time', 'now please', 0],
  ['a time to come', '2027-11-22T00:00:00Z', 0],
])('a fresh look is asked for by annotation: %s', (_, text, want) => {
  const annotations = text === undefined ? {} : { 'mailseal.dev/requested-at': text };
  const object: KubeObject = { apiVersion: 'v1', kind: 'X', metadata: { name: 'x', annotations } };
  expect(askedAt(object, Date.UTC(2026, 10, 23))).toBe(want);
});
