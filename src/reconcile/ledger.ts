/** What we keep in each zone, for all objects, and how much of it was changed or removed lately. */
import type { DNSProvider } from '../api/types.ts';
import type { Clock } from '../clock.ts';
import type { Change } from '../plan/change.ts';
import { allowedUntil, countedMs, isDestructive, isTooMuch, tooMuchWords } from '../plan/masschange.ts';
import { recordKey } from '../plan/record-view.ts';
import type { AppliedSet } from '../plan/state.ts';

export interface Ledger {
  /** What stands by us for an object, as it is looked at. */
  readonly note: (owner: string, applied: readonly AppliedSet[]) => void;
  /** The changes that may be made, which are counted, and why the others may not. */
  readonly admit: (
    changes: readonly Change[],
    providerOf: (name: string) => DNSProvider | undefined,
  ) => { readonly changes: readonly Change[]; readonly refused: readonly string[] };
}

interface Zone {
  /** Record sets by object. */
  readonly kept: Map<string, number>;
  /** When each record set was last changed or removed, within the time that is counted. */
  readonly touched: Map<string, number>;
  /** When more was last refused: until that is an hour ago, nothing more of the kind is done. */
  refusedAt?: number;
}

const keyOf = ({ provider, zone }: { readonly provider: string; readonly zone: string }): string =>
  `${provider} ${zone}`;

export function createLedger(clock: Clock): Ledger {
  const zones = new Map<string, Zone>();
  /** By object, the zones that it was noted in. */
  const noted = new Map<string, readonly string[]>();
  const zoneOf = (key: string): Zone => {
    const known = zones.get(key) ?? { kept: new Map(), touched: new Map() };
    zones.set(key, known);
    return known;
  };

  const note: Ledger['note'] = (owner, applied) => {
    for (const key of noted.get(owner) ?? []) zones.get(key)?.kept.delete(owner);
    const sets = Map.groupBy(
      applied.filter(({ standing }) => standing !== 'Found'),
      keyOf,
    );
    for (const [key, own] of sets) zoneOf(key).kept.set(owner, own.length);
    if (sets.size === 0) noted.delete(owner);
    else noted.set(owner, [...sets.keys()]);
  };

  const judge = (change: Extract<Change, { do: 'Records' }>, provider: DNSProvider | undefined): string | undefined => {
    const destructive = change.changes.filter(isDestructive).map(recordKey);
    if (destructive.length === 0) return undefined;
    const now = clock.now();
    const zone = zoneOf(keyOf(change));
    const { kept, touched } = zone;
    for (const [key, at] of touched) if (at <= now - countedMs) touched.delete(key);
    const all = new Set([...touched.keys(), ...destructive]);
    const ours = [...kept.values()].reduce((sum, count) => sum + count, 0);
    const isClosed = zone.refusedAt !== undefined && now < zone.refusedAt + countedMs;
    if (now >= allowedUntil(provider, now) && (isClosed || isTooMuch(ours, all.size))) {
      zone.refusedAt = now;
      return tooMuchWords(change.zone, change.provider, ours, all.size);
    }
    for (const key of destructive) touched.set(key, now);
    return undefined;
  };

  const admit: Ledger['admit'] = (changes, providerOf) => {
    const refused: string[] = [];
    const admitted = changes.filter((change) => {
      if (change.do !== 'Records') return true;
      const why = judge(change, providerOf(change.provider));
      if (why !== undefined) refused.push(why);
      return why === undefined;
    });
    return { changes: admitted, refused };
  };
  return { note, admit };
}
