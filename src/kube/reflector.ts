/**
 * A cache of one kind that follows the API server: a paged list, then a watch from where the list stood.
 *
 * ```
 *        ┌────────────── 410, an event out of order, 10–30 min since the last list ◀──┐
 *        ▼                                                                            │
 *      LIST ──▶ WATCH ──▶ ended by the server after 5–10 min, broken, silent too long ┤
 *        ▲         ▲                                                                  │
 *        └─ jitter ┴───────────────────── from the last version seen ◀────────────────┘
 * ```
 * Every way of losing events ends in a list, which sets the cache right and counts what had been missed. After a lost
 * connection the server is first asked how far it is: it may have been restored from a backup.
 */
import { hasReason, KubeError } from './error.ts';
import { accept, type Cached, createCache, type Cache } from './cache.ts';
import { pluralOf } from './resources.ts';
import { abortedBySilence } from './silence.ts';
import { backoff, between, pause, type Random, systemRandom, systemTimers, type Timers } from './timers.ts';
import { isGone, isUnknownKind, troubleOf } from './trouble.ts';
import { isOlder } from './version.ts';
import type { Watching } from './client.ts';
import type { KubeObject, ListQuery } from './types.ts';

export interface ReflectorOptions<T extends KubeObject, E> {
  readonly kube: Watching;
  readonly query: ListQuery;
  /** Keeps of an object what is used, or nothing of one that isn't ours. */
  readonly select: (object: T) => E | undefined;
  /** Only enqueues: `entry` is undefined when the object is gone. */
  readonly onChange: (key: string, entry: E | undefined, previous: E | undefined) => void;
  /** What went wrong, for the log; it is retried. */
  readonly onError?: (error: unknown) => void;
  /** So many changes had not been told by the watch, and were found by a list. */
  readonly onMissed?: (changes: number) => void;
  readonly timers?: Timers;
  readonly random?: Random;
  readonly pageSize?: number;
  /** Without event and bookmark for so long, a watch is taken for dead; the API server sends a bookmark a minute. */
  readonly silenceSeconds?: number;
  /** Least and most; the cache is listed anew that long after the last list. */
  readonly relistSeconds?: readonly [number, number];
}

export interface Reflector<E> {
  readonly start: () => void;
  /** Resolves when nothing is under way any more; what is cached stays readable. */
  readonly stop: () => Promise<void>;
  /** `key` as `keyOf` makes it. */
  readonly get: (key: string) => E | undefined;
  readonly entries: () => IterableIterator<[string, E]>;
  readonly size: () => number;
  /** Resolves when the first list is in the cache, or there is no such kind; never rejects, and stays open while refused. */
  readonly synced: Promise<void>;
  /** Seconds since the API server last said anything about this kind: for liveness. */
  readonly lastContact: () => number;
  /** Why the cache may be old, as a sentence; undefined while it is watched. */
  readonly problem: () => string | undefined;
  /** LIST is allowed and WATCH is denied: what changes is seen a minute late, until someone mends the rights. */
  readonly watchDenied: () => boolean;
}

const firstRetry = 500;
const longestRetry = 30_000;
/** A cache that can't be watched is at least listed that often. */
const deniedRelist = 60_000;

