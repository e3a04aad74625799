import type { Clock } from './clock.ts';

/** What was put in is gone after a time, whether somebody asks for it or not. */
export interface Aging<V> {
  readonly get: (key: string) => V | undefined;
  /** Its time begins anew. */
  readonly set: (key: string, value: V) => void;
  readonly delete: (key: string) => void;
}

/** @param most entries; beyond it the oldest go. */
export function createAging<V>(clock: Clock, forMs: number, most: number = Number.POSITIVE_INFINITY): Aging<V> {
  /** In the order of their age. */
  const kept = new Map<string, { readonly until: number; readonly value: V }>();
  const forgetOld = (): void => {
    const now = clock.now();
    for (const [key, { until }] of kept) {
      if (until > now) return;
      kept.delete(key);
    }
  };
  let cleaning: NodeJS.Timeout | undefined;
  const cleanLater = (): void => {
    cleaning ??= setTimeout(() => {
      cleaning = undefined;
      forgetOld();
      if (kept.size > 0) cleanLater();
    }, forMs).unref();
  };
  return {
    get: (key) => {
      forgetOld();
      return kept.get(key)?.value;
    },
    set: (key, value) => {
      kept.delete(key);
      kept.set(key, { until: clock.now() + forMs, value });
      const [oldest] = kept.keys();
      if (kept.size > most && oldest !== undefined) kept.delete(oldest);
      cleanLater();
    },
    delete: (key) => void kept.delete(key),
  };
}
