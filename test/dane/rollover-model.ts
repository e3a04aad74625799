/**
 * A model of the world around a rollover, for tests and for the long campaign.
 *
 * Two name servers that lag, two MX addresses that lag, a prober that does not always see, an operator that may die
 * before either write, zones and wishes that change at any time, a state that is lost, or put back to any older one, and
 * a Secret that is deleted. After each tick I1 of the invariants must hold: every
 * key that a host serves is in every record set that some cache may still hold.
 */
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { RolloverFacts, RolloverState } from '../../src/dane/keystate.ts';
import { gate, step } from '../../src/dane/rollover.ts';
import { tlsaOfKey } from '../../src/dane/tlsa.ts';

export const hour: number = 3_600_000;
const ttlMs = hour;
const gateMs = gate({ ttls: { old: 3600, new: 3600 }, settleSeconds: 0 });

interface Shown {
  readonly keys: readonly string[];
  readonly from: number;
  until: number;
}

export interface World {
  now: number;
  state: RolloverState;
  secret: string | undefined;
  readonly hosts: (string | undefined)[];
  target: readonly string[];
  /** What each server showed, the last one now. */
  readonly servers: Shown[][];
  keysMade: number;
  spare: string | undefined;
  rotations: number;
  restores: number;
  /** All states that were ever stored, and the spare key stored with each. */
  readonly backups: Pick<World, 'state' | 'spare'>[];
}

const key = (index: number): string => index.toString(16).padStart(64, '0');

export function newWorld(): World {
  const nothing = (): Shown => ({ keys: [], from: 0, until: Infinity });
  return {
    now: 1,
    state: { phase: 'Steady', current: key(1), next: key(2), published: false },
    secret: undefined,
    // One host has a key of former times, the other none yet.
    hosts: [key(0xffff), undefined],
    target: [],
    servers: [[nothing()], [nothing()]],
    keysMade: 2,
    spare: undefined,
    rotations: 0,
    restores: 0,
    backups: [],
  };
}

/** Mostly the first value, now and then another. */
function mostly<T>(usual: T, ...others: readonly T[]): fc.Arbitrary<T> {
  return fc.oneof({ weight: 6, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(...others) });
}

/** The facts of one step in time that come from outside. */
export interface Tick extends Pick<RolloverFacts, 'wanted' | 'held' | 'dane' | 'zone'> {
  /** Milliseconds since the step before. */
  readonly after: number;
  readonly certified: boolean;
  readonly serversUpdate: readonly [boolean, boolean];
  readonly hostsRestart: readonly [boolean, boolean];
  readonly seen: readonly [boolean, boolean];
  readonly writesDns: boolean;
  readonly writesSecret: boolean;
  /** What happens to the durable state first; `older`: a number that chooses among all earlier ones. */
  readonly loss: 'Nothing' | 'Older' | 'Lost' | 'SecretLost' | 'AllLost';
  readonly older: number;
}

const tick: fc.Arbitrary<Tick> = fc.record({
  after: fc.constantFrom(60_000, hour / 2, hour, 3 * hour, 8 * 24 * hour),
  wanted: mostly<RolloverFacts['wanted']>('RotateNow', 'Nothing', 'Rotate', 'Compromised', 'Back'),
  held: mostly(false, true),
  dane: mostly<RolloverFacts['dane']>('Auto', 'Off'),
  zone: mostly<RolloverFacts['zone']>('Secure', 'InMotion', 'Insecure', 'Bogus', 'Unknown'),
  certified: mostly(true, false),
  serversUpdate: fc.tuple(mostly(true, false), mostly(true, false)),
  hostsRestart: fc.tuple(mostly(true, false), mostly(true, false)),
  seen: fc.tuple(mostly(true, false), mostly(true, false)),
  writesDns: mostly(true, false),
  writesSecret: mostly(true, false),
  loss: fc.oneof(
    { weight: 60, arbitrary: fc.constant<Tick['loss']>('Nothing') },
    { weight: 1, arbitrary: fc.constantFrom<Tick['loss']>('Older', 'Lost', 'SecretLost', 'AllLost') },
  ),
  older: fc.nat(1000),
});

/** The same weather for a while. */
const spell = fc.record({ tick, times: fc.integer({ min: 1, max: 6 }) });

function current(server: readonly Shown[]): Shown {
  return server.at(-1) ?? { keys: [], from: 0, until: Infinity };
}

/** Since when all servers show the key, each without a gap. */
function standing(world: World, one: string): number | undefined {
  const since = world.servers.map((server) => {
    let from: number | undefined;
    for (const shown of server) from = shown.keys.includes(one) ? (from ?? shown.from) : undefined;
    return from;
  });
  return since.every((from) => from !== undefined) ? Math.max(...since) : undefined;
}

