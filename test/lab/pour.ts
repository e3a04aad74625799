/**
 * What an emulated DNS API holds, poured into a zone of the lab's BIND: the name servers of an API show what it
 * accepted a while later, or, where nobody pours, never.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type RecordSet, equalSets } from '../../src/dns/rrset.ts';
import { quoteTxt } from '../../src/dns/txt.ts';
import type { Nsupdate } from './dns-update.ts';

export interface PourSpec {
  readonly zone: string;
  /** What the emulator holds, in the canonical form. */
  readonly read: (zone: string) => Promise<readonly RecordSet[]>;
  /** Takes lines of nsupdate as one message: `Bind.dynamicUpdate`. */
  readonly write: Nsupdate;
  /** How long after the emulator holds it a change is shown. */
  readonly delayMs: number;
  readonly signal: AbortSignal;
}

type Sets = ReadonlyMap<string, RecordSet>;

/** How often the emulator is asked. */
const everyMs = 50;

/**
 * Pours until `signal` says no more; what waits then is never shown. What the zone holds beside stays. Rejects when
 * the emulator or the name server fails.
 */
export async function pour({ zone, read, write, delayMs, signal }: PourSpec): Promise<void> {
  let [shown, held]: readonly [Sets, Sets] = [new Map(), new Map()];
  const waiting: { readonly due: number; readonly sets: Sets }[] = [];
  while (!signal.aborted) {
    const sets: Sets = new Map((await read(zone)).map((set) => [`${set.name} ${set.type}`, set]));
    if (differences(held, sets).length > 0) waiting.push({ due: Date.now() + delayMs, sets });
    held = sets;
    while (!signal.aborted && (waiting[0]?.due ?? Number.POSITIVE_INFINITY) <= Date.now()) {
      const next = waiting.shift()?.sets ?? shown;
      const lines = differences(shown, next);
      if (lines.length > 0) await write([`zone ${zone}`, ...lines].join('\n'));
      shown = next;
    }
    await sleep(everyMs, undefined, { signal }).catch(() => undefined);
  }
}

/** Lines of nsupdate that lead from one to the other; what goes, goes first, for an alias leaves room for nothing. */
function differences(from: Sets, to: Sets): readonly string[] {
  const isIn = (sets: Sets, key: string, set: RecordSet): boolean => {
    const other = sets.get(key);
    return other !== undefined && equalSets(other, set, { ttl: true });
  };
  const gone = [...from].filter(([key, set]) => !isIn(to, key, set));
  const added = [...to].filter(([key, set]) => !isIn(from, key, set));
  return [
    ...gone.map(([, { name, type }]) => `update delete ${name}. ${type}`),
    ...added.flatMap(([, set]) =>
      set.values.map((value) => `update add ${set.name}. ${set.ttl} ${set.type} ${onWire(set, value)}`),
    ),
  ];
}

function onWire({ type }: RecordSet, value: string): string {
  if (type === 'TXT') return quoteTxt(value);
  return type === 'CNAME' ? `${value}.` : value;
}
