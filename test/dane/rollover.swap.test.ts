import { describe, expect, test } from 'vitest';
import type { LiveSet, RolloverFacts, RolloverState } from '../../src/dane/keystate.ts';
import { step } from '../../src/dane/rollover.ts';
import type { Case } from './cases.ts';
import { everywhere, c, check, facts, hour, n, now, state, tlsa } from './cases.ts';

describe('Armed', () => {
  const armed: Partial<RolloverState> = { phase: 'Armed' };
  const due = { wanted: 'Rotate', certificates: [c, n] } as const;
  const pinned: LiveSet = { name: '_465._tcp.mx.example', outcome: 'Secure', values: tlsa(c) };
  test.each<[string, Case]>([
    [
      'swaps when the certificate is there',
      { state: armed, facts: due, want: { phase: 'Swapping', deliver: n, publish: tlsa(c, n) } },
    ],
    [
      'waits for the certificate',
      { state: armed, facts: { wanted: 'Rotate' }, want: { phase: 'Armed', deliver: c, reasons: ['OrderPending'] } },
    ],
    ['stands down when the wish is gone', { state: armed, want: { phase: 'Steady', deliver: c } }],
    [
      'stands down when the record is gone from a server',
      {
        state: armed,
        facts: { ...due, standing: {} },
        want: { phase: 'Steady', deliver: c, reasons: ['NotAtAllServers'] },
      },
    ],
    [
      'stays while held',
      { state: armed, facts: { ...due, held: true }, want: { phase: 'Armed', deliver: c, reasons: ['Suspended'] } },
    ],
    [
      'stays while another port is pinned to the current key',
      {
        state: armed,
        facts: { ...due, live: [pinned] },
        want: { phase: 'Armed', deliver: c, reasons: ['TLSAMismatch'] },
      },
    ],
    [
      'stays in a bogus zone',
      {
        state: armed,
        facts: { ...due, zone: 'Bogus' },
        want: { phase: 'Armed', deliver: c, publish: 'Keep', reasons: ['ZoneBogus', 'ZoneBogus'] },
      },
    ],
  ])('%s', (_, one) => check(one));

  test('has the next key certified', () => {
    expect(step({ ...state, ...armed }, { ...facts, wanted: 'Rotate' }).certify).toEqual([c, n]);
    expect(step(state, facts).certify).toEqual([c]);
  });
});

describe('Swapping', () => {
  const swapping: Partial<RolloverState> = { phase: 'Swapping' };
  const swapped: Partial<RolloverFacts> = { wanted: 'Rotate', certificates: [c, n], delivered: n };
  const two = [
    { address: '192.0.2.1', key: n },
    { address: '192.0.2.2', key: c },
  ];
  test.each<[string, Case]>([
    [
      'goes on when all present the next key',
      {
        state: swapping,
        facts: { ...swapped, ...everywhere(n) },
        want: { phase: 'Retiring', publish: tlsa(c, n), deliver: n },
      },
    ],
    [
      'stays while a host lags',
      {
        state: swapping,
        facts: { ...swapped, presented: two },
        want: { phase: 'Swapping', publish: tlsa(c, n), deliver: n, reasons: ['KeyMismatch'] },
      },
    ],
    [
      'stays while an address is not known',
      {
        state: swapping,
        facts: { ...swapped, ...everywhere(undefined) },
        want: { phase: 'Swapping', reasons: ['AwaitingDelivery'] },
      },
    ],
    [
      'stays while nothing was seen',
      {
        state: swapping,
        facts: { ...swapped, presented: [] },
        want: { phase: 'Swapping', reasons: ['AwaitingDelivery'] },
      },
    ],
    [
      'stays while a pod attests the old key',
      {
        state: swapping,
        facts: { ...swapped, ...everywhere(n), attested: [{ endpoint: 'pod', key: c }] },
        want: { phase: 'Swapping', reasons: ['KeyMismatch'] },
      },
    ],
    [
      'goes back when it is wanted',
      {
        state: swapping,
        facts: { ...swapped, wanted: 'Back' },
        want: { phase: 'Steady', publish: tlsa(c, n), deliver: c },
      },
    ],
    [
      'does not go back to a key whose record has not stood',
      {
        state: swapping,
        facts: { ...swapped, wanted: 'Back', standing: { [c]: now - hour, [n]: 0 } },
        want: { phase: 'Swapping', deliver: n, reasons: ['Waiting'] },
      },
    ],
    [
      'does not go back to a key without certificate',
      {
        state: swapping,
        facts: { ...swapped, wanted: 'Back', certificates: [n] },
        want: { phase: 'Swapping', deliver: n, reasons: ['OrderPending'] },
      },
    ],
    [
      'proves a swap anew that a crash kept from being written',
      {
        state: swapping,
        facts: { ...swapped, delivered: c, zone: 'Bogus' },
        want: {
          phase: 'Swapping',
          deliver: c,
          publish: 'Keep',
          reasons: ['AwaitingDelivery', 'ZoneBogus', 'ZoneBogus'],
        },
      },
    ],
    [
      'writes it when it still holds',
      {
        state: swapping,
        facts: { ...swapped, delivered: c },
        want: { phase: 'Swapping', deliver: n, reasons: ['AwaitingDelivery'] },
      },
    ],
    [
      'does not go on while the Secret still holds the old key, though all present the next one',
      {
        state: swapping,
        facts: { ...swapped, ...everywhere(n), delivered: c },
        want: { phase: 'Swapping', deliver: n, reasons: ['AwaitingDelivery'] },
      },
    ],
  ])('%s', (_, one) => check(one));

  test('names the host that lags and keeps both keys certified', () => {
    const result = step({ ...state, ...swapping }, { ...facts, ...swapped, presented: two });
    expect(result.waits.map((wait) => wait.message)).toEqual([
      'Still with another key: 192.0.2.2. Restart the mail server there.',
    ]);
    expect(result.certify).toEqual([c, n]);
  });

  test('I19: the key in the Secret is renewed while the way back to the current one has not come as far', () => {
    const back = { ...facts, wanted: 'Back' as const, delivered: n, held: true };
    expect(step(state, back)).toMatchObject({ deliver: n, certify: [c, n], state: { phase: 'Steady' } });
  });
});
