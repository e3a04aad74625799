/** Whether another key is wanted now, and what is remembered of the wishes for one. */
import type { RolloverFacts, RolloverState } from '../dane/keystate.ts';
import { type DesiredRotation, isCompromise, type RotationWish } from '../desired/rotation.ts';
import type { RotationMemory } from './state.ts';

const dayMs = 86_400_000;

/** One and the same wish is met once; of a time, whoever met it: a restored state or a new object rotates no key anew. */
const isMet = (wish: RotationWish, memory: RotationMemory): boolean =>
  wish.text === memory.met || (wish.at !== undefined && wish.at <= memory.since);

/**
 * When the key is to be replaced by age, in milliseconds since 1970; undefined for never. Up to a tenth earlier, by the
 * key: of thousands that were made in one hour not all are replaced in one.
 */
export function dueAt(
  { everyDays }: Pick<DesiredRotation, 'everyDays'>,
  memory: RotationMemory,
  key: string,
): number | undefined {
  if (everyDays === 0) return undefined;
  const fraction = Number.parseInt(key.slice(0, 8), 16) / 2 ** 32;
  return memory.since + Math.round(everyDays * dayMs * (1 - fraction / 10));
}

/** What the rollover is asked for. */
export function wantedNow(
  rotation: DesiredRotation,
  memory: RotationMemory,
  key: string,
  now: number,
): RolloverFacts['wanted'] {
  const { wish } = rotation;
  // Whoever went back to the current key keeps it until the annotation is taken away.
  if (wish?.wanted === 'Back') return 'Back';
  // What was begun for a compromise ends as one, also where the annotation is taken away on the way.
  if (memory.for !== undefined && isCompromise(memory.for)) return 'Compromised';
  if (wish !== undefined && !isMet(wish, memory) && now >= (wish.at ?? 0)) return wish.wanted;
  const due = dueAt(rotation, memory, key);
  return due !== undefined && now >= due ? 'Rotate' : 'Nothing';
}

/** From when on the key may be replaced, by age or as was wished, whichever comes first; undefined for never. */
export function soonestRotation(rotation: DesiredRotation, memory: RotationMemory, key: string): number | undefined {
  const { wish } = rotation;
  if (wish?.wanted === 'Back') return undefined;
  const wished = wish?.at !== undefined && !isMet(wish, memory) ? [wish.at] : [];
  const times = [...wished, dueAt(rotation, memory, key)].filter((time) => time !== undefined);
  return times.length === 0 ? undefined : Math.min(...times);
}

/** What is remembered after one step of the rollover: a rotation meets the wish that it was begun for, and no later one. */
export function remember(
  memory: RotationMemory,
  { before, after }: { readonly before: RolloverState; readonly after: RolloverState },
  { wish }: DesiredRotation,
  now: number,
): RotationMemory {
  const given = (state: RolloverState): boolean => state.phase === 'Swapping' || state.phase === 'Retiring';
  const { since, nextSince, for: begunFor, met } = memory;
  // A wish that was taken back may be written once more.
  const kept = met !== undefined && met === wish?.text ? { met } : {};
  if (given(before) && !given(after)) {
    if (after.current !== before.next) return { since, ...kept };
    return { since: nextSince ?? now, ...(begunFor === undefined ? kept : { met: begunFor }) };
  }
  if (!given(before) && given(after)) {
    const pressing = wish !== undefined && wish.wanted !== 'Back' && now >= (wish.at ?? 0) && !isMet(wish, memory);
    return { since, ...kept, nextSince: now, ...(pressing ? { for: wish.text } : {}) };
  }
  if (before.current !== after.current) return { since: now, ...kept };
  return {
    since,
    ...kept,
    ...(nextSince === undefined ? {} : { nextSince }),
    ...(begunFor === undefined ? {} : { for: begunFor }),
  };
}
