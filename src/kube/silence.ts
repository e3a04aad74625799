import type { Timers } from './timers.ts';

/**
 * A signal that is aborted with `outer`, or once nothing was heard for `milliseconds`: a connection may be dead without
 * our knowing. `lastHeard` is a time of `timers.monotonic`; `end` stops the wait.
 */
export function abortedBySilence(
  outer: AbortSignal,
  milliseconds: number,
  lastHeard: () => number,
  timers: Timers,
): { readonly signal: AbortSignal; readonly end: () => void } {
  const abort = new AbortController();
  const opened = timers.monotonic();
  const check = (): void => {
    const left = milliseconds - (timers.monotonic() - Math.max(opened, lastHeard()));
    if (left <= 0) abort.abort();
    else cancel = timers.after(left, check);
  };
  let cancel = timers.after(milliseconds, check);
  return { signal: AbortSignal.any([outer, abort.signal]), end: () => cancel() };
}
