import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { watchClock } from '../../src/cli/clock-watch.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test.each<readonly [string, number, boolean]>([
  ['an hour forward', 3_600_000, true],
  ['an hour back', -3_600_000, true],
  ['by what a slow correction amounts to', 500, false],
])('a clock that is set %s', (_, shift, told) => {
  let offset = 0;
  const watched = watchClock({ now: () => Date.now() + offset });
  vi.advanceTimersByTime(5000);
  expect(watched.set.aborted).toBe(false);
  offset = shift;
  vi.advanceTimersByTime(1500);
  expect(watched.set.aborted).toBe(told);
  watched.stop();
});
