import { capabilitiesOf } from '../../src/api/capabilities.ts';
import type { Capabilities, Provider, RecordChange } from '../../src/apply/providers/provider.ts';
import { type RecordSet, equalSets } from '../../src/dns/rrset.ts';
import { MailsealError } from '../../src/errors.ts';

export interface FakeProvider extends Provider {
  /** Every call of apply that got through, in order. */
  readonly applied: readonly (readonly RecordChange[])[];
  /** All sets of a zone. */
  readonly sets: (zone: string) => readonly RecordSet[];
  /** Changes a set behind the product's back; without values it is removed. */
  readonly setByHand: (zone: string, set: RecordSet) => void;
  /** The next call throws this. */
  readonly failNext: (error: MailsealError) => void;
}

function keyOf(name: string, type: string): string {
  return `${name} ${type}`;
}

/** Whether a CNAME would stand beside something else at a name (RFC 1034 §3.6.2). */
function crowded(sets: ReadonlyMap<string, RecordSet>): string | undefined {
  const aliases = [...sets.values()].filter(({ type }) => type === 'CNAME').map(({ name }) => name);
  return aliases.find((alias) => [...sets.values()].filter(({ name }) => name === alias).length > 1);
}

/**
 * A provider in memory that compares `before` with what stands and makes all changes of a call or none. As real
 * servers, it lets nothing stand beside a CNAME; `longestTtl` (seconds) is what it cuts longer TTLs down to.
 */
export function fakeProvider(
  zones: Readonly<Record<string, readonly RecordSet[]>>,
  capabilities: Partial<Capabilities> = {},
  { longestTtl = Number.POSITIVE_INFINITY }: { readonly longestTtl?: number } = {},
): FakeProvider {
  const content = new Map(
    Object.entries(zones).map(([zone, sets]) => [zone, new Map(sets.map((set) => [keyOf(set.name, set.type), set]))]),
  );
  const applied: (readonly RecordChange[])[] = [];
  let failure: MailsealError | undefined;
  const zoneOf = (zone: string): Map<string, RecordSet> => {
    const error = failure;
    failure = undefined;
    if (error !== undefined) throw error;
    const sets = content.get(zone);
    if (sets === undefined) throw new MailsealError('ZoneNotFound', `there is no zone ${zone}`, { kind: 'Stalled' });
    return sets;
  };
  const holds = (sets: Map<string, RecordSet>, { name, type, before }: RecordChange): boolean => {
    const standing = sets.get(keyOf(name, type));
    return standing === undefined || before === undefined ? standing === before : equalSets(standing, before);
  };
  return {
    capabilities: { ...capabilitiesOf.rfc2136, ...capabilities },
    share: ({ after }) => (1 + (after?.values.length ?? 0)) / 50,
    applied,
    sets: (zone) => [...(content.get(zone)?.values() ?? [])],
    setByHand: (zone, set) => {
      if (set.values.length === 0) content.get(zone)?.delete(keyOf(set.name, set.type));
      else content.get(zone)?.set(keyOf(set.name, set.type), set);
    },
    failNext: (error) => {
      failure = error;
    },
    list: async (zone, sought) =>
      [...zoneOf(zone).values()].filter((set) =>
        sought.some(({ name, type }) => set.name === name && (set.type === type || set.type === 'CNAME')),
      ),
    apply: async (zone, changes) => {
      const sets = zoneOf(zone);
      const changed = changes.find((change) => !holds(sets, change));
      if (changed !== undefined) throw new MailsealError('RecordChanged', `${changed.name} has changed`);
      const next = new Map(sets);
      for (const { name, type, after } of changes) {
        if (after === undefined) next.delete(keyOf(name, type));
        else next.set(keyOf(name, type), { ...after, ttl: Math.min(after.ttl, longestTtl) });
      }
      const alias = crowded(next);
      if (alias !== undefined) throw new MailsealError('RecordChanged', `a CNAME stands at ${alias}`);
      content.set(zone, next);
      applied.push(changes);
    },
  };
}
