/**
 * Keys waiting for a reconcile.
 *
 * ```
 *  add ──▶ fresh/begun ─────────▶┐                    ┌─ resolved ─▶ forgotten, or delayed by requeueAfter
 *                                ├─▶ running (≤ N) ───┤
 *  due ──▶ begun/fresh/failing ─▶┘   one per key      └─ failed ───▶ delayed, doubling per failure
 * ```
 * A key is never run twice at once: one that is added while it runs is queued again when it has ended. A key is begun
 * when it asked to be run again within moments, or is known from earlier: it goes before the others, but for every
 * sixteenth run, so that of many that take several runs each some have ended soon. Keys that failed last time take at
 * most half of the workers, so that slow failures leave room for the healthy. A run that takes longer than 1.5 s only
 * waits for somebody: it gives its worker to another, up to a bound.
 */
import { createDelays } from './delays.ts';
import { backoff, type Random, systemRandom, systemTimers, type Timers } from './timers.ts';

export interface Outcome {
  /** When to run the key again, at the latest. */
  readonly requeueAfterMilliseconds?: number | undefined;
  /** Not as hoped: the key is run again after its backoff, and not before `requeueAfterMilliseconds`. */
  readonly failed?: boolean;
}

export interface WorkQueueOptions {
  /** Runs at once, but for those that take long: of them there may be several times as many. */
  readonly workers: number;
  /** A rejection counts as `failed`, with the error's `retryAfterSeconds` if it has one. */
  readonly run: (key: string, signal: AbortSignal) => Promise<Outcome>;
  /** What `run` rejected with, for the log. */
  readonly onError: (key: string, error: unknown) => void;
  readonly metrics?: WorkQueueMetrics;
  readonly baseMilliseconds?: number;
  readonly maximumMilliseconds?: number;
  readonly timers?: Timers;
  readonly random?: Random;
}

/** What client-go's `workqueue_*` metrics are made of. */
export interface WorkQueueMetrics {
  readonly added?: () => void;
  /** Seconds that the key was ready and waited for a worker. */
  readonly started?: (seconds: number) => void;
  readonly finished?: (seconds: number, failed: boolean) => void;
  readonly retried?: () => void;
}

export interface WorkQueue {
  /** Runs the key as soon as there is a worker; one that is `known` from earlier waits for no crowd of new ones. */
  readonly add: (key: string, known?: boolean) => void;
  /** Runs the key after that time; the earliest wins; forgotten when the key is run before. */
  readonly addAfter: (key: string, milliseconds: number) => void;
  readonly start: () => void;
  /** Aborts the signal of runs under way, begins none, and resolves when all have ended. */
  readonly stop: () => Promise<void>;
  readonly depth: () => { readonly ready: number; readonly running: number; readonly delayed: number };
  /** In a row, by now. */
  readonly failures: (key: string) => number;
}

interface Ready {
  readonly key: string;
  readonly since: number;
}

const slowMilliseconds = 1500;
/** A key that asks to be run again within this time is begun, and not yet at rest. */
const soonMilliseconds = 2000;
/** Every so many runs one goes to a key that is not begun, whatever else there is. */
const othersTurn = 16;
const mostPerWorker = 6;

