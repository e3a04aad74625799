import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createAging } from '../src/aging.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());
const clock = { now: () => Date.now() };

test('what was put in is there for its time, and that begins anew when it is put in again', () => {
  const aging = createAging<number>(clock, 1000);
  aging.set('a', 1);
  vi.advanceTimersByTime(999);
  expect(aging.get('a')).toBe(1);
  aging.set('a', 2);
  vi.advanceTimersByTime(999);
  expect(aging.get('a')).toBe(2);
  vi.advanceTimersByTime(1);
  expect(aging.get('a')).toBeUndefined();
});

test('what nobody asks for goes too, and then nothing wakes any more', () => {
  const aging = createAging<number>(clock, 1000);
  aging.set('a', 1);
  vi.advanceTimersByTime(700);
  aging.set('b', 2);
  expect(vi.getTimerCount()).toBe(1);
  vi.advanceTimersByTime(3000);
  expect(vi.getTimerCount()).toBe(0);
});

test('beyond its bound the oldest go', () => {
  const aging = createAging<number>(clock, 1000, 2);
  for (const [at, key] of ['a', 'b', 'a', 'c'].entries()) aging.set(key, at);
  expect(['a', 'b', 'c'].map((key) => aging.get(key))).toEqual([2, undefined, 3]);
});
