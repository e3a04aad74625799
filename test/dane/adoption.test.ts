import { describe, expect, test } from 'vitest';
import type { LiveSet, RolloverFacts, RolloverState } from '../../src/dane/keystate.ts';
import { step } from '../../src/dane/rollover.ts';
import type { Case } from './cases.ts';
import { c, check, everywhere, facts, hour, n, now, other, state, tlsa } from './cases.ts';

const fresh: Partial<RolloverState> = { published: false };
const none: Partial<RolloverFacts> = { delivered: undefined, standing: {}, relied: [], ...everywhere(undefined) };
const live = (...values: readonly string[]): LiveSet => ({ name: 'x', outcome: 'Secure', values });
const foreign = [`2 1 1 ${other}`, `3 0 1 ${other}`];

describe('sets that are given to us', () => {
  test.each<[string, Case]>([
    [
      'become the union with our keys, whatever their values are',
      {
        state: fresh,
        facts: { ...none, adopt: true, live: [live(...foreign)] },
        want: { deliver: undefined, publish: [...foreign, ...tlsa(c, n)], reasons: ['TLSAMismatch'] },
      },
    ],
    [
      'are all in it, each with the values of the others',
      {
        state: fresh,
        facts: { ...none, adopt: true, live: [live(...foreign), live(...tlsa(other))] },
        want: { publish: [...foreign, ...tlsa(c, n, other)].sort(), reasons: ['TLSAMismatch'] },
      },
    ],
    [
      'stay as they stand while the rollover is held, and it is said',
      {
        state: fresh,
        facts: { ...none, adopt: true, held: true, live: [live(...foreign)] },
        want: { publish: 'Keep', reasons: ['Suspended', 'TLSAMismatch'] },
      },
    ],
    [
      'stay as they stand where one of the others is not known',
      {
        state: fresh,
        facts: { ...none, adopt: true, live: [{ ...live(), outcome: 'Unknown' }, live(...foreign)] },
        want: { publish: 'Keep', reasons: ['AwaitingDelivery', 'DNSUnknown'] },
      },
    ],
    [
      'let a key pass at once that they pin, and are touched only when it is everywhere',
      {
        state: fresh,
        facts: { ...none, adopt: true, live: [live(...tlsa(c, other))] },
        want: { publish: 'Keep', deliver: c, reasons: ['AwaitingDelivery'] },
      },
    ],
    [
      'keep their other values then too, for the gate',
      {
        state: fresh,
        facts: { ...none, ...everywhere(c), delivered: c, adopt: true, live: [live(...tlsa(c, other))] },
        want: { publish: tlsa(c, n, other), deliver: c },
      },
    ],
    [
      'later than the first of ours are united with ours as well',
      {
        facts: { relied: [...tlsa(c, n), ...foreign], given: foreign },
        want: { publish: [...foreign, ...tlsa(c, n)], deliver: c, reasons: ['Waiting'] },
      },
    ],
    [
      'keep a value that went from ours before',
      {
        state: { dropped: tlsa(other) },
        facts: { relied: tlsa(c, n, other), given: tlsa(other) },
        want: { publish: tlsa(c, n, other), deliver: c, reasons: ['Waiting'] },
      },
    ],
    [
      'and were taken away by hand stand again where a host shows what they pin by its certificate',
      {
        state: { adopted: foreign },
        facts: { ...none, live: [], presented: [{ address: 'x', key: other, alsoPinnedBy: [`3 0 1 ${other}`] }] },
        want: { publish: [...foreign, ...tlsa(c, n)], deliver: undefined, reasons: ['NotAtAllServers'] },
      },
    ],
  ])('%s', (_, one) => check(one));
});

describe('a set of someone else at another port', () => {
  const pins = (...values: readonly string[]): Partial<RolloverFacts> => ({
    wanted: 'RotateNow',
    certificates: [c, n],
    live: [...facts.live, { ...live(...values), name: '_993._tcp.mx.example', foreign: true }],
  });

  test('keeps the hosts from the next key until it has matched for the gate', () => {
    const armed: RolloverState = { ...state, phase: 'Armed' };
    const blocked = step(armed, { ...facts, ...pins(...tlsa(c)) });
    expect(blocked).toMatchObject({ state: { phase: 'Armed' }, deliver: c, waits: [{ reason: 'TLSAMismatch' }] });
    const ended = step(blocked.state, { ...facts, ...pins(...tlsa(c, n)) });
    expect(ended).toMatchObject({ state: { phase: 'Armed' }, deliver: c, waits: [{ until: now + 2 * hour }] });
    const free = step(ended.state, { ...facts, ...pins(...tlsa(c, n)), now: now + 2 * hour });
    expect(free).toMatchObject({ state: { phase: 'Swapping' }, deliver: n });
  });

  test('does not stop a renewal of the key that the hosts have', () => {
    expect(step(state, { ...facts, ...pins(...tlsa(other)), wanted: 'Nothing' })).toMatchObject({ deliver: c });
  });
});
