/** What one look of the operator may be told of the world. Whatever is asked may have any answer that can be true then. */
import type { LiveSet, RolloverFacts } from '../../../src/dane/keystate.ts';
import { gate } from '../../../src/dane/rollover.ts';
import { equalSets, type RecordSet } from '../../../src/dns/rrset.ts';
import { owned } from '../../../src/plan/ownership.ts';
import type { Choose } from './choices.ts';
import {
  answers,
  keyOfLetter,
  keysIn,
  type Memory,
  now,
  type Shown,
  tickSeconds,
  valuesOf,
  type World,
} from './keys-world.ts';

/** What a case lets the operator be told. */
export interface Weather {
  readonly wishes: readonly RolloverFacts['wanted'][];
  readonly holds: readonly boolean[];
  readonly zones: readonly RolloverFacts['zone'][];
  readonly danes: readonly RolloverFacts['dane'][];
  /** The TTL that the spec names, in ticks. */
  readonly ttls: readonly number[];
  readonly adopt: boolean;
  /** Every pod vouches for itself; else a probe of one of them is all there is. */
  readonly attested: boolean;
}

export const name = '_25._tcp.mx.example';

export const setOf = ({ keys, ttl }: Shown): RecordSet | undefined =>
  keys === '' ? undefined : { name, type: 'TLSA', ttl: ttl * tickSeconds, values: valuesOf(keys) };

/** Everything that was seen in one look; each is asked for at most once, and only if anybody wants to know. */
export interface Seen {
  readonly facts: RolloverFacts;
  /** What was asked for. */
  readonly asked: Partial<Pick<RolloverFacts, 'zone' | 'presented' | 'attested' | 'live'>>;
  /** What the outside resolver says, from whichever server or cache; undefined where that is not known. */
  readonly outside: () => string | undefined;
  readonly ttl: () => number;
}

export function once<T>(get: () => T): () => T {
  let known: { readonly value: T } | undefined;
  return () => (known ??= { value: get() }).value;
}

/** The set at the provider as far as it is ours to change: by what is remembered of it, or beside our mark. */
export function relied(world: World, { applied }: Memory): readonly string[] {
  const live = setOf(world.provider);
  return live !== undefined && owned(live, applied, isMarked(world, applied)) ? live.values : [];
}

export const isMarked = ({ byUs }: World, applied: Memory['applied']): boolean =>
  byUs && (applied === undefined || applied.standing === 'Intended');

function standing(world: World, { applied }: Memory): RolloverFacts['standing'] {
  const live = setOf(world.provider);
  if (applied?.since === undefined || live === undefined || !equalSets(live, applied)) return {};
  const { since } = applied;
  return Object.fromEntries(
    keysIn(applied.values)
      .split('')
      .map((letter) => [keyOfLetter(letter), since]),
  );
}

export function see(world: World, memory: Memory, weather: Weather, choose: Choose): Seen {
  const asked: { -readonly [K in keyof Seen['asked']]: Seen['asked'][K] } = {};
  const outside = once(() => choose('outside view', [...answers(world), undefined], (keys) => keys ?? 'Unknown'));
  const ttl = once(() => choose('TTL', weather.ttls));
  const zone = once(() => (asked.zone = choose('zone', weather.zones)));
  const presented = once(() => (asked.presented = world.hosts.map((pods, at) => probed(pods, at, choose))));
  const attested = once(() => (asked.attested = weather.attested ? vouched(world, choose) : []));
  const live = once(() => (asked.live = liveSets(world, outside(), zone())));
  const wanted = once(() => choose('wanted', weather.wishes));
  const held = once(() => choose('held', weather.holds));
  const dane = once(() => choose('DANE', weather.danes));
  const certified = once(() => choose('certified', [true, false]));
  const { applied, rollover, spare } = memory;
  const facts: RolloverFacts = {
    now,
    ...(world.leadsSince === undefined ? {} : { steadySince: world.leadsSince }),
    get wanted() {
      return wanted();
    },
    get held() {
      return held();
    },
    get dane() {
      return dane();
    },
    get zone() {
      return zone();
    },
    standing: standing(world, memory),
    get gateMs() {
      const stands = world.provider.keys === '' ? 0 : world.provider.ttl;
      const ttls = { old: applied?.previousTtl ?? 0, new: Math.max(stands, ttl()) * tickSeconds };
      return gate({ ttls, settleSeconds: 0 });
    },
    get certificates() {
      return certified() ? [rollover.current, rollover.next] : [];
    },
    delivered: world.secret === '' ? undefined : keyOfLetter(world.secret),
    spare,
    get presented() {
      return presented();
    },
    get attested() {
      return attested();
    },
    get live() {
      return live();
    },
    relied: relied(world, memory),
    adopt: weather.adopt,
  };
  return { facts, asked, outside, ttl };
}

/** A probe reaches one of the pods behind an address, or none. */
function probed(pods: string, at: number, choose: Choose): RolloverFacts['presented'][number] {
  const options = [...new Set(pods.split('')), undefined];
  const letter = choose(`host ${at + 1} seen with`, options, (one) => one ?? 'Unknown');
  return { address: `mx${at + 1}`, key: letter && keyOfLetter(letter) };
}

function vouched(world: World, choose: Choose): RolloverFacts['attested'] {
  const pods = world.hosts.flatMap((letters, host) => letters.split('').map((letter) => ({ letter, host })));
  const silent = choose('silent', [undefined, pods.length - 1], (at) => `pod ${String(at)}`);
  return pods.map(({ letter, host }, at) => ({
    endpoint: `pod ${at} of mx${host + 1}`,
    key: at === silent ? undefined : keyOfLetter(letter),
  }));
}

/** As every authoritative server has it, and the outside resolver. */
function liveSets(world: World, outside: string | undefined, zone: RolloverFacts['zone']): readonly LiveSet[] {
  const shown = new Set([outside, ...world.servers.map(({ keys }) => keys)]);
  return [...shown].map((keys) => liveSet(keys, zone));
}

function liveSet(keys: string | undefined, zone: RolloverFacts['zone']): LiveSet {
  if (keys === undefined) return { name, outcome: 'Unknown', values: [] };
  if (keys === '') return { name, outcome: zone === 'Unknown' ? 'Unknown' : 'Absent', values: [] };
  const outcome = zone === 'Secure' || zone === 'InMotion' ? 'Secure' : zone === 'Insecure' ? 'Insecure' : 'Unknown';
  return { name, outcome, values: valuesOf(keys) };
}