export function createWorkQueue(options: WorkQueueOptions): WorkQueue {
  const { workers, run, timers = systemTimers, random = systemRandom, metrics = {} } = options;
  const { baseMilliseconds = 200, maximumMilliseconds = 300_000 } = options;
  const begun = new Map<string, Ready>();
  const fresh = new Map<string, Ready>();
  const failing = new Map<string, Ready>();
  const lines = [begun, fresh, failing] as const;
  /** Keys that asked to be run again within moments. */
  const soon = new Set<string>();
  let turns = 0;
  const failures = new Map<string, number>();
  /** Keys under way; true when they were added again meanwhile. */
  const running = new Map<string, boolean>();
  const ended = new Map<string, Promise<void>>();
  const delays = createDelays(timers, (key) => add(key));
  const failingShare = Math.max(1, Math.floor(workers / 2));
  let runningFailing = 0;
  /** Runs that have given their worker to another, and those among them whose key failed last time. */
  let slow = 0;
  let slowFailing = 0;
  let abort: AbortController | undefined;

  const add = (key: string, known = false): void => {
    if (lines.some((line) => line.has(key))) return;
    metrics.added?.();
    if (running.has(key)) {
      running.set(key, true);
      return;
    }
    (failures.has(key) ? failing : known || soon.has(key) ? begun : fresh).set(key, { key, since: timers.monotonic() });
    dispatch();
  };

  const next = (): Ready | undefined => {
    const [going] = begun.values();
    const [healthy] = fresh.values();
    const mayFail = runningFailing < failingShare && slowFailing < failingShare * mostPerWorker;
    const [failed] = mayFail ? failing.values() : [];
    const waiting = failed !== undefined && failed.since < (healthy?.since ?? Infinity) ? failed : healthy;
    return turns % othersTurn === 0 ? (waiting ?? going) : (going ?? waiting);
  };

  const hasRoom = (): boolean => running.size - slow < workers && running.size < workers * mostPerWorker;

  const dispatch = (): void => {
    if (abort === undefined) return;
    const { signal } = abort;
    for (let ready = next(); ready !== undefined && hasRoom(); ready = next()) {
      const failed = failing.has(ready.key);
      for (const line of lines) line.delete(ready.key);
      soon.delete(ready.key);
      turns += 1;
      delays.drop(ready.key);
      running.set(ready.key, false);
      ended.set(ready.key, work(ready, failed, signal));
    }
  };

  const work = async (ready: Ready, failedBefore: boolean, signal: AbortSignal): Promise<void> => {
    const { key } = ready;
    const started = timers.monotonic();
    metrics.started?.((started - ready.since) / 1000);
    if (failedBefore) runningFailing += 1;
    let isSlow = false;
    const inTime = timers.after(slowMilliseconds, () => {
      isSlow = true;
      slow += 1;
      if (failedBefore) [runningFailing, slowFailing] = [runningFailing - 1, slowFailing + 1];
      dispatch();
    });
    const outcome = await attempt(key, signal);
    inTime();
    if (isSlow) slow -= 1;
    if (failedBefore && isSlow) slowFailing -= 1;
    else if (failedBefore) runningFailing -= 1;
    metrics.finished?.((timers.monotonic() - started) / 1000, outcome.failed === true);
    const again = running.get(key) === true;
    running.delete(key);
    ended.delete(key);
    if (signal.aborted) return;
    schedule(key, outcome);
    if (again) add(key);
    dispatch();
  };

  const attempt = async (key: string, signal: AbortSignal): Promise<Outcome> => {
    try {
      return await run(key, signal);
    } catch (error) {
      if (!signal.aborted) options.onError(key, error);
      return { failed: true, requeueAfterMilliseconds: askedFor(error) };
    }
  };

  const schedule = (key: string, { failed, requeueAfterMilliseconds: asked }: Outcome): void => {
    if (failed !== true) {
      failures.delete(key);
      if (asked === undefined) return;
      if (asked <= soonMilliseconds) soon.add(key);
      delays.set(key, asked);
      return;
    }
    const before = failures.get(key) ?? 0;
    failures.set(key, before + 1);
    metrics.retried?.();
    delays.set(key, Math.max(asked ?? 0, backoff(before, baseMilliseconds, maximumMilliseconds, random)));
  };

  return {
    add,
    addAfter: (key, milliseconds) => (milliseconds <= 0 ? add(key) : delays.set(key, milliseconds)),
    start: () => {
      abort ??= new AbortController();
      dispatch();
    },
    stop: async () => {
      abort?.abort();
      abort = undefined;
      delays.clear();
      for (const line of lines) line.clear();
      soon.clear();
      await Promise.all(ended.values());
    },
    depth: () => ({
      ready: lines.reduce((sum, { size }) => sum + size, 0),
      running: running.size,
      delayed: delays.size(),
    }),
    failures: (key) => failures.get(key) ?? 0,
  };
}

function askedFor(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('retryAfterSeconds' in error)) return undefined;
  return typeof error.retryAfterSeconds === 'number' ? error.retryAfterSeconds * 1000 : undefined;
}
