import type { Clock } from '../../clock.ts';
import { type RecordSet, recordTypes } from '../../dns/rrset.ts';
import type { Provider, SetKey } from './provider.ts';

/** Milliseconds: an object on its way is looked at several times within it, and its own changes are seen at once. */
const freshMs = 3_000;
/** Nobody asks for what is older. */
const longestMs = 30_000;

interface Listed {
  readonly at: number;
  readonly sets: Promise<readonly RecordSet[]>;
}

/**
 * Lists of the last few seconds, or of as long as whoever asks allows, by zone, name and type. A change made through this provider ends what is remembered of its
 * names, before and after; one made by others is seen a moment later, and stops a write of ours until then, for `before`
 * no longer holds.
 */
export function rememberLists(provider: Provider, clock: Clock): Provider {
  // What the API does not compare for us, we must have seen just now.
  if (!provider.capabilities.compareAndSwap) return provider;
  const listed = new Map<string, Listed>();
  const keyOf = (zone: string, { name, type }: SetKey): string => `${zone} ${name} ${type}`;

  /** They were put in by their age. */
  const forgetOld = (now: number): void => {
    for (const [key, { at }] of listed) {
      if (at + longestMs > now) return;
      listed.delete(key);
    }
  };
  const ask = (zone: string, sought: readonly SetKey[]): void => {
    const answer = provider.list(zone, sought);
    const at = clock.now();
    for (const { name, type } of sought) {
      const key = keyOf(zone, { name, type });
      const fits = (set: RecordSet): boolean => set.name === name && (set.type === type || set.type === 'CNAME');
      const one: Listed = { at, sets: answer.then((sets) => sets.filter(fits)) };
      one.sets.catch(() => {
        if (listed.get(key) === one) listed.delete(key);
      });
      listed.delete(key);
      listed.set(key, one);
    }
  };
  const list: Provider['list'] = async (zone, sought) => {
    const now = clock.now();
    forgetOld(now);
    const isFresh = (key: string, recentMs = freshMs): boolean => (listed.get(key)?.at ?? -longestMs) + recentMs > now;
    const distinct = new Map(sought.map((one) => [keyOf(zone, one), one]));
    const missing = [...distinct].flatMap(([key, one]) => (isFresh(key, one.recentMs) ? [] : [one]));
    if (missing.length > 0) ask(zone, missing);
    const sets = await Promise.all([...distinct.keys()].flatMap((key) => listed.get(key)?.sets ?? []));
    // An alias answers for every type.
    return [...new Map(sets.flat().map((set) => [keyOf(zone, set), set])).values()];
  };
  const apply: Provider['apply'] = async (zone, changes) => {
    const forget = (): void => {
      for (const { name } of changes) for (const type of recordTypes) listed.delete(keyOf(zone, { name, type }));
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
