/** The key rollover in its world: what the operator may do next, what else may happen, and what must never be. */
import { step } from '../../../src/dane/rollover.ts';
import type { RolloverFacts, RolloverStep } from '../../../src/dane/keystate.ts';
import type { AppliedSet } from '../../../src/plan/state.ts';
import { everyChoice } from './choices.ts';
import type { Model, Step } from './explore.ts';
import { see, type Seen, type Weather } from './keys-facts.ts';
import { decide, type Decided, delivered, type Machine, withoutStaleIntent } from './keys-look.ts';
import { type Meddling, moves } from './keys-moves.ts';
import {
  current,
  keyOfLetter,
  lookKey,
  letterOf,
  type Memory,
  memoryKey,
  next,
  now,
  oldest,
  renamed,
  type Shown,
  tickMs,
  unmatched,
  type World,
  worldKey,
} from './keys-world.ts';

/** One bounded case: where it begins, and what may happen in it. */
export interface Case extends Weather, Meddling {
  readonly name: string;
  /** What the pods behind each host serve at first. */
  readonly hosts: readonly string[];
  /** The TLSA set that stands at first, and is not ours. */
  readonly stands: string;
  readonly servers: number;
}

export const sound: Machine = {
  step,
  shows: (servers: readonly Shown[], keys: string): boolean => servers.every((shown) => shown.keys === keys),
};

export function keysModel(bounds: Case, machine: Machine = sound): Model<World> {
  const looked = new Map<string, readonly Look[]>();
  const looksAt = (world: World): readonly Look[] => {
    const key = lookKey(world);
    const known = looked.get(key) ?? everyLook(world, bounds, machine);
    looked.set(key, known);
    return known;
  };
  return {
    initial: [{ how: `at first, ${bounds.name}`, world: firstWorld(bounds) }],
    keyOf: worldKey,
    wrong: unmatched,
    *next(world) {
      yield* looks(world, looksAt(world));
      yield* moves(world, bounds);
    },
  };
}

function firstWorld({ hosts, stands, servers, jumps }: Case): World {
  const shown: Shown = { keys: stands, ttl: 1 };
  const [one, other] = [keyOfLetter(current), keyOfLetter(next)];
  return {
    memory: {
      rollover: { phase: 'Steady', current: one, next: other, published: false },
      applied: undefined,
      spare: undefined,
    },
    leadsSince: jumps === undefined ? undefined : now - oldest * tickMs,
    secret: '',
    hosts,
    provider: shown,
    byUs: false,
    servers: Array.from({ length: servers }, () => shown),
    caches: {},
  };
}

/** A look that came to something: what it says, what it did, and what is wrong with that. */
interface Look {
  readonly how: string;
  readonly decided: Decided;
  readonly wrong: string | undefined;
}

function* looks(world: World, looked: readonly Look[]): Iterable<Step<World>> {
  for (const { how, decided, wrong } of looked) {
    for (const [end, after] of endings(world, decided)) {
      const named = renamed(after);
      if (named !== undefined) yield { how: `${how}${end}`, world: named, wrong };
    }
  }
}

/** Every outcome that a look may have, whatever it is told. */
function everyLook(world: World, weather: Weather, machine: Machine): readonly Look[] {
  const known = new Set<string>();
  const found: Look[] = [];
  const memory = withoutStaleIntent(world);
  const all = everyChoice((choose) => {
    const seen = see(world, memory, weather, choose);
    const result = machine.step(memory.rollover, seen.facts);
    const wrong = misdeed(world, seen, result);
    const decided = decide(world, memory, result, seen, machine);
    return { decided, wrong };
  });
  for (const { result, chosen } of all) {
    const key = `${result.wrong ?? ''} ${decisionKey(result.decided)}`;
    if (known.has(key)) continue;
    known.add(key);
    found.push({ ...result, how: `the operator looks${chosen === '' ? '' : ` (${chosen})`}` });
  }
  return found;
}

