import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createLimiter, LaneThrottled } from '../../src/apply/providers/limiter.ts';
import { MailsealError } from '../../src/errors.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
});
afterEach(() => {
  vi.useRealTimers();
});
const now = (): number => Date.now();

/** Calls that say when they began, and end when they are told to. */
function calls() {
  const begun: (readonly [what: string, at: number])[] = [];
  const ends: (() => void)[] = [];
  const call = (what: string) => () => {
    begun.push([what, now()]);
    return Promise.resolve(what);
  };
  const slow = (what: string) => () => {
    begun.push([what, now()]);
    return new Promise<void>((resolve) => ends.push(resolve));
  };
  return { begun, ends, call, slow };
}

test('calls go out at the rate of the API, and a rest lets a few go at once', async () => {
  const { begun, call } = calls();
  const limiter = createLimiter({ atOnce: 10, perSecond: 4, burst: 3 }, now);
  const all = ['a', 'b', 'c', 'd', 'e'].map((what) => limiter.run('zone', call(what)));
  await vi.advanceTimersByTimeAsync(2000);
  await Promise.all(all);
  expect(begun.map(([, at]) => at)).toEqual([0, 0, 0, 250, 500]);
});

test('no more calls are under way than the API takes', async () => {
  const { begun, ends, slow } = calls();
  const limiter = createLimiter({ atOnce: 2 }, now);
  for (const what of ['a', 'b', 'c']) void limiter.run('zone', slow(what));
  await vi.advanceTimersByTimeAsync(1000);
  expect(begun).toHaveLength(2);
  ends[0]?.();
  await vi.advanceTimersByTimeAsync(0);
  expect(begun).toHaveLength(3);
});

test('a zone with a thousand calls holds no other zone up', async () => {
  const { begun, call } = calls();
  const limiter = createLimiter({ atOnce: 1, perSecond: 10, burst: 1 }, now);
  for (let at = 0; at < 1000; at += 1) void limiter.run('crowd', call(`crowd ${at}`));
  void limiter.run('other', call('other'));
  await vi.advanceTimersByTimeAsync(500);
  expect(begun.map(([what]) => what).slice(0, 4)).toContain('other');
});

test('an API that asks for a pause gets one from every zone', async () => {
  const { begun, call } = calls();
  const limiter = createLimiter({ atOnce: 4, perSecond: 100, burst: 1 }, now);
  const slowDown = new MailsealError('ProviderThrottled', 'slow down', { retryAfterSeconds: 7 });
  await expect(limiter.run('one', () => Promise.reject(slowDown))).rejects.toBe(slowDown);
  const after = limiter.run('other', call('after'));
  await vi.advanceTimersByTimeAsync(6900);
  expect(begun).toEqual([]);
  await vi.advanceTimersByTimeAsync(200);
  await after;
  expect(begun).toEqual([['after', 7000]]);
});

test('a pause that one zone asks for is made by that zone alone', async () => {
  const { begun, call } = calls();
  const limiter = createLimiter({ atOnce: 1, perSecond: 100, burst: 5 }, now);
  const busy = new LaneThrottled('busy', { retryAfterSeconds: 5 });
  await expect(limiter.run('busy', () => Promise.reject(busy))).rejects.toBe(busy);
  const all = ['busy', 'other', 'busy', 'another'].map((lane) => limiter.run(lane, call(lane)));
  await vi.advanceTimersByTimeAsync(100);
  expect(begun.map(([what]) => what)).toEqual(['other', 'another']);
  const late = limiter.run('other', call('other'));
  await vi.advanceTimersByTimeAsync(4800);
  await late;
  expect(begun).toHaveLength(3);
  await vi.advanceTimersByTimeAsync(200);
  await Promise.all(all);
  expect(begun.slice(3)).toEqual([
    ['busy', 5000],
    ['busy', 5000],
  ]);
});

test('of two zones that pause each goes on when its own pause ends', async () => {
  const { begun, call } = calls();
  const limiter = createLimiter({ atOnce: 1 }, now);
  for (const [lane, retryAfterSeconds] of [
    ['long', 60],
    ['short', 2],
  ] as const) {
    const busy = new LaneThrottled('busy', { retryAfterSeconds });
    await expect(limiter.run(lane, () => Promise.reject(busy))).rejects.toBe(busy);
  }
  const all = ['long', 'short'].map((lane) => limiter.run(lane, call(lane)));
  await vi.advanceTimersByTimeAsync(60_000);
  await Promise.all(all);
  expect(begun).toEqual([
    ['short', 2000],
    ['long', 60_000],
  ]);
});

test('a call that fails otherwise holds nobody up', async () => {
  const { begun, call } = calls();
  const limiter = createLimiter({ atOnce: 1 }, now);
  const failure = new MailsealError('ProviderUnavailable', 'it is down');
  await expect(limiter.run('zone', () => Promise.reject(failure))).rejects.toBe(failure);
  await limiter.run('zone', call('next'));
  expect(begun).toEqual([['next', 0]]);
});

test('a queue that nobody works off does not grow for ever', async () => {
  const { slow } = calls();
  const limiter = createLimiter({ atOnce: 1 }, now);
  for (let at = 0; at <= 10_000; at += 1) void limiter.run('zone', slow('waits'));
  await expect(limiter.run('zone', slow('one too many'))).rejects.toMatchObject({
    reason: 'ProviderThrottled',
    retryAfterSeconds: 30,
  });
});

test('an API that asks for thirty years is asked again after an hour, and nothing spins meanwhile', async () => {
  const { begun, call } = calls();
  const limiter = createLimiter({ atOnce: 4 }, now);
  const never = new MailsealError('ProviderThrottled', 'never', { retryAfterSeconds: 999_999_999 });
  await expect(limiter.run('zone', () => Promise.reject(never))).rejects.toBe(never);
  const after = limiter.run('zone', call('after'));
  expect(vi.getTimerCount()).toBe(1);
  await vi.advanceTimersByTimeAsync(3_600_000);
  await after;
  expect(begun).toEqual([['after', 3_600_000]]);
});
