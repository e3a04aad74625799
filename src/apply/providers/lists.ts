import type { Clock } from '../../clock.ts';
import type { RecordSet } from '../../dns/rrset.ts';
import type { Provider } from './provider.ts';

/** Milliseconds: an object on its way is looked at several times within it, and its own changes are seen at once. */
const freshMs = 3_000;

interface Listed {
  readonly until: number;
  readonly sets: Promise<readonly RecordSet[]>;
}

/**
 * Lists of the last few seconds, by zone and name. A change made through this provider ends what is remembered of its
 * names, before and after; one made by others is seen a moment later, and stops a write of ours until then, for `before`
 * no longer holds.
 */
export function rememberLists(provider: Provider, clock: Clock): Provider {
  // What the API does not compare for us, we must have seen just now.
  if (!provider.capabilities.compareAndSwap) return provider;
  const listed = new Map<string, Listed>();
  const keyOf = (zone: string, name: string): string => `${zone} ${name}`;

  /** They were put in by their age. */
  const forgetOld = (now: number): void => {
    for (const [key, { until }] of listed) {
      if (until > now) return;
      listed.delete(key);
    }
  };
  const ask = (zone: string, names: readonly string[]): void => {
    const answer = provider.list(zone, names);
    const until = clock.now() + freshMs;
    for (const name of names) {
      const key = keyOf(zone, name);
      const one: Listed = { until, sets: answer.then((sets) => sets.filter((set) => set.name === name)) };
      one.sets.catch(() => {
        if (listed.get(key) === one) listed.delete(key);
      });
      listed.delete(key);
      listed.set(key, one);
    }
  };
  const list: Provider['list'] = async (zone, names) => {
    forgetOld(clock.now());
    const distinct = [...new Set(names)];
    const missing = distinct.filter((name) => !listed.has(keyOf(zone, name)));
    if (missing.length > 0) ask(zone, missing);
    const sets = await Promise.all(distinct.flatMap((name) => listed.get(keyOf(zone, name))?.sets ?? []));
    return sets.flat();
  };
  const apply: Provider['apply'] = async (zone, changes) => {
    const forget = (): void => {
      for (const { name } of changes) listed.delete(keyOf(zone, name));
    };
    forget();
    try {
      await provider.apply(zone, changes);
    } finally {
      forget();
    }
  };
  return { capabilities: provider.capabilities, list, apply };
}