/** The same for looks that store and write the same. */
const decisionKey = ({ memory, secret, writes }: Decided): string =>
  `${memoryKey(memory)} ${secret} ${writes === undefined ? 'nothing' : `${writes.keys}*${writes.ttl}`}`;

/** It may be killed after each write, and does not store at once what merely confirms. */
function* endings(world: World, { memory, secret, writes }: Decided): Iterable<readonly [string, World]> {
  const written = (before: World): World =>
    writes === undefined ? before : { ...before, provider: writes, byUs: writes.keys !== '' };
  const stored: World = { ...world, memory };
  const delivered: World = { ...stored, secret };
  yield ['', written(delivered)];
  yield [', and is killed when it has stored', stored];
  if (secret !== world.secret) yield [', and is killed when it has delivered', delivered];
  // What makes a set younger than was known is stored at once, and so is what goes before a removal.
  const undated = world.memory.applied?.since !== undefined && memory.applied?.since === undefined;
  if (!undated && writes?.keys !== '' && memoryKey(inEssence(memory)) === memoryKey(inEssence(world.memory)))
    yield [', and stores later what it saw', written({ ...world, secret })];
}

/** Without what `assemble` may store later. */
function inEssence({ rollover, applied, spare: made }: Memory): Memory {
  const { since: _since, ...undated } = applied ?? { since: undefined };
  const entry = applied && ({ ...undated, standing: 'Intended' } as AppliedSet);
  return { rollover: { ...rollover, published: false }, applied: entry, spare: made };
}

/** What is wrong with what the operator did, whether or not it does harm. */
function misdeed(world: World, { facts, asked }: Seen, result: RolloverStep): string | undefined {
  const secret = delivered(world, result);
  const before = world.memory.rollover;
  if (secret !== world.secret) {
    const lacking = world.servers.find(({ keys }) => keys !== '' && !keys.includes(secret));
    if (lacking !== undefined)
      return `I17: ${secret} is delivered, and a name server shows the TLSA set ${lacking.keys}`;
    const swapped = [before.current, before.next].map(letterOf).includes(world.secret);
    const zone = asked.zone ?? 'Unknown';
    if (swapped && (zone === 'Unknown' || zone === 'Bogus' || zone === 'InMotion'))
      return `I18: the key is swapped, and nothing proves that the zone is secure: ${zone}`;
    if (asked.live === undefined || asked.live.some(({ outcome }) => outcome === 'Unknown'))
      return `I18: ${secret} is delivered, and what TLSA records senders see is Unknown`;
  }
  const kept = result.state;
  const given = before.phase === 'Retiring' ? before.next : before.phase === 'Swapping' ? before.next : before.current;
  const decidedToDrop =
    result.rotatedOut !== undefined ||
    (before.adopted !== undefined && kept.adopted === undefined && facts.dane === 'Auto');
  if (decidedToDrop) {
    const proofs = [...(asked.presented ?? []), ...(asked.attested ?? [])].map(({ key }) => key);
    const zoneIsKnown = asked.zone === 'Secure' || (asked.zone === 'Insecure' && !before.published);
    if (!zoneIsKnown || proofs.length === 0 || proofs.some((key) => key !== given))
      return `I18: a TLSA record is to go, and what every host presents, or the zone, is Unknown`;
  }
  return renewalStopped(world, result);
}

/** I19: whatever is held, lags or waits, the key in the Secret is renewed and delivered anew. */
function renewalStopped(world: World, result: RolloverStep): string | undefined {
  const { current: one, next: other } = result.state;
  const held = world.secret === '' ? undefined : keyOfLetter(world.secret);
  if (held !== one && held !== other) return undefined;
  if (result.deliver === undefined) return `I19: the hosts have ${world.secret}, and nothing may be delivered`;
  if (result.certify.includes(result.deliver)) return undefined;
  return `I19: the hosts have ${letterOf(result.deliver)}, and its certificate is not renewed`;
}

export const everyZone: readonly RolloverFacts['zone'][] = ['Secure', 'InMotion', 'Insecure', 'Bogus', 'Unknown'];
