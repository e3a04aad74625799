/** Chance that can be had again: all that is drawn follows from one number. */
export interface Dice {
  /** A whole number from 0 up to below `n`. */
  readonly below: (n: number) => number;
  readonly chance: (part: number) => boolean;
  readonly one: <T>(of: readonly T[]) => T;
  /** Each of them or not, in their order. */
  readonly some: <T>(of: readonly T[]) => readonly T[];
}

/** Mulberry32: enough for campaigns, and the same everywhere. */
export function createDice(seed: number): Dice {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (n: number): number => Math.floor(next() * n);
  return {
    below,
    chance: (part) => next() < part,
    one: <T>(of: readonly T[]) => {
      if (of.length === 0) throw new Error('there is nothing to draw from');
      return of[below(of.length)] as T;
    },
    some: (of) => of.filter(() => next() < 0.5),
  };
}
