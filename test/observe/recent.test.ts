import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createRecents, type Recents } from '../../src/observe/recent.ts';

let recents: Recents;
beforeEach(() => {
  vi.useFakeTimers();
  recents = createRecents({ now: () => Date.now() });
});
afterEach(() => vi.useRealTimers());

const absence = { synthesised: false, negativeTtl: 60 } as const;

test('what nobody looks for any more is dropped when it is old', () => {
  recents.absences.keep('a', '', absence);
  vi.advanceTimersByTime(40_000);
  recents.absences.keep('b', '', absence);
  vi.advanceTimersByTime(40_000);
  expect(recents.absences.find('a', '')).toBeUndefined();
  expect(recents.absences.find('b', '')).toEqual(absence);
  expect(vi.getTimerCount()).toBe(1);
  vi.advanceTimersByTime(40_000);
  expect(vi.getTimerCount()).toBe(0);
});

test('of very many things the oldest are dropped', () => {
  for (let n = 0; n <= 50_000; n += 1) recents.absences.keep(String(n), '', absence);
  expect(recents.absences.find('0', '')).toBeUndefined();
  expect(recents.absences.find('1', '')).toEqual(absence);
});
