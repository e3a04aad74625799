/**
 * A rollover played forward on a clock that nobody waits for: the same pure steps as in each look, in a world where every
 * change succeeds at once, and where each host that has the key it was given takes the next one as soon as it is delivered.
 */
import type { RolloverFacts, RolloverState, RolloverStep, RolloverWait } from '../dane/keystate.ts';
import { step } from '../dane/rollover.ts';
import { tlsaOfKey } from '../dane/tlsa.ts';
import type { DesiredRotation } from '../desired/rotation.ts';
import { remember, wantedNow } from './rotation.ts';
import type { RotationMemory } from './state.ts';

/** What a drill begins with: an exchanger as it was seen, and the wish as it would be written. */
export interface DrillStart {
  readonly state: RolloverState;
  readonly memory: RotationMemory;
  readonly facts: RolloverFacts;
  readonly rotation: DesiredRotation;
  /** The longest for which an answer may be cached, in milliseconds. */
  readonly ttlMs: number;
}

/** A TLSA set that does not stand any more, and that caches may hold. */
interface CachedSet {
  readonly values: readonly string[];
  /** Milliseconds since 1970. */
  readonly until: number;
}

export type Deed =
  | { readonly is: 'Phase'; readonly phase: RolloverState['phase'] }
  | { readonly is: 'Publish'; readonly values: readonly string[] }
  | { readonly is: 'Certificate' | 'Deliver' | 'Spare' | 'Revoke'; readonly key: string };

/** One look at which something happens, and how the world is right after it. */
export interface DrillRow {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly phase: RolloverState['phase'];
  readonly deeds: readonly Deed[];
  /** The TLSA values that stand. */
  readonly tlsa: readonly string[];
  /** The key in the Secret. */
  readonly secret: string | undefined;
  /** Whatever a sender may meet now: the keys of before and after. */
  readonly presented: readonly string[];
  readonly cached: readonly CachedSet[];
  /** An answer that may be cached, or stands, does not match a key that may be met. */
  readonly deferred: boolean;
  /** What the next row waits for; its `until` tells when that is. */
  readonly waits: readonly RolloverWait[];
}

export interface Drill {
  readonly rows: readonly DrillRow[];
  /** What it would wait for without end, as things stand; empty where the wish is met. */
  readonly blocked: readonly RolloverWait[];
  /** Keys that are made on the way. */
  readonly made: readonly string[];
}

/** A rotation takes a dozen steps; two of them, where one was under way, twice as many. */
const mostSteps = 100;

interface Scene {
  readonly state: RolloverState;
  readonly memory: RotationMemory;
  readonly facts: RolloverFacts;
  readonly cached: readonly CachedSet[];
  readonly made: readonly string[];
  /** Whose certificates are told to be revoked. */
  readonly revoked: readonly string[];
}

/** Plays until the wish is met and the exchanger is at rest, or until nothing but an event would help. */
export function playDrill(start: DrillStart): Drill {
  const { rotation, ttlMs } = start;
  let scene: Scene = { ...start, cached: [], made: [], revoked: [] };
  const rows: DrillRow[] = [];
  for (let count = 0; count < mostSteps; count += 1) {
    const { now } = scene.facts;
    const wanted = wantedNow(rotation, scene.memory, scene.state.current, now);
    const facts: RolloverFacts = { ...scene.facts, wanted };
    const result = step(scene.state, facts);
    const deeds = deedsOf(scene, facts, result);
    const after = follow({ ...scene, facts }, result, { rotation, ttlMs });
    rows.push(...(deeds.length > 0 ? [rowOf(scene, after, deeds)] : []));
    const isAsBefore = deeds.length === 0 && JSON.stringify(result.state) === JSON.stringify(scene.state);
    if (!isAsBefore) {
      scene = after;
      continue;
    }
    const last = rows.at(-1);
    if (last !== undefined) rows[rows.length - 1] = { ...last, waits: result.waits };
    if (wanted === 'Nothing' && result.state.phase === 'Steady' && result.waits.length === 0)
      return { rows, blocked: [], made: scene.made };
    const times = result.waits.flatMap(({ until }) => (until !== undefined && until > now ? [until] : []));
    if (times.length === 0) return { rows, blocked: result.waits, made: scene.made };
    scene = { ...scene, facts: { ...scene.facts, now: Math.min(...times) } };
  }
  throw new Error('the drill does not come to an end');
}

