import { expect } from 'vitest';
import type { RolloverFacts, RolloverState } from '../../src/dane/keystate.ts';
import { step } from '../../src/dane/rollover.ts';

export const hour: number = 3_600_000;
export const day: number = 24 * hour;
export const now: number = Date.UTC(2026, 10, 22);
/** The current key, the next, the one after, and a stranger's. */
export const c: string = fingerprint('c');
export const n: string = fingerprint('d');
export const n2: string = fingerprint('e');
export const other: string = fingerprint('f');
function fingerprint(digit: string): string {
  return digit.repeat(64);
}
export const tlsa = (...keys: readonly string[]): readonly string[] => keys.map((key) => `3 1 1 ${key}`).sort();

export const state: RolloverState = { phase: 'Steady', current: c, next: n, published: true };
export const facts: RolloverFacts = {
  now,
  wanted: 'Nothing',
  held: false,
  dane: 'Auto',
  zone: 'Secure',
  standing: { [c]: now - 30 * day, [n]: now - 30 * day },
  gateMs: 2 * hour,
  certificates: [c],
  delivered: c,
  spare: undefined,
  presented: [{ address: '192.0.2.1', key: c }],
  attested: [],
  live: [{ name: '_25._tcp.mx.example', outcome: 'Secure', values: tlsa(c, n) }],
  relied: tlsa(c, n),
  adopt: false,
};
export const everywhere = (key: string | undefined): Partial<RolloverFacts> => ({
  presented: [{ address: '192.0.2.1', key }],
});

export interface Case {
  readonly state?: Partial<RolloverState>;
  readonly facts?: Partial<RolloverFacts>;
  readonly want: {
    readonly phase?: RolloverState['phase'];
    readonly publish?: readonly string[] | 'Keep';
    readonly deliver?: string | undefined;
    readonly reasons?: readonly string[];
  };
}

export function check({ state: stateChange, facts: factsChange, want }: Case): void {
  const result = step({ ...state, ...stateChange }, { ...facts, ...factsChange });
  const got = {
    phase: result.state.phase,
    publish: result.publish,
    deliver: result.deliver,
    reasons: result.waits.map((wait) => wait.reason),
  };
  expect(got).toMatchObject({ reasons: [], ...want });
}