function makeKey(world: World): string {
  world.keysMade += 1;
  return key(world.keysMade);
}

/** What the plan makes of no state at all: the key that the Secret holds goes on, the next one is new. */
function beginAnew(world: World): void {
  const current = world.secret ?? makeKey(world);
  world.state = { phase: 'Steady', current, next: makeKey(world), published: false };
  world.spare = undefined;
}

function lose(world: World, { loss, older }: Tick): void {
  // What was withdrawn and is still cached nobody can know of who lost the memory of it.
  if (loss === 'Nothing' || (world.target.length === 0 && cachedSets(world).length > 0)) return;
  world.restores += 1;
  if (loss === 'SecretLost' || loss === 'AllLost') world.secret = undefined;
  if (loss === 'Lost' || loss === 'AllLost') beginAnew(world);
  const backup = world.backups[older % Math.max(1, world.backups.length)];
  if (loss === 'Older' && backup !== undefined) Object.assign(world, backup);
}

export function letTimePass(world: World, one: Tick): void {
  world.now += one.after;
  lose(world, one);
  for (const [index, server] of world.servers.entries()) {
    if (one.serversUpdate[index] !== true || current(server).keys.join() === world.target.join()) continue;
    current(server).until = world.now;
    server.push({ keys: world.target, from: world.now, until: Infinity });
  }
  for (const index of world.hosts.keys()) {
    if (one.hostsRestart[index] === true && world.secret !== undefined) world.hosts[index] = world.secret;
  }
}

export function factsOf(world: World, one: Tick): RolloverFacts {
  const keys = Array.from({ length: world.keysMade }, (_, index) => key(index + 1));
  const stands = keys.map((each) => [each, standing(world, each)] as const).filter(([, since]) => since !== undefined);
  return {
    now: world.now,
    wanted: one.wanted,
    held: one.held,
    dane: one.dane,
    zone: one.zone,
    standing: Object.fromEntries(stands) as Record<string, number>,
    gateMs,
    certificates: one.certified ? keys : [],
    delivered: world.secret,
    spare: world.spare,
    presented: world.hosts.map((host, index) => ({
      address: `192.0.2.${index}`,
      key: one.seen[index] === true ? host : undefined,
    })),
    attested: [],
    live: world.servers.map((server, index) => ({
      name: `server ${index}`,
      outcome: current(server).keys.length === 0 ? 'Absent' : 'Secure',
      values: current(server).keys.map(tlsaOfKey),
    })),
    relied: world.target.map(tlsaOfKey),
    adopt: false,
  };
}

export function reconcile(world: World, one: Tick): void {
  const result = step(world.state, factsOf(world, one));
  world.state = result.state;
  if (result.makeSpare && world.spare === undefined) world.spare = makeKey(world);
  if (result.rotatedOut !== undefined) {
    world.spare = undefined;
    world.rotations += 1;
  }
  world.backups.push({ state: world.state, spare: world.spare });
  if (one.writesDns && result.publish !== 'Keep')
    world.target = result.publish.map((value) => value.slice('3 1 1 '.length));
  if (one.writesSecret) world.secret = result.deliver;
}

function cachedSets(world: World): readonly Shown[] {
  return world.servers.flat().filter((shown) => shown.keys.length > 0 && shown.until + ttlMs > world.now);
}

/** @throws AssertionError where a host serves a key that some cache may not know. */
export function checkI1(world: World): void {
  const cached = cachedSets(world);
  for (const host of world.hosts) {
    if (host === undefined) continue;
    for (const { keys } of cached)
      assert(keys.includes(host), `a host serves ${host}, and a cache may hold ${keys.join()}`);
  }
}

/**
 * Lets that many worlds run through weather of every kind and checks I1 after each half-step.
 * @throws Error of fast-check, with the shortest weather that breaks it and the seed that finds it again.
 */
export function runWorlds(
  runs: number,
  seed?: number,
): { readonly worlds: number; readonly ticks: number; readonly rotations: number; readonly restores: number } {
  const sum = { worlds: 0, ticks: 0, rotations: 0, restores: 0 };
  const property = fc.property(fc.array(spell, { minLength: 20, maxLength: 40, size: 'max' }), (spells) => {
    const world = newWorld();
    sum.worlds += 1;
    for (const one of spells.flatMap(({ tick, times }) => Array.from({ length: times }, () => tick))) {
      const before = world.rotations;
      letTimePass(world, one);
      checkI1(world);
      reconcile(world, one);
      checkI1(world);
      sum.ticks += 1;
      sum.rotations += world.rotations - before;
    }
    sum.restores += world.restores;
  });
  fc.assert(property, { numRuns: runs, ...(seed === undefined ? {} : { seed }) });
  return sum;
}
