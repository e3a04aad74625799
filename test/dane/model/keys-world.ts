/**
 * The world around a key rollover, small enough to be looked at whole: name servers that lag, all that caches may hold,
 * pods behind the addresses of MX hosts, and what the operator stored. The present is always the same instant, and all
 * times are told by their age, which stops growing where nothing can tell it from older.
 */
import type { RolloverState } from '../../../src/dane/keystate.ts';
import { tlsaOfKey } from '../../../src/dane/tlsa.ts';
import type { AppliedSet } from '../../../src/plan/state.ts';

/** A key by its letter, which fills its fingerprint. Current, next and spare have theirs; others are of former times. */
export const current = 'c';
export const next = 'd';
export const spare = 'e';
export const stranger = 'f';
const former = ['0', '1', '2', '3'] as const;
export const keyOfLetter = (letter: string): string => letter.repeat(64);
export const letterOf = (key: string): string => key.slice(0, 1);
/** Letters of keys, sorted, as the values of a set. */
export const valuesOf = (keys: string): readonly string[] =>
  keys.split('').map((letter) => tlsaOfKey(keyOfLetter(letter)));
export const keysIn = (values: readonly string[]): string =>
  values
    .map((value) => letterOf(value.slice('3 1 1 '.length)))
    .sort()
    .join('');

/** One tick is one TTL, and a gate, two of them, is longer than the week of stale answers. */
export const tickSeconds: number = 4 * 86_400;
export const tickMs: number = tickSeconds * 1000;
export const now: number = Date.UTC(2026, 10, 22);
/** Ticks: the longest gate, that of a TTL that was doubled. */
export const oldest = 4;

/** A TLSA set that stands somewhere; its keys are empty where nothing stands. `ttl` in ticks. */
export interface Shown {
  readonly keys: string;
  readonly ttl: number;
}

/** What the operator stores. */
export interface Memory {
  readonly rollover: RolloverState;
  readonly applied: AppliedSet | undefined;
  /** The spare key was made. */
  readonly spare: string | undefined;
}

export interface World {
  readonly memory: Memory;
  /** Since when this operator leads, by its own clock; undefined where nobody ever sets that. */
  readonly leadsSince: number | undefined;
  /** The key in the Secret, by its letter; empty: there is none. */
  readonly secret: string;
  /** What each pod behind each host serves, by the letters of keys. */
  readonly hosts: readonly string[];
  /** As it stands at the provider, and whether it was us who wrote it. */
  readonly provider: Shown;
  readonly byUs: boolean;
  readonly servers: readonly Shown[];
  /** Answers that no server gives any more, and for how many ticks some cache may go on giving them. */
  readonly caches: Readonly<Record<string, number>>;
}

export const nothing: Shown = { keys: '', ttl: 1 };

/** What senders may be told now. */
export function answers({ servers, caches }: World): readonly string[] {
  return [...new Set([...servers.map(({ keys }) => keys), ...Object.keys(caches)])];
}

export const served = ({ hosts }: World): readonly string[] => [...new Set(hosts.join(''))];

/** I1: what is wrong if some host serves a key that some sender's answer lacks. */
export function unmatched(world: World): string | undefined {
  for (const keys of answers(world)) {
    if (keys === '') continue;
    const lost = served(world).find((key) => !keys.includes(key));
    if (lost !== undefined) return `I1: a host serves ${lost}, and a sender may hold the TLSA set ${keys}`;
  }
  return undefined;
}

const ageOf = (since: number | undefined): string => (since === undefined ? '' : `@${(now - since) / tickMs}`);

const inOrder = (letters: string): string => letters.split('').sort().join('');
const setText = ({ keys, ttl }: Shown): string => (keys === '' ? '-' : ttl === 1 ? keys : `${keys}*${ttl}`);
const sorted = (words: readonly string[]): string => words.toSorted().join(' ');

