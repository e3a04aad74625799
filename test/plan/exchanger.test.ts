import { describe, expect, test } from 'vitest';
import type { DesiredExchanger } from '../../src/desired/exchanger.ts';
import type { ObservedExchanger } from '../../src/plan/exchanger.ts';
import {
  answer,
  applied,
  certificate,
  day,
  digest,
  exchangerState,
  host,
  key,
  mountedSecret,
  now,
  seen,
  tlsProbe,
  views,
} from './cases.ts';
import { both, mark, planOf as plan, settled, tlsa } from './exchanger-world.ts';
import { recordChanges, steps } from './steps.ts';

const motion = { verdict: 'InMotion', reason: 'DNSSECInMotion', urgent: false, detail: 'ED25519 has no DS' } as const;

test('an exchanger that is as it should be changes nothing', () => {
  expect(plan()).toMatchObject({ changes: [], waits: [], lagging: [] });
});

test('what is planned from a stored plan is the same plan', () => {
  const first = plan({}, { dane: { mode: 'Auto', ttlSeconds: 60 } });
  expect(plan({ state: first.state }, { dane: { mode: 'Auto', ttlSeconds: 60 } }).state).toEqual(first.state);
});

describe('TLSA records', () => {
  const none = { applied: [applied(mark)], rollover: { ...settled.rollover, published: false } };
  const bare: Partial<ObservedExchanger> = {
    state: exchangerState(none),
    views: views(['_mailseal.mx1.example.com TXT', seen(mark)], ['_25._tcp.mx1.example.com TLSA', seen(undefined)]),
    hosts: [host()],
  };

  test('of both keys are published where every address presents the current one', () => {
    expect(recordChanges(plan(bare))).toEqual([{ name: tlsa.name, type: 'TLSA', before: undefined, after: tlsa }]);
  });

  test.each<readonly [string, Partial<ObservedExchanger>, Partial<DesiredExchanger>]>([
    [
      'an address shows another key',
      { hosts: [host({ probes: [tlsProbe(), tlsProbe('192.0.2.2', digest('f'))] })] },
      {},
    ],
    [
      'an address can’t be reached',
      {
        hosts: [
          host({
            probes: [tlsProbe(), { ...tlsProbe('192.0.2.2'), result: { outcome: 'Unknown', detail: 'timeout' } }],
          }),
        ],
      },
      {},
    ],
    ['no address is known', { hosts: [host({ probes: [] })] }, {}],
    ['the zone is not signed', { hosts: [host({ security: { verdict: 'Insecure', detail: 'not signed' } })] }, {}],
    ['nobody knows whether it is', { hosts: [host({ security: { verdict: 'Unknown', detail: 'no answer' } })] }, {}],
    ['its DNSSEC is in motion', { hosts: [host({ security: motion })] }, {}],
    ['its DNSSEC is broken', { hosts: [host({ security: { verdict: 'Bogus', detail: 'expired' } })] }, {}],
    ['DANE is off', {}, { dane: { mode: 'Off', ttlSeconds: 3600 } }],
    ['the object is suspended', {}, { suspended: true }],
    [
      'the host hangs on a wildcard',
      {
        views: views(
          ['_mailseal.mx1.example.com TXT', seen(mark)],
          ['_25._tcp.mx1.example.com TLSA', seen(undefined, { synthesised: true })],
        ),
      },
      {},
    ],
  ])('are not published while %s', (_, change, wish) => {
    expect(recordChanges(plan({ ...bare, ...change }, wish))).toEqual([]);
  });

  test('of a stranger are neither changed nor removed', () => {
    const theirs = { ...tlsa, values: [`3 1 1 ${digest('f')}`] };
    const made = plan({
      ...bare,
      views: views(['_mailseal.mx1.example.com TXT', seen(mark)], ['_25._tcp.mx1.example.com TLSA', seen(theirs)]),
      hosts: [host({ liveTlsa: answer(tlsa.name, 'TLSA', { values: theirs.values }) })],
    });
    expect(recordChanges(made)).toEqual([]);
    expect(made.records.refused).toMatchObject([{ reason: 'TLSAForeign' }]);
  });

  test('stay while DNSSEC is in motion, also where DANE is turned off meanwhile', () => {
    const hosts = [host({ security: motion, liveTlsa: answer(tlsa.name, 'TLSA', { values: both }) })];
    const made = plan({ hosts }, { dane: { mode: 'Off', ttlSeconds: 3600 } });
    expect(recordChanges(made)).toEqual([]);
    expect(made.waits.map(({ why }) => why)).toEqual([expect.stringMatching(/^DNSSEC of the zone is being changed/)]);
  });

  test('that were taken away by hand come back also while DNSSEC is in motion', () => {
    const change = {
      hosts: [host({ security: motion })],
      views: views(['_mailseal.mx1.example.com TXT', seen(mark)], ['_25._tcp.mx1.example.com TLSA', seen(undefined)]),
    };
    expect(recordChanges(plan(change))).toEqual([{ name: tlsa.name, type: 'TLSA', before: undefined, after: tlsa }]);
  });

  const trouble = ['Insecure', 'Bogus', 'Unknown'] as const;
  test.each(trouble)('that stand are kept while the zone is %s, confirmed or not', (verdict) => {
    const hosts = [
      host({
        security: { verdict, detail: 'x' },
        liveTlsa: answer(tlsa.name, 'TLSA', { values: both, authentic: false }),
      }),
    ];
    expect(recordChanges(plan({ hosts }))).toEqual([]);
    const { since: _, ...unconfirmed } = applied(tlsa, { standing: 'Intended' });
    expect(
      recordChanges(plan({ hosts, state: exchangerState({ ...none, applied: [applied(mark), unconfirmed] }) })),
    ).toEqual([]);
  });

  test('go when DANE is turned off', () => {
    expect(recordChanges(plan({}, { dane: { mode: 'Off', ttlSeconds: 3600 } }))).toEqual([
      { name: tlsa.name, type: 'TLSA', before: tlsa, after: undefined },
    ]);
  });
});