export function createReflector<T extends KubeObject, E>(options: ReflectorOptions<T, E>): Reflector<E> {
  const { kube, query, timers = systemTimers, random = systemRandom, pageSize = 500 } = options;
  const { silenceSeconds = 150, relistSeconds = [600, 1800] } = options;
  const plural = pluralOf(query.apiVersion, query.kind);
  const onError = options.onError ?? ((): void => undefined);
  const cache: Cache<T, E> = createCache({ select: options.select, onChange: options.onChange, onError });
  const first = Promise.withResolvers<void>();
  let contact = timers.monotonic();
  let trouble: string | undefined = `${plural} have not been listed yet`;
  let denied = false;
  let running: { readonly abort: AbortController; readonly ended: Promise<void> } | undefined;

  /** Lists, and returns the version to watch from. */
  const list = async (state: State, signal: AbortSignal): Promise<string> => {
    const seen = new Set<string>();
    let missed = 0;
    let version: string | undefined;
    let next: string | undefined;
    do {
      const more: { continue?: string } = next === undefined ? {} : { continue: next };
      const page = await kube.listPage<T>(query, { limit: pageSize, signal, ...more });
      if (signal.aborted) throw new KubeError(0, 'Aborted', 'stopped');
      contact = timers.monotonic();
      if (version === undefined && isOlder(page.resourceVersion, state.newest)) {
        // A lagging server; one that says it twice has been set back, and is believed.
        if (!state.distrusted) {
          state.distrusted = true;
          throw new KubeError(0, 'BadAnswer', `the list of ${plural} is older than what was seen before`);
        }
        cache.forgetVersions();
      }
      version ??= page.resourceVersion;
      for (const item of page.items) missed += cache.put(item, seen, state.watchedTo);
      next = page.continue;
    } while (next !== undefined);
    missed += cache.keepOnly(seen, state.watchedTo !== undefined);
    if (missed > 0 && state.watchedTo !== undefined) options.onMissed?.(missed);
    state.distrusted = false;
    state.newest = version;
    state.relistAt = timers.monotonic() + between(relistSeconds[0], relistSeconds[1], random) * 1000;
    first.resolve();
    return version;
  };

  /**
   * Whether the server is at an older version than the next watch would begin with, as after the restore of a backup:
   * such a watch would say nothing until the server has come as far again, and skip all changes up to there.
   */
  const isSetBack = async (state: State, from: string, signal: AbortSignal): Promise<boolean> => {
    const { resourceVersion } = await kube.listPage<T>(query, { limit: 1, signal });
    state.doubtful = false;
    return isOlder(resourceVersion, from);
  };

  const watch = async (state: State, from: string, signal: AbortSignal): Promise<void> => {
    const silence = abortedBySilence(signal, silenceSeconds * 1000, () => contact, timers);
    const cached: Cached = { version: from };
    try {
      await kube.watch<T>(query, from, {
        signal: silence.signal,
        timeoutSeconds: Math.round(between(300, 600, random)),
        onOpen: () => {
          if (signal.aborted) return;
          trouble = undefined;
          denied = false;
        },
        onEvent: (event) => {
          if (signal.aborted) return;
          contact = timers.monotonic();
          accept(cache, cached, event);
          state.version = cached.version;
          state.newest = cached.version;
          state.failures = 0;
        },
      });
    } finally {
      silence.end();
    }
  };

  /** One list if it is due, one watch; returns how long to wait before the next. */
  const round = async (state: State, signal: AbortSignal): Promise<number> => {
    const started = timers.monotonic();
    let listed = false;
    try {
      if (state.doubtful && state.version !== undefined && (await isSetBack(state, state.version, signal))) {
        state.version = undefined;
        // The list will say it a second time.
        state.distrusted = true;
      }
      if (state.version === undefined || started >= state.relistAt) {
        state.watchedTo = state.version;
        state.version = await list(state, signal);
      }
      listed = true;
      await watch(state, state.version, signal);
      // A server that ends watches at once must not make us spin.
      if (timers.monotonic() - started < 1000) return backoff(state.failures++, firstRetry, longestRetry, random);
      state.failures = 0;
      return 0;
    } catch (error) {
      if (signal.aborted) return 0;
      denied = listed && hasReason(error, 'Forbidden');
      return afterFailure(state, error);
    }
  };

  const afterFailure = (state: State, error: unknown): number => {
    const silent = hasReason(error, 'Aborted');
    const told = silent
      ? new KubeError(0, 'Timeout', `the watch of ${plural} said nothing for ${silenceSeconds} s`)
      : error;
    onError(told);
    trouble = troubleOf(plural, told, { listed: state.version !== undefined, denied });
    if (isGone(error)) state.version = undefined;
    // The server may have been another when it answers again.
    if (silent || hasReason(error, 'Unreachable')) state.doubtful = true;
    if (isUnknownKind(error)) {
      // An answer all the same: nobody is to wait for a kind whose CRD may never come.
      contact = timers.monotonic();
      first.resolve();
    }
    if (hasReason(error, 'Forbidden')) {
      state.relistAt = Math.min(state.relistAt, timers.monotonic() + deniedRelist);
    }
    const asked = error instanceof KubeError ? (error.retryAfterSeconds ?? 0) * 1000 : 0;
    return Math.max(asked, backoff(state.failures++, firstRetry, longestRetry, random));
  };

  const loop = async (signal: AbortSignal): Promise<void> => {
    const state: State = { relistAt: 0, failures: 0, distrusted: false, doubtful: false };
    while (!signal.aborted) {
      const wait = await round(state, signal);
      if (wait > 0) await pause(timers, wait, signal);
    }
  };

  return {
    start: () => {
      if (running !== undefined) return;
      const abort = new AbortController();
      contact = timers.monotonic();
      running = { abort, ended: loop(abort.signal) };
    },
    stop: async () => {
      const stopped = running;
      running = undefined;
      stopped?.abort.abort();
      await stopped?.ended;
      if (running === undefined) trouble = `${plural} are no longer watched`;
    },
    get: cache.get,
    entries: cache.entries,
    size: cache.size,
    synced: first.promise,
    lastContact: () => (timers.monotonic() - contact) / 1000,
    problem: () => trouble,
    watchDenied: () => denied,
  };
}

interface State {
  /** Where the next watch begins; undefined: a list is due. */
  version?: string | undefined;
  /** The newest that was ever seen since the start. */
  newest?: string | undefined;
  /** Up to which version everything should be known by watching, while a list checks that. */
  watchedTo?: string | undefined;
  relistAt: number;
  failures: number;
  distrusted: boolean;
  /** The connection was lost: what answers next may know less than we do. */
  doubtful: boolean;
}