/** What is stored, in a few words. */
export function memoryKey({ rollover, applied, spare: made }: Memory): string {
  const { phase, current: one, next: other, published, adopted, dropped, spare: noted } = rollover;
  let text = `${phase} ${letterOf(one)}${letterOf(other)}${published ? ' published' : ''}`;
  if (noted !== undefined) text += ` spare ${letterOf(noted)}`;
  else if (made !== undefined) text += ` made ${letterOf(made)}`;
  if (adopted !== undefined) text += ` adopted ${keysIn(adopted)}`;
  if (dropped !== undefined) text += ` dropped ${keysIn(dropped)}`;
  if (rollover.goneSince !== undefined) text += ` gone${ageOf(rollover.goneSince)}`;
  if (rollover.presentedSince !== undefined) text += ` presented${ageOf(rollover.presentedSince)}`;
  if (rollover.contradicted !== undefined) text += ` contradicted${ageOf(rollover.contradicted.endedAt)}`;
  if (rollover.nextContradicted !== undefined) text += ` next contradicted${ageOf(rollover.nextContradicted.endedAt)}`;
  if (applied === undefined) return text;
  const { values, ttl, standing, since, previousTtl, retimed } = applied;
  const earlier = previousTtl <= tickSeconds ? '' : ` after*${previousTtl / tickSeconds}`;
  const again = retimed === true ? ' retimed' : '';
  return `${text} | ${standing} ${setText({ keys: keysIn(values), ttl: ttl / tickSeconds })}${ageOf(since)}${earlier}${again}`;
}

/** A world in one line, the same for worlds that differ in nothing but the order of hosts, pods and servers. */
export function worldKey(world: World): string {
  const caches = sorted(Object.entries(world.caches).map(([keys, left]) => `${keys}:${left}`));
  return `${placesKey(world)} | cached ${caches}`;
}

function placesKey(world: World): string {
  const { secret, hosts, byUs, provider, servers } = world;
  const zone = `${byUs ? '' : '!'}${setText(provider)} at ${sorted(servers.map(setText))}`;
  const leads = world.leadsSince === undefined ? '' : ` leads${ageOf(world.leadsSince)}`;
  return `${memoryKey(world.memory)}${leads} | Secret ${secret || '-'} | hosts ${sorted(hosts.map(inOrder))} | zone ${zone}`;
}

/** All of a world that a look can see: how much longer a cache holds what it has is not among it. */
export const lookKey = (world: World): string => `${placesKey(world)} | told ${sorted(answers(world))}`;

/**
 * The same world with its keys called by their present roles: a key that has lost its role is one of former times.
 * Undefined where there are more of those than the model follows.
 */
export function renamed(world: World): World | undefined {
  const { rollover } = world.memory;
  const roles = [rollover.current, rollover.next, rollover.spare ?? world.memory.spare].map(
    (key) => key && letterOf(key),
  );
  if (roles[0] === current && roles[1] === next && (roles[2] === undefined || roles[2] === spare)) return world;
  const names = new Map<string, string>([[stranger, stranger]]);
  for (const [index, name] of [current, next, spare].entries()) {
    const letter = roles[index];
    if (letter !== undefined) names.set(letter, name);
  }
  const free = [...former];
  let beyond = false;
  const nameOf = (letter: string): string => {
    const known = names.get(letter);
    if (known !== undefined) return known;
    const given = free.shift();
    if (given === undefined) {
      beyond = true;
      return letter;
    }
    names.set(letter, given);
    return given;
  };
  const keys = (letters: string): string => letters.split('').map(nameOf).sort().join('');
  const values = (all: readonly string[]): readonly string[] => valuesOf(keys(keysIn(all)));
  const set = (shown: Shown): Shown => ({ ...shown, keys: keys(shown.keys) });
  const key = (one: string): string => keyOfLetter(nameOf(letterOf(one)));
  const { applied } = world.memory;
  const anew: World = {
    ...world,
    memory: {
      rollover: {
        ...rollover,
        current: key(rollover.current),
        next: key(rollover.next),
        ...(rollover.spare === undefined ? {} : { spare: key(rollover.spare) }),
        ...(rollover.adopted === undefined ? {} : { adopted: values(rollover.adopted) }),
        ...(rollover.dropped === undefined ? {} : { dropped: values(rollover.dropped) }),
      },
      applied: applied && { ...applied, values: values(applied.values) },
      spare: world.memory.spare && key(world.memory.spare),
    },
    secret: keys(world.secret),
    hosts: world.hosts.map((pods) => pods.split('').map(nameOf).join('')),
    provider: set(world.provider),
    servers: world.servers.map(set),
    caches: Object.fromEntries(Object.entries(world.caches).map(([cached, left]) => [keys(cached), left])),
  };
  return beyond ? undefined : anew;
}
