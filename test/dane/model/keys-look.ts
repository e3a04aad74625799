/** What one look of the operator makes of what it sees: the real step, and the real plan of the TLSA set. */
import { covered } from '../../../src/dane/keystate.ts';
import type { RolloverStep } from '../../../src/dane/keystate.ts';
import type { step } from '../../../src/dane/rollover.ts';
import type { Answer } from '../../../src/dns/answer.ts';
import { equalSets } from '../../../src/dns/rrset.ts';
import type { RecordView, WantedSet } from '../../../src/plan/record-view.ts';
import { planRecords } from '../../../src/plan/records.ts';
import type { AppliedSet } from '../../../src/plan/state.ts';
import { isMarked, name, relied, type Seen, setOf } from './keys-facts.ts';
import {
  keyOfLetter,
  keysIn,
  letterOf,
  type Memory,
  nothing,
  now,
  type Shown,
  spare,
  tickSeconds,
  valuesOf,
  type World,
} from './keys-world.ts';

/** What of the operator a mutant may replace. */
export interface Machine {
  readonly step: typeof step;
  /** Whether the name servers show this set. */
  readonly shows: (servers: readonly Shown[], keys: string) => boolean;
}

const record = `${name} TLSA`;
const place = { provider: 'p', zone: 'example' } as const;
const traits = {
  p: { type: 'rfc2136', policy: 'Full', tlsa: true, shortestTtl: 0, settleSeconds: 0, exactTtl: true },
} as const;

/** The outside resolver's answer. */
const answerOf = (keys: string | undefined): Answer => ({
  name,
  type: 'TLSA',
  outcome: keys === undefined ? 'Unreachable' : keys === '' ? 'NoData' : 'Found',
  authentic: keys !== undefined,
  canonicalName: name,
  values: keys === undefined ? [] : valuesOf(keys),
  ttl: tickSeconds,
  wildcard: false,
  detail: undefined,
});

/** What the operator would store and write. */
export interface Decided {
  readonly memory: Memory;
  /** The key in the Secret, by its letter. */
  readonly secret: string;
  /** The set that is to stand instead; undefined where nothing is written. */
  readonly writes: Shown | undefined;
}

export const delivered = (world: World, { deliver }: RolloverStep): string =>
  deliver === undefined ? world.secret : letterOf(deliver);

export function decide(world: World, memory: Memory, result: RolloverStep, seen: Seen, machine: Machine): Decided {
  const records = planRecords({
    wanted: wantedSets(world, memory, result, seen),
    applied: memory.applied === undefined ? [] : [memory.applied],
    views: new Map([[record, viewOf(world, memory, machine, seen)]]),
    marked: () => isMarked(world, memory.applied),
    stranger: () => undefined,
    traits,
    leads: undefined,
    adopt: seen.facts.adopt ? new Set([record]) : new Set(),
    now,
  });
  const [change] = records.changes;
  const after = change?.change.after;
  const made = memory.spare ?? (result.makeSpare ? keyOfLetter(spare) : undefined);
  return {
    memory: {
      rollover: result.state,
      applied: records.applied[0],
      spare: result.rotatedOut === undefined ? made : undefined,
    },
    secret: delivered(world, result),
    writes: change && (after === undefined ? nothing : { keys: keysIn(after.values), ttl: after.ttl / tickSeconds }),
  };
}

/** As `planExchanger` has it: what stands beside our mark otherwise than intended was published by a later state. */
export function withoutStaleIntent({ memory, provider, byUs }: World): Memory {
  const live = setOf(provider);
  const intended = byUs && live !== undefined && memory.applied?.standing === 'Intended';
  return intended && !equalSets(live, memory.applied) ? { ...memory, applied: undefined } : memory;
}

function viewOf(world: World, { applied }: Memory, machine: Machine, { outside }: Seen): RecordView {
  const live = setOf(world.provider);
  const common = { live, inside: undefined, synthesised: false, negativeTtl: tickSeconds } as const;
  if (live === undefined) return { ...common, servers: undefined, outside: undefined };
  return machine.shows(world.servers, keysIn(applied?.values ?? []))
    ? { ...common, servers: { ok: true }, outside: answerOf(outside()) }
    : { ...common, servers: { ok: false, kind: 'ServerLagging', why: 'one lags' }, outside: undefined };
}

/** As `wantedRecords` has it, for hosts whose sets are one. */
function wantedSets(world: World, memory: Memory, { publish, state }: RolloverStep, seen: Seen): readonly WantedSet[] {
  const set = (values: readonly string[], hold?: string): readonly WantedSet[] => {
    const risky = world.provider.keys === '' && !covered(values, seen.facts.presented);
    const ttl = seen.ttl() * tickSeconds;
    return [{ ...place, name, type: 'TLSA', ttl, values, settleSeconds: 0, hold: risky ? 'waits' : hold }];
  };
  if (publish !== 'Keep') return publish.length === 0 ? [] : set(publish);
  const stands = kept(world, memory);
  if (stands !== undefined) return set(stands.values, stands.hold);
  if (seen.facts.dane === 'Off' || seen.facts.zone !== 'Secure') return [];
  return set(valuesOf([state.current, state.next].map(letterOf).sort().join('')), 'waits');
}

function kept(
  world: World,
  memory: Memory,
): { readonly values: AppliedSet['values']; readonly hold?: string } | undefined {
  const ours = relied(world, memory);
  const { applied } = memory;
  if (applied === undefined) return ours.length === 0 ? undefined : { values: ours, hold: 'waits' };
  const values = [...new Set([...applied.values, ...ours])].sort();
  const live = setOf(world.provider);
  if (applied.since !== undefined || (live !== undefined && equalSets(live, applied))) return { values };
  return ours.length === 0 ? undefined : { values, hold: 'waits' };
}
