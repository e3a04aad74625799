/** What may happen around the operator, one thing at a time. */
import type { Contradiction } from '../../../src/dane/keystate.ts';
import type { Memory, Shown, World } from './keys-world.ts';
import { current, keysIn, next, nothing, now, oldest, served, stranger, tickMs } from './keys-world.ts';
import type { Step } from './explore.ts';

/** Which hands and accidents a case knows of. */
export interface Meddling {
  /** Ticks that the operator's clock may be set by, forward or back; a new term begins with it. */
  readonly jumps?: readonly number[];
  /** Someone doubles the TTL of our set, or deletes it, or deletes the Secret. */
  readonly hands?: boolean;
}

export function* moves(world: World, { jumps = [], hands = false }: Meddling): Iterable<Step<World>> {
  yield { how: 'a tick goes by', world: aged(world) };
  for (const index of world.servers.keys()) yield* catchUp(world, index);
  for (const index of world.hosts.keys()) yield* pickUp(world, index);
  for (const ticks of jumps) {
    const set = shifted(world, ticks);
    if (set !== undefined) yield { how: `the operator's clock is set ${ticks > 0 ? 'forward' : 'back'}`, world: set };
  }
  // Before the operator has seen his set nobody could know of it; then its message says what to do.
  if (!world.byUs && world.memory.rollover.contradicted !== undefined) yield* ofTheStranger(world);
  if (hands) yield* byHand(world);
}

/** Sets of values that no server shows any more are known for as long as a cache behind a cache keeps them. */
function remembered(world: World, gone: Shown): World['caches'] {
  if (gone.keys === '') return world.caches;
  // RFC 7671 §8.1 asks for two TTLs: some caches count anew what another cache told them.
  return { ...world.caches, [gone.keys]: Math.max(world.caches[gone.keys] ?? 0, 2 * gone.ttl) };
}

/** What a server gives out anyway needs no remembering. */
function tidied(world: World): World {
  const left = Object.entries(world.caches).filter(
    ([keys, ticks]) => ticks > 0 && !world.servers.some((shown) => shown.keys === keys && 2 * shown.ttl >= ticks),
  );
  return { ...world, caches: Object.fromEntries(left) };
}

const shiftedBy = (ticks: number, since: number): number => Math.max(now - oldest * tickMs, since - ticks * tickMs);

function older({ rollover, applied, ...rest }: Memory, ticks: number): Memory {
  const { goneSince, presentedSince, contradicted, nextContradicted, ...other } = rollover;
  const aged = ({ endedAt }: Contradiction): Contradiction =>
    endedAt === undefined ? {} : { endedAt: shiftedBy(ticks, endedAt) };
  return {
    ...rest,
    rollover: {
      ...other,
      ...(goneSince === undefined ? {} : { goneSince: shiftedBy(ticks, goneSince) }),
      ...(presentedSince === undefined ? {} : { presentedSince: shiftedBy(ticks, presentedSince) }),
      ...(contradicted === undefined ? {} : { contradicted: aged(contradicted) }),
      ...(nextContradicted === undefined ? {} : { nextContradicted: aged(nextContradicted) }),
    },
    applied: applied?.since === undefined ? applied : { ...applied, since: shiftedBy(ticks, applied.since) },
  };
}

function aged(world: World): World {
  const caches = Object.fromEntries(Object.entries(world.caches).map(([keys, left]) => [keys, left - 1]));
  return tidied({
    ...world,
    memory: older(world.memory, 1),
    leadsSince: world.leadsSince && shiftedBy(1, world.leadsSince),
    caches,
  });
}

/** By the operator's clock all that it stored is that much older, or younger, and nothing else is. */
function shifted(world: World, ticks: number): World | undefined {
  const memory = older(world.memory, ticks);
  const { goneSince, presentedSince, contradicted, nextContradicted } = memory.rollover;
  const times = [goneSince, presentedSince, contradicted?.endedAt, nextContradicted?.endedAt, memory.applied?.since];
  if (times.some((time) => time !== undefined && time > now + oldest * tickMs)) return undefined;
  return { ...world, memory, leadsSince: now };
}

const replaced = <T>(list: readonly T[], index: number, by: T): readonly T[] =>
  list.map((one, at) => (at === index ? by : one));

function* catchUp(world: World, index: number): Iterable<Step<World>> {
  const shown = world.servers[index];
  const { provider } = world;
  if (shown === undefined || (shown.keys === provider.keys && shown.ttl === provider.ttl)) return;
  const servers = replaced(world.servers, index, provider);
  yield { how: 'a name server catches up', world: tidied({ ...world, servers, caches: remembered(world, shown) }) };
}

function* pickUp(world: World, host: number): Iterable<Step<World>> {
  const pods = (world.hosts[host] ?? '').split('');
  for (const [index, key] of pods.entries()) {
    // Pods that serve the same key are as good as one another.
    if (world.secret === '' || key === world.secret || pods.indexOf(key) < index) continue;
    const hosts = replaced(world.hosts, host, replaced(pods, index, world.secret).join(''));
    yield { how: `a pod of host ${host + 1} takes up ${world.secret}`, world: { ...world, hosts } };
  }
}

/** Who published the set that stood before us does one of the things that our message offers. */
function* ofTheStranger(world: World): Iterable<Step<World>> {
  if (world.provider.keys === '') return;
  if (!world.provider.keys.includes(current)) {
    const provider: Shown = { ...world.provider, keys: `${world.provider.keys}${current}`.split('').sort().join('') };
    yield { how: 'the stranger adds our key to his set', world: { ...world, provider } };
  }
  if (world.provider.keys.includes(stranger))
    yield { how: 'the stranger removes his set', world: { ...world, provider: nothing } };
}

function* byHand(world: World): Iterable<Step<World>> {
  const { provider, secret, memory } = world;
  // One deed at a time: of what is done and undone between two looks nothing can know.
  if (secret === '' || (memory.rollover.published && !isAsApplied(world))) return;
  yield { how: 'someone deletes the Secret', world: { ...world, secret: '' } };
  if (!memory.rollover.published) return;
  yield { how: 'someone doubles the TTL of our set', world: { ...world, provider: { ...provider, ttl: 2 } } };
  yield { how: 'someone deletes our set', world: { ...world, provider: nothing } };
  // Who takes away what is served breaks it, and no operator can help.
  if (provider.keys === current + next && secret !== next && !served(world).includes(next))
    yield {
      how: 'someone takes the next key out of our set',
      world: { ...world, provider: { ...provider, keys: current } },
    };
}

/** The operator has seen what it wrote, at every server. */
function isAsApplied({ provider, memory: { applied } }: World): boolean {
  if (applied?.since === undefined || provider.ttl !== 1) return false;
  return provider.keys === keysIn(applied.values);
}
