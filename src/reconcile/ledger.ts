/** What we keep in each zone, for all objects, and how much of it was changed or removed lately. */
import type { DNSProvider } from '../api/types.ts';
import type { Clock } from '../clock.ts';
import type { Change } from '../plan/change.ts';
import {
  allowedUntil,
  countedMs,
  isDestructive,
  isTooMuch,
  longestCountedMs,
  tooMuchWords,
} from '../plan/masschange.ts';
import { recordKey } from '../plan/record-view.ts';
import type { AppliedSet } from '../plan/state.ts';

export interface Ledger {
  /** What stands by us for an object, as it is looked at: whatever it asked for before is forgotten. */
  readonly note: (owner: string, applied: readonly AppliedSet[]) => void;
  /** The changes of an object that may be made, which are counted, and why the others may not. */
  readonly admit: (
    asked: {
      readonly owner: string;
      readonly changes: readonly Change[];
      /** By what its status says, some of its changes were refused, perhaps by an operator that led before. */
      readonly wasRefused: boolean;
    },
    providerOf: (name: string) => DNSProvider | undefined,
  ) => { readonly changes: readonly Change[]; readonly refused: readonly string[] };
}

interface Zone {
  /** Record sets by object. */
  readonly kept: Map<string, number>;
  /** When each record set was last changed or removed, within the time that is counted. */
  readonly touched: Map<string, number>;
  /** By record set, which object was refused its change, and when it last asked. */
  readonly wanted: Map<string, { readonly owner: string; readonly at: number }>;
}

const keyOf = ({ provider, zone }: { readonly provider: string; readonly zone: string }): string =>
  `${provider} ${zone}`;

/** What comes beyond waits for a word; then what was made counts for longer, so that no part goes every hour. */
function forgetOld({ touched, wanted }: Zone, now: number): void {
  for (const [key, { at }] of wanted) if (at <= now - countedMs) wanted.delete(key);
  const lastsMs = wanted.size === 0 ? countedMs : longestCountedMs;
  for (const [key, at] of touched) if (at <= now - lastsMs) touched.delete(key);
}

export function createLedger(clock: Clock): Ledger {
  const startedAt = clock.now();
  const zones = new Map<string, Zone>();
  /** By object, the zones that it was noted in. */
  const noted = new Map<string, readonly string[]>();
  const zoneOf = (key: string): Zone => {
    const known = zones.get(key) ?? { kept: new Map(), touched: new Map(), wanted: new Map() };
    zones.set(key, known);
    return known;
  };

  const forgetWanted = (owner: string): void => {
    for (const { wanted } of zones.values())
      for (const [record, one] of wanted) if (one.owner === owner) wanted.delete(record);
  };

  const note: Ledger['note'] = (owner, applied) => {
    forgetWanted(owner);
    for (const key of noted.get(owner) ?? []) zones.get(key)?.kept.delete(owner);
    const sets = Map.groupBy(
      applied.filter(({ standing }) => standing !== 'Found'),
      keyOf,
    );
    for (const [key, own] of sets) zoneOf(key).kept.set(owner, own.length);
    if (sets.size === 0) noted.delete(owner);
    else noted.set(owner, [...sets.keys()]);
  };

  const judge = (
    owner: string,
    change: Extract<Change, { do: 'Records' }>,
    { provider, wasRefused }: { readonly provider: DNSProvider | undefined; readonly wasRefused: boolean },
  ): string | undefined => {
    const destructive = new Set(change.changes.filter(isDestructive).map(recordKey));
    if (destructive.size === 0) return undefined;
    const now = clock.now();
    const zone = zoneOf(keyOf(change));
    forgetOld(zone, now);
    const { kept, touched, wanted } = zone;
    const all = new Set([...touched.keys(), ...wanted.keys(), ...destructive]);
    const ours = [...kept.values()].reduce((sum, count) => sum + count, 0);
    // Whoever leads anew has seen nothing of the others yet.
    const isHeld = wasRefused && now < startedAt + countedMs;
    if (now >= allowedUntil(provider, now) && (isHeld || isTooMuch(ours, all.size))) {
      // One object that alone asks for too much holds up no other.
      if (!isTooMuch(ours, destructive.size)) for (const key of destructive) wanted.set(key, { owner, at: now });
      return tooMuchWords(change.zone, change.provider, isHeld ? undefined : { ours, touched: all.size });
    }
    for (const key of destructive) touched.set(key, now);
    return undefined;
  };

  const admit: Ledger['admit'] = ({ owner, changes, wasRefused }, providerOf) => {
    const refused: string[] = [];
    const admitted = changes.filter((change) => {
      if (change.do !== 'Records') return true;
      const why = judge(owner, change, { provider: providerOf(change.provider), wasRefused });
      if (why !== undefined) refused.push(why);
      return why === undefined;
    });
    return { changes: admitted, refused };
  };
  return { note, admit };
}
