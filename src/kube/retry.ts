import { KubeError } from './error.ts';
import { backoff, pause, type Random, type Timers } from './timers.ts';

const attempts = 4;
const baseMilliseconds = 150;
/** All waiting of one call together: a caller that needs more patience requeues. */
const budgetMilliseconds = 5000;

/**
 * Repeats `attempt` while what it rejects with may pass and repeating is safe. `idempotent`: doing it twice is as
 * good as once, so that an answer that never came may be asked for again. Waits as long as the server asks for, if
 * that is within the budget, and else rejects at once.
 */
export async function withRetries<T>(
  attempt: () => Promise<T>,
  idempotent: boolean,
  timers: Timers,
  random: Random,
  signal?: AbortSignal,
): Promise<T> {
  let left = budgetMilliseconds;
  for (let failures = 0; ; failures++) {
    try {
      return await attempt();
    } catch (error) {
      if (failures + 1 >= attempts || !mayRepeat(error, idempotent)) throw error;
      const jittered = backoff(failures, baseMilliseconds, budgetMilliseconds, random);
      const asked = (error.retryAfterSeconds ?? 0) * 1000;
      const wait = asked === 0 ? jittered : asked + jittered / 4;
      if (wait > left) throw error;
      left -= wait;
      await pause(timers, wait, signal);
      if (signal?.aborted === true) throw error;
    }
  }
}

function mayRepeat(error: unknown, idempotent: boolean): error is KubeError {
  if (!(error instanceof KubeError)) return false;
  if (error.mayHaveActed && !idempotent) return false;
  if (error.status === 0) return error.reason === 'Unreachable' || error.reason === 'Timeout';
  return error.status === 401 || error.status === 408 || error.status === 429 || error.status >= 500;
}