const same = (a: readonly string[], b: readonly string[]): boolean => [...a].sort().join() === [...b].sort().join();

function deedsOf({ state, revoked }: Scene, facts: RolloverFacts, result: RolloverStep): readonly Deed[] {
  const { publish, deliver, certify, revoke } = result;
  const lacking = certify.filter((key) => !facts.certificates.includes(key));
  const { spare } = result.state;
  return [
    ...(result.state.phase === state.phase ? [] : [{ is: 'Phase', phase: result.state.phase } as const]),
    ...lacking.map((key) => ({ is: 'Certificate', key }) as const),
    ...(spare === undefined || spare === state.spare ? [] : [{ is: 'Spare', key: spare } as const]),
    ...(publish === 'Keep' || same(publish, facts.relied) ? [] : [{ is: 'Publish', values: publish } as const]),
    ...(deliver === undefined || deliver === facts.delivered ? [] : [{ is: 'Deliver', key: deliver } as const]),
    ...(revoke === undefined || revoked.includes(revoke) ? [] : [{ is: 'Revoke', key: revoke } as const]),
  ];
}

/** The world when all of a step has been done, and was seen. */
function follow(
  scene: Scene,
  result: RolloverStep,
  { rotation, ttlMs }: Pick<DrillStart, 'rotation' | 'ttlMs'>,
): Scene {
  const { facts, made } = scene;
  const { now, delivered: before } = facts;
  const delivered = result.deliver ?? before;
  const relied = result.publish === 'Keep' ? facts.relied : result.publish;
  const isChanged = !same(relied, facts.relied);
  const spare = `key ${made.length + 1}, made on the way`;
  // Who lags behind now goes on to do so.
  const takes = <T extends { readonly key: string | undefined }>(one: T): T =>
    one.key === before && delivered !== before ? { ...one, key: delivered } : one;
  const stands = (key: string): boolean => relied.includes(tlsaOfKey(key));
  const { state } = result;
  const keys = [state.current, state.next, ...(state.spare === undefined ? [] : [state.spare])];
  const since = keys.flatMap((key) => (stands(key) ? [[key, facts.standing[key] ?? now] as const] : []));
  const cached = scene.cached.filter(({ until }) => until > now);
  return {
    state,
    memory: remember(scene.memory, { before: scene.state, after: state }, rotation, now),
    facts: {
      ...facts,
      delivered,
      relied,
      spare: result.makeSpare ? spare : undefined,
      certificates: [...new Set([...facts.certificates, ...result.certify])],
      presented: facts.presented.map(takes),
      attested: facts.attested.map(takes),
      standing: isChanged ? Object.fromEntries(since) : facts.standing,
      live: isChanged
        ? facts.live.map((set) =>
            set.foreign === true ? set : { ...set, outcome: relied.length === 0 ? 'Absent' : 'Secure', values: relied },
          )
        : facts.live,
    },
    cached: isChanged && facts.relied.length > 0 ? [...cached, { values: facts.relied, until: now + ttlMs }] : cached,
    made: result.makeSpare ? [...made, spare] : made,
    revoked: [...scene.revoked, ...(result.revoke === undefined ? [] : [result.revoke])],
  };
}

function rowOf(before: Scene, { state, facts, cached }: Scene, deeds: readonly Deed[]): DrillRow {
  const met = [...before.facts.presented, ...facts.presented].flatMap(({ key }) => (key === undefined ? [] : [key]));
  const presented = [...new Set(met)];
  const answers = [facts.relied, ...cached.map(({ values }) => values)].filter((values) => values.length > 0);
  const deferred = answers.some((values) => presented.some((key) => !values.includes(tlsaOfKey(key))));
  const { now: at, relied: tlsa, delivered: secret } = facts;
  return { at, phase: state.phase, deeds, tlsa, secret, presented, cached, deferred, waits: [] };
}
