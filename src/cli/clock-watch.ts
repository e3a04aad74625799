import type { Clock } from '../clock.ts';

/** How far a clock may be set at once, in milliseconds, before anything is made of it: less than what is remembered. */
const mostMs = 2000;
const everyMs = 1000;

/** Aborted when the clock is set forward or back while it is watched. */
export function watchClock(clock: Clock): { readonly set: AbortSignal; readonly stop: () => void } {
  const abort = new AbortController();
  let before = clock.now() - performance.now();
  const timer = setInterval(() => {
    const offset = clock.now() - performance.now();
    if (Math.abs(offset - before) > mostMs) abort.abort();
    before = offset;
  }, everyMs);
  timer.unref();
  return { set: abort.signal, stop: () => clearInterval(timer) };
}
