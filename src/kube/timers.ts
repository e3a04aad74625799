/** Time as the loops of this folder need it; tests pass a virtual one. */
export interface Timers {
  /** Milliseconds since 1970; may jump. */
  readonly now: () => number;
  /** Milliseconds since some point in the past; never jumps, and goes on while the program is paused. */
  readonly monotonic: () => number;
  /** Runs `run` once after `milliseconds`, unless the returned function is called before. */
  readonly after: (milliseconds: number, run: () => void) => () => void;
}

/** Node takes a longer delay for 1 ms. */
const longestDelay = 2 ** 31 - 1;

export const systemTimers: Timers = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (milliseconds, run) => {
    const timer = setTimeout(run, Math.min(Math.max(0, milliseconds), longestDelay));
    return () => clearTimeout(timer);
  },
};

/** Resolves after the time given, or at once when `signal` is or becomes aborted; never rejects. */
export function pause(timers: Timers, milliseconds: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return Promise.resolve();
  return new Promise((resolve) => {
    const finish = (): void => {
      cancel();
      signal?.removeEventListener('abort', finish);
      resolve();
    };
    const cancel = timers.after(milliseconds, finish);
    signal?.addEventListener('abort', finish, { once: true });
  });
}

/** A number in [0, 1). */
export type Random = () => number;

export const systemRandom: Random = () => Math.random();

/** Between `least` and `most`, evenly. */
export function between(least: number, most: number, random: Random): number {
  return least + (most - least) * random();
}

/** `base` doubled per earlier failure up to `most`, then spread over its upper half so that no two retry in step. */
export function backoff(failures: number, base: number, most: number, random: Random): number {
  const full = Math.min(most, base * 2 ** Math.min(failures, 40));
  return between(full / 2, full, random);
}
