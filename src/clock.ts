/** Where IO code takes the time from; tests pass a virtual one. Pure code is handed `now` in milliseconds since 1970. */
export interface Clock {
  readonly now: () => number;
}

export const systemClock: Clock = { now: () => Date.now() };
