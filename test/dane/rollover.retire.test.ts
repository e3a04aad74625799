import { describe, expect, test } from 'vitest';
import type { RolloverFacts, RolloverState } from '../../src/dane/keystate.ts';
import { step } from '../../src/dane/rollover.ts';
import type { Case } from './cases.ts';
import { everywhere, c, check, facts, hour, n, n2, now, state, tlsa } from './cases.ts';

describe('Retiring', () => {
  const retiring: Partial<RolloverState> = { phase: 'Retiring', presentedSince: now - 2 * hour, spare: n2 };
  const swapped: Partial<RolloverFacts> = {
    wanted: 'Rotate',
    certificates: [c, n],
    delivered: n,
    ...everywhere(n),
    standing: { [c]: 0, [n]: 0, [n2]: now },
  };
  const all = tlsa(c, n, n2);
  test.each<[string, Case]>([
    [
      'ends after the grace',
      { state: retiring, facts: swapped, want: { phase: 'Steady', publish: tlsa(n, n2), deliver: n } },
    ],
    [
      'keeps the old record for the grace',
      {
        state: { ...retiring, presentedSince: now - hour },
        facts: swapped,
        want: { phase: 'Retiring', publish: all, reasons: ['Waiting'] },
      },
    ],
    [
      'waits for the key after the next',
      {
        state: { phase: 'Retiring', presentedSince: 0 },
        facts: swapped,
        want: { phase: 'Retiring', publish: tlsa(c, n), reasons: ['Waiting'] },
      },
    ],
    [
      'publishes that key as soon as it is made',
      {
        state: { phase: 'Retiring', presentedSince: now },
        facts: { ...swapped, spare: n2 },
        want: { phase: 'Retiring', publish: all, reasons: ['Waiting'] },
      },
    ],
    [
      'waits until all servers show that key',
      {
        state: retiring,
        facts: { ...swapped, standing: { [n]: 0 } },
        want: { phase: 'Retiring', publish: all, reasons: ['NotAtAllServers'] },
      },
    ],
    [
      'waits until all servers show the next key again',
      {
        state: retiring,
        facts: { ...swapped, standing: { [n2]: now } },
        want: { phase: 'Retiring', publish: all, reasons: ['NotAtAllServers'] },
      },
    ],
    [
      'keeps the old record while held',
      {
        state: retiring,
        facts: { ...swapped, held: true },
        want: { phase: 'Retiring', publish: all, reasons: ['Suspended'] },
      },
    ],
    [
      'keeps the old record while the DS moves',
      {
        state: retiring,
        facts: { ...swapped, zone: 'InMotion' },
        want: { phase: 'Retiring', publish: 'Keep', reasons: ['DNSSECInMotion', 'DNSSECInMotion'] },
      },
    ],
    [
      'touches nothing in an insecure zone',
      {
        state: retiring,
        facts: { ...swapped, zone: 'Insecure' },
        want: { phase: 'Retiring', publish: 'Keep', reasons: ['ZoneInsecure', 'ZoneInsecure'] },
      },
    ],
    [
      'keeps the old record while an address is not known',
      {
        state: retiring,
        facts: { ...swapped, ...everywhere(undefined) },
        want: { phase: 'Retiring', publish: all, reasons: ['AwaitingDelivery'] },
      },
    ],
    [
      'keeps the old record while a host is back at it',
      {
        state: retiring,
        facts: { ...swapped, ...everywhere(c) },
        want: { phase: 'Retiring', publish: all, reasons: ['KeyMismatch'] },
      },
    ],
  ])('%s', (_, one) => check(one));

  test('a host that went back starts the grace anew', () => {
    const back = step({ ...state, ...retiring }, { ...facts, ...swapped, ...everywhere(c) });
    expect(back.state.presentedSince).toBeUndefined();
    expect(step(back.state, { ...facts, ...swapped }).state).toMatchObject({ phase: 'Retiring', presentedSince: now });
  });

  test('an old key in the Secret starts the grace anew, for the next restart would bring it back', () => {
    const back = step({ ...state, ...retiring }, { ...facts, ...swapped, delivered: c });
    expect(back).toMatchObject({ deliver: n, certify: [n, c], state: { phase: 'Retiring' } });
    expect(back.state.presentedSince).toBeUndefined();
  });

  test('tells which key is out, and when a compromised one may be revoked', () => {
    expect(step({ ...state, ...retiring }, { ...facts, ...swapped }).rotatedOut).toBe(c);
    const { spare: _, ...without } = { ...state, ...retiring };
    const result = step(without, { ...facts, ...swapped, wanted: 'Compromised' });
    expect(result).toMatchObject({ revoke: c, makeSpare: true, certify: [n] });
    expect(
      step(without, { ...facts, ...swapped, ...everywhere(undefined), wanted: 'Compromised' }).revoke,
    ).toBeUndefined();
  });
});
