import { describe, expect, test } from 'vitest';
import type { RolloverFacts } from '../../src/dane/keystate.ts';
import { gate, step } from '../../src/dane/rollover.ts';
import type { Case } from './cases.ts';
import { c, check, day, facts, hour, n, now, other, state, tlsa } from './cases.ts';

describe('the gate is twice the largest TTL and the settle time', () => {
  test.each([
    ['one TTL throughout', { old: 3600, new: 3600 }, 0, 7_200_000],
    ['a TTL that was larger', { old: 86_400, new: 3600 }, 0, 172_800_000],
    ['a TTL that was raised', { old: 300, new: 3600 }, 0, 7_200_000],
    ['a first publication with a long negative TTL', { old: 0, new: 300, negative: 900 }, 0, 1_800_000],
    ['a provider that needs a minute', { old: 300, new: 300 }, 60, 660_000],
    ['nothing to wait for', { old: 0, new: 0 }, 0, 0],
  ])('%s', (_, ttls, settleSeconds, milliseconds) => {
    expect(gate({ ttls, settleSeconds })).toBe(milliseconds);
  });
});

describe('Steady', () => {
  const due = { wanted: 'Rotate', certificates: [c, n] } as const;
  test.each<[string, Case]>([
    ['publishes both keys and keeps the current one', { want: { phase: 'Steady', publish: tlsa(c, n), deliver: c } }],
    ['arms when the next key has stood a week', { facts: due, want: { phase: 'Armed', deliver: c } }],
    [
      'waits a week where nothing presses',
      {
        facts: { ...due, standing: { [c]: now - 30 * day, [n]: now - 6 * day } },
        want: { phase: 'Steady', reasons: ['Waiting'] },
      },
    ],
    [
      'waits only for the gate when asked',
      { facts: { ...due, wanted: 'RotateNow', standing: { [n]: now - 2 * hour } }, want: { phase: 'Armed' } },
    ],
    [
      'waits for the gate even when compromised',
      {
        facts: { ...due, wanted: 'Compromised', standing: { [n]: now - 2 * hour + 1 } },
        want: { phase: 'Steady', reasons: ['Waiting'] },
      },
    ],
    [
      'waits for a record that is not at all servers',
      { facts: { ...due, standing: { [c]: 0 } }, want: { phase: 'Steady', reasons: ['NotAtAllServers'] } },
    ],
    [
      'does not arm while held',
      { facts: { ...due, held: true }, want: { phase: 'Steady', publish: tlsa(c, n), reasons: ['Suspended'] } },
    ],
    [
      'does not arm while the DS moves',
      {
        facts: { ...due, zone: 'InMotion' },
        want: { phase: 'Steady', publish: 'Keep', reasons: ['DNSSECInMotion', 'DNSSECInMotion'] },
      },
    ],
    [
      'does not arm in a bogus zone',
      {
        facts: { ...due, zone: 'Bogus' },
        want: { phase: 'Steady', publish: 'Keep', reasons: ['ZoneBogus', 'ZoneBogus'] },
      },
    ],
    [
      'does not arm in a zone that is not known',
      {
        facts: { ...due, zone: 'Unknown' },
        want: { phase: 'Steady', publish: 'Keep', reasons: ['DNSUnknown', 'DNSUnknown'] },
      },
    ],
    [
      'does not arm in a zone that turned insecure',
      {
        facts: { ...due, zone: 'Insecure' },
        want: { phase: 'Steady', publish: 'Keep', reasons: ['ZoneInsecure', 'ZoneInsecure'] },
      },
    ],
    [
      'arms without TLSA in a zone that never was secure',
      {
        state: { published: false },
        facts: { ...due, zone: 'Insecure', standing: {}, live: [], relied: [] },
        want: { phase: 'Armed', publish: 'Keep', deliver: c },
      },
    ],
    ['puts back a Secret that someone spoilt', { facts: { delivered: other }, want: { deliver: c } }],
    [
      'goes on delivering the same key in a bogus zone',
      { facts: { zone: 'Bogus' }, want: { deliver: c, publish: 'Keep', reasons: ['ZoneBogus'] } },
    ],
  ])('%s', (_, one) => check(one));

  test('says what a compromised key costs, and until when', () => {
    const result = step(state, { ...facts, wanted: 'Compromised', standing: { [n]: now - hour } });
    expect(result.waits).toEqual([
      {
        reason: 'Waiting',
        until: now + hour,
        message:
          'The next key may be used after 2026-11-22T01:00:00.000Z: caches must know it. Until then the hosts keep the compromised key: a swap now would lose the mail of DANE senders.',
      },
    ]);
  });
});

describe('withdrawal', () => {
  const off: Partial<RolloverFacts> = { dane: 'Off' };
  test.each<[string, Case]>([
    ['takes the records away', { facts: off, want: { publish: [], deliver: c } }],
    [
      'not while the DS moves',
      { facts: { ...off, zone: 'InMotion' }, want: { publish: 'Keep', reasons: ['DNSSECInMotion'] } },
    ],
    ['not while held', { facts: { ...off, held: true }, want: { publish: 'Keep' } }],
    [
      'no new key while caches may hold them',
      {
        state: { goneSince: now - hour },
        facts: { ...off, standing: {}, wanted: 'RotateNow', live: [], relied: [] },
        want: { phase: 'Steady', publish: [], reasons: ['NotAtAllServers'] },
      },
    ],
    [
      'then keys are free',
      {
        state: { goneSince: now - 2 * hour },
        facts: { ...off, standing: {}, wanted: 'RotateNow', live: [], relied: [] },
        want: { phase: 'Armed', publish: 'Keep' },
      },
    ],
  ])('%s', (_, one) => check(one));
});
