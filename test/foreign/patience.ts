/** How often an operator puts back what others alter: three times at once, then after pauses that double. */
import type { RecordSet } from '../../src/dns/rrset.ts';
import { sameSet, sameValues } from './names.ts';

const hourMs = 3_600_000;
const restoredAtOnce = 3;

export interface Patience {
  /** What the operator wrote last at a key; undefined where it removed that. */
  readonly published: (key: string, set: RecordSet | undefined) => void;
  readonly seen: (key: string, set: RecordSet | undefined) => void;
  /** Another's values make way for those that it had published, too soon after it did the same before. */
  readonly isLost: (key: string, before: RecordSet, after: RecordSet | undefined) => boolean;
  /** Its wishes are others, or its memory is: what was counted says nothing any more. */
  readonly calm: () => void;
}

interface Restored {
  readonly values: readonly string[];
  readonly times: readonly number[];
}

export function createPatience(now: () => number): Patience {
  const last = new Map<string, RecordSet>();
  const restored = new Map<string, Restored>();
  /** Keys at which it has seen its own stand since it wrote there. */
  const stood = new Set<string>();
  return {
    published: (key, set) => {
      stood.delete(key);
      if (set === undefined) last.delete(key);
      else last.set(key, set);
    },
    seen: (key, set) => {
      if (set !== undefined && sameSet(set, last.get(key))) stood.add(key);
    },
    isLost: (key, before, after) => {
      const own = last.get(key);
      if (after === undefined || own === undefined || !sameValues(own.values, after.values)) return false;
      // A write that nobody saw stand may be slow, and its like is no quarrel.
      if (sameValues(before.values, after.values) || !stood.has(key)) return false;
      const known = restored.get(key);
      const times = known !== undefined && sameValues(known.values, after.values) ? known.times : [];
      const at = times.at(-1) ?? 0;
      const counted = now() - at >= 24 * hourMs ? [] : times;
      restored.set(key, { values: after.values, times: [...counted, now()] });
      if (counted.length < restoredAtOnce) return false;
      return now() - at < Math.min(hourMs * 2 ** (counted.length - restoredAtOnce), 12 * hourMs);
    },
    calm: () => restored.clear(),
  };
}
