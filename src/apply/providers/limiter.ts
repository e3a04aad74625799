/** One limiter for all calls of a provider: its rate is kept, a pause that it asks for is made, and no zone waits for another's crowd. */
import { MailsealError } from '../../errors.ts';
import type { CallRate } from './provider.ts';

export interface Limiter {
  /** Makes a call when its turn has come; lanes, such as zones, take turns. Rejects as the call does. */
  readonly run: <T>(lane: string, call: () => Promise<T>) => Promise<T>;
}

/** Calls that wait; beyond it new ones are refused at once, and their objects come back later. */
const mostWaiting = 10_000;

/** Milliseconds: whoever asks for more is asked again all the same. */
const longestPauseMs = 3_600_000;

/** `now` is in milliseconds of a clock that nobody sets, as `performance.now`. */
export function createLimiter(rate: CallRate, now: () => number = () => performance.now()): Limiter {
  const { atOnce, perSecond = Number.POSITIVE_INFINITY, burst = 1 } = rate;
  const lanes = new Map<string, (() => void)[]>();
  let waiting = 0;
  let running = 0;
  let tokens = burst;
  let filledAt = now();
  let pausedUntil = 0;
  let timer: NodeJS.Timeout | undefined;

  const refill = (): void => {
    const at = now();
    if (perSecond === Number.POSITIVE_INFINITY) tokens = burst;
    else tokens = Math.min(burst, tokens + ((at - filledAt) / 1000) * perSecond);
    filledAt = at;
  };
  const takeNext = (): (() => void) | undefined => {
    const [first] = lanes;
    if (first === undefined) return undefined;
    const [lane, calls] = first;
    const next = calls.shift();
    lanes.delete(lane);
    // To the end of the row.
    if (calls.length > 0) lanes.set(lane, calls);
    return next;
  };
  const later = (ms: number): void => {
    clearTimeout(timer);
    // It looks again then; timers take no more than some weeks.
    timer = setTimeout(turn, Math.min(Math.ceil(ms), longestPauseMs));
  };
  const turn = (): void => {
    while (waiting > 0 && running < atOnce) {
      const pause = pausedUntil - now();
      if (pause > 0) return later(pause);
      refill();
      // A hair less than a whole token is rounding.
      if (tokens < 0.999) return later(((1 - tokens) / perSecond) * 1000);
      const next = takeNext();
      if (next === undefined) return;
      waiting -= 1;
      if (perSecond !== Number.POSITIVE_INFINITY) tokens -= 1;
      running += 1;
      next();
    }
  };

  const run: Limiter['run'] = async (lane, call) => {
    if (waiting >= mostWaiting)
      throw new MailsealError('ProviderThrottled', `${mostWaiting} calls wait for the DNS provider already`, {
        retryAfterSeconds: 30,
      });
    const { promise, resolve } = Promise.withResolvers<void>();
    const calls = lanes.get(lane) ?? [];
    calls.push(resolve);
    lanes.set(lane, calls);
    waiting += 1;
    turn();
    await promise;
    try {
      return await call();
    } catch (error) {
      if (error instanceof MailsealError && error.reason === 'ProviderThrottled')
        pausedUntil = Math.max(pausedUntil, now() + Math.min((error.retryAfterSeconds ?? 1) * 1000, longestPauseMs));
      throw error;
    } finally {
      running -= 1;
      turn();
    }
  };
  return { run };
}
