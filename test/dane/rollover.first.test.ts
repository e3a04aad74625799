import { describe, expect, test } from 'vitest';
import type { LiveSet, RolloverFacts, RolloverState } from '../../src/dane/keystate.ts';
import { step } from '../../src/dane/rollover.ts';
import type { Case } from './cases.ts';
import { c, check, everywhere, facts, hour, n, now, other, state, tlsa } from './cases.ts';

describe('a first delivery and publication', () => {
  const fresh: Partial<RolloverState> = { published: false };
  const none: Partial<RolloverFacts> = {
    delivered: undefined,
    standing: {},
    live: [{ name: '_25._tcp.mx.example', outcome: 'Absent', values: [] }],
    relied: [],
  };
  const live = (outcome: LiveSet['outcome'], ...values: readonly string[]): Partial<RolloverFacts> => ({
    ...none,
    ...everywhere(undefined),
    live: [{ name: '_465._tcp.mx.example', outcome, values }],
  });
  test.each<[string, Case]>([
    [
      'delivers where no TLSA stands, and publishes nothing yet',
      {
        state: fresh,
        facts: { ...none, ...everywhere(undefined) },
        want: { deliver: c, publish: 'Keep', reasons: ['AwaitingDelivery'] },
      },
    ],
    [
      'publishes when every host presents the key',
      { state: fresh, facts: { ...none, delivered: c }, want: { deliver: c, publish: tlsa(c, n) } },
    ],
    [
      'publishes nothing where no address was seen',
      {
        state: fresh,
        facts: { ...none, delivered: c, presented: [] },
        want: { publish: 'Keep', reasons: ['AwaitingDelivery'] },
      },
    ],
    [
      'publishes nothing while one endpoint attests another key',
      {
        state: fresh,
        facts: { ...none, attested: [{ endpoint: 'pod', key: other }] },
        want: { publish: 'Keep', reasons: ['AwaitingDelivery'] },
      },
    ],
    [
      'publishes nothing in an insecure zone',
      { state: fresh, facts: { ...none, zone: 'Insecure' }, want: { deliver: c, publish: 'Keep' } },
    ],
    [
      'publishes nothing with DANE off',
      { state: fresh, facts: { ...none, dane: 'Off' }, want: { deliver: c, publish: 'Keep' } },
    ],
    [
      'I17: a secure set that does not match blocks',
      {
        state: fresh,
        facts: live('Secure', ...tlsa(other)),
        want: { deliver: undefined, publish: 'Keep', reasons: ['AwaitingDelivery', 'TLSAMismatch'] },
      },
    ],
    [
      'I18: a set that is not known blocks',
      {
        state: fresh,
        facts: live('Unknown'),
        want: { deliver: undefined, reasons: ['AwaitingDelivery', 'DNSUnknown'] },
      },
    ],
    [
      'a secure set that matches lets it through',
      { state: fresh, facts: live('Secure', ...tlsa(other, c)), want: { deliver: c, reasons: ['AwaitingDelivery'] } },
    ],
    [
      'an insecure set means nothing',
      { state: fresh, facts: live('Insecure', ...tlsa(other)), want: { deliver: c, reasons: ['AwaitingDelivery'] } },
    ],
    [
      'a set of unusable records asks only for TLS',
      { state: fresh, facts: live('Secure', `1 1 1 ${other}`), want: { deliver: c, reasons: ['AwaitingDelivery'] } },
    ],
    [
      'a set that matches by its CA lets it through',
      {
        state: fresh,
        facts: { ...none, live: [{ name: 'x', outcome: 'Secure', values: [`2 1 1 ${other}`], alsoMatches: [c] }] },
        want: { deliver: c, publish: 'Keep', reasons: ['AwaitingDelivery'] },
      },
    ],
    [
      'no certificate, no delivery',
      {
        state: fresh,
        facts: { ...none, ...everywhere(undefined), certificates: [] },
        want: { deliver: undefined, reasons: ['AwaitingDelivery', 'OrderPending'] },
      },
    ],
  ])('%s', (_, one) => check(one));

  test('a set that is taken over stays until our key has been everywhere for the gate', () => {
    const foreign = live('Secure', ...tlsa(other));
    const union = tlsa(c, n, other);
    const first = step({ ...state, ...fresh }, { ...facts, ...foreign, adopt: true });
    expect(first).toMatchObject({
      publish: union,
      deliver: undefined,
      state: { published: true, adopted: tlsa(other) },
    });

    const stands = {
      ...facts,
      ...foreign,
      adopt: true,
      live: [{ name: '_25._tcp.mx.example', outcome: 'Secure' as const, values: union }],
      relied: union,
    };
    const early = step(first.state, { ...stands, standing: { [c]: now - hour, [n]: now - hour } });
    expect(early).toMatchObject({
      publish: union,
      deliver: undefined,
      waits: [{ reason: 'Waiting', until: now + hour }],
    });

    const standing = { [c]: now - 2 * hour, [n]: now - 2 * hour };
    const ripe = step(early.state, { ...stands, standing });
    expect(ripe).toMatchObject({ publish: union, deliver: c });

    const presented = step(ripe.state, { ...stands, standing, delivered: c, ...everywhere(c) });
    expect(presented).toMatchObject({ publish: union, state: { presentedSince: now } });

    const done = step(presented.state, { ...stands, standing, delivered: c, ...everywhere(c), now: now + 2 * hour });
    expect(done.publish).toEqual(tlsa(c, n));
    expect(done.state).toEqual({ ...state, published: true, dropped: tlsa(other) });
  });
});
