/** One limiter for all calls of a provider, or of a kind: its rate is kept, a pause that it asks for is made, and no zone waits for another's crowd. */
import { MailsealError } from '../../errors.ts';
import type { CallRate } from './provider.ts';

/** `ProviderThrottled` that concerns the call's own lane: the others go on. */
export class LaneThrottled extends MailsealError {
  constructor(message: string, options: { readonly retryAfterSeconds: number; readonly cause?: unknown }) {
    super('ProviderThrottled', message, options);
  }
}

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
  /** Of single lanes. */
  const pauses = new Map<string, number>();
  let timer: NodeJS.Timeout | undefined;

  const refill = (): void => {
    const at = now();
    if (perSecond === Number.POSITIVE_INFINITY) tokens = burst;
    else tokens = Math.min(burst, tokens + ((at - filledAt) / 1000) * perSecond);
    filledAt = at;
  };
  const takeNext = (at: number): (() => void) | undefined => {
    for (const [lane, calls] of lanes) {
      if ((pauses.get(lane) ?? at) > at) continue;
      const next = calls.shift();
      lanes.delete(lane);
      // To the end of the row.
      if (calls.length > 0) lanes.set(lane, calls);
      return next;
    }
    return undefined;
  };
  const pause = (lane: string, error: MailsealError): void => {
    const at = now();
    const until = at + Math.min((error.retryAfterSeconds ?? 1) * 1000, longestPauseMs);
    if (!(error instanceof LaneThrottled)) {
      pausedUntil = Math.max(pausedUntil, until);
      return;
    }
    for (const [one, end] of pauses) if (end <= at) pauses.delete(one);
    pauses.set(lane, Math.max(pauses.get(lane) ?? 0, until));
  };
  const later = (ms: number): void => {
    clearTimeout(timer);
    // It looks again then; timers take no more than some weeks.
    timer = setTimeout(turn, Math.min(Math.ceil(ms), longestPauseMs));
  };
  const turn = (): void => {
    while (waiting > 0 && running < atOnce) {
      const at = now();
      if (pausedUntil > at) return later(pausedUntil - at);
      refill();
      // A hair less than a whole token is rounding.
      if (tokens < 0.999) return later(((1 - tokens) / perSecond) * 1000);
      const next = takeNext(at);
      // All that wait are of lanes that pause.
      if (next === undefined) return later(Math.min(...[...lanes.keys()].map((lane) => pauses.get(lane) ?? at)) - at);
      waiting -= 1;
      if (perSecond !== Number.POSITIVE_INFINITY) tokens -= 1;
      running += 1;
      next();
    }
  };

  const run: Limiter['run'] = async (lane, call) => {
    if (waiting >= mostWaiting)
      throw new MailsealError('ProviderThrottled', `${mostWaiting} calls wait already`, {
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
      if (error instanceof MailsealError && error.reason === 'ProviderThrottled') pause(lane, error);
      throw error;
    } finally {
      running -= 1;
      turn();
    }
  };
  return { run };
}