describe('delivery', () => {
  const foreign = answer(tlsa.name, 'TLSA', { values: [`3 1 1 ${digest('f')}`] });
  test.each<readonly [string, Partial<ObservedExchanger>, readonly string[]]>([
    ['the Secret is absent: made', { mounted: { is: 'Absent' } }, ['Deliver']],
    ['it holds what it should: nothing', {}, []],
    [
      'it holds another chain of the same key: replaced',
      { mounted: { is: 'Ours', object: mountedSecret({ chain: 'old' }) } },
      ['Deliver'],
    ],
    ['someone else’s Secret has the name: nothing', { mounted: { is: 'Foreign', message: 'not ours' } }, []],
    ['it may not be read: nothing', { mounted: { is: 'Forbidden', message: 'no right' } }, []],
    [
      'a live secure set pins another key: nothing',
      { mounted: { is: 'Absent' }, hosts: [host({ liveTlsa: foreign })] },
      [],
    ],
    [
      'nobody knows what is pinned: nothing',
      { mounted: { is: 'Absent' }, hosts: [host({ liveTlsa: answer(tlsa.name, 'TLSA', { outcome: 'ServFail' }) })] },
      [],
    ],
  ])('%s', (_, change, want) => {
    const state = exchangerState({ applied: [applied(mark)], rollover: { ...settled.rollover, published: false } });
    expect(steps(plan({ state, hosts: [host()], ...change })).filter((step) => step === 'Deliver')).toEqual(want);
  });

  test('what keeps the key back is named, not what keeps the records back', () => {
    const state = exchangerState({ applied: [applied(mark)], rollover: { ...settled.rollover, published: false } });
    const { delivery } = plan({ state, mounted: { is: 'Absent' }, hosts: [host({ liveTlsa: foreign, probes: [] })] });
    expect(delivery).toMatchObject({ status: 'Blocked', reason: 'TLSAMismatch' });
  });

  test('a renewal reaches the hosts also while the object is suspended', () => {
    const mounted = { is: 'Ours', object: mountedSecret({ chain: 'old' }) } as const;
    expect(steps(plan({ mounted }, { suspended: true }))).toEqual(['Deliver']);
  });

  test('key and certificate travel in one write, over the version that was seen', () => {
    const [change] = plan({ mounted: { is: 'Ours', object: mountedSecret({ chain: 'old' }) } }).changes;
    expect(change).toMatchObject({
      do: 'Deliver',
      secret: {
        metadata: { name: 'mx-tls', namespace: 'mail', resourceVersion: '7' },
        data: {
          'tls.crt': Buffer.from(certificate().chain).toString('base64'),
          'tls.key': Buffer.from(key('c').pem).toString('base64'),
        },
      },
    });
  });
});

test('a renewal orders for the same key and changes no record', () => {
  const made = plan({}, {}, now + 31 * day);
  expect(steps(made)).toEqual(['Order']);
  expect(made.changes[0]).toMatchObject({ key: { spkiSha256: digest('c') } });
});
