/** An exchanger with several hosts, aliases and agents: what one of them shows is no proof for another. */
import { describe, expect, test } from 'vitest';
import type { ObservedHost } from '../../src/plan/exchanger.ts';
import {
  answer,
  applied,
  certificate,
  day,
  digest,
  exchangerState,
  grant,
  host,
  now,
  seen,
  sent,
  tlsProbe,
  txt,
  views,
} from './cases.ts';
import { both, desired, mark, planOf, settled, tlsa } from './exchanger-world.ts';
import { recordChanges } from './steps.ts';

const second = 'mx2.example.com';
const secondMark = txt(`_mailseal.${second}`, mark.values[0] ?? '');
const secondTlsa = { ...tlsa, name: `_25._tcp.${second}` };
const wish = { hosts: [...desired.hosts, { host: second, grant }] };
const secondHost = (spkiSha256: string): ObservedHost =>
  host({
    host: second,
    liveTlsa: answer(secondTlsa.name, 'TLSA', { outcome: 'NoData' }),
    probes: [{ ...tlsProbe('192.0.2.2', spkiSha256), host: second }],
  });
const first = host({ liveTlsa: answer(tlsa.name, 'TLSA', { values: both }) });
const joined = (spkiSha256: string) =>
  planOf(
    {
      hosts: [first, secondHost(spkiSha256)],
      views: views(
        ['_mailseal.mx1.example.com TXT', seen(mark)],
        [`${tlsa.name} TLSA`, seen(tlsa)],
        [`${secondMark.name} TXT`, seen(secondMark)],
        [`${secondTlsa.name} TLSA`, seen(undefined)],
      ),
      state: exchangerState({
        applied: [applied(mark), applied(tlsa), applied(secondMark)],
        rollover: { ...settled.rollover, published: true },
      }),
    },
    wish,
  );
const tlsaChanges = (plan: ReturnType<typeof planOf>): readonly string[] =>
  recordChanges(plan).flatMap(({ type, name }) => (type === 'TLSA' ? [name] : []));

describe('a host that joins an exchanger whose TLSA records stand', () => {
  test('gets none while it shows another key, for DANE senders would defer its mail', () => {
    const plan = joined(digest('f'));
    expect(tlsaChanges(plan)).toEqual([]);
    expect(plan.lagging).toEqual([`${second} [192.0.2.2] still shows another key`]);
    expect(plan.records.pending.map(({ message }) => message)).toContainEqual(
      `${secondTlsa.name} TLSA waits until every host presents the key`,
    );
  });
  test('gets its own once it presents the key', () => {
    expect(tlsaChanges(joined(digest('c')))).toEqual([secondTlsa.name]);
  });
});

test('DANE that was off and is on again waits for the hosts as it did the first time', () => {
  const plan = planOf({
    state: exchangerState({ applied: [applied(mark)], rollover: { ...settled.rollover, published: true } }),
    hosts: [host({ probes: [tlsProbe('192.0.2.1', digest('f'))] })],
    views: views(['_mailseal.mx1.example.com TXT', seen(mark)], [`${tlsa.name} TLSA`, seen(undefined)]),
  });
  expect(tlsaChanges(plan)).toEqual([]);
});

test('a foreign key at the name that an alias leads to keeps ours back', () => {
  const aliasTlsa = answer('_25._tcp.mail.hoster.example', 'TLSA', { values: [`3 1 1 ${digest('f')}`] });
  const state = exchangerState({ applied: [applied(mark)], rollover: { ...settled.rollover, published: false } });
  const { delivery } = planOf({ state, mounted: { is: 'Absent' }, hosts: [host({ aliasTlsa })] });
  expect(delivery).toMatchObject({ status: 'Blocked', reason: 'TLSAMismatch' });
  expect(delivery.message).toContain('_25._tcp.mail.hoster.example');
});

describe('an agent', () => {
  const unreachable = { ...tlsProbe(), result: { outcome: 'Unknown', detail: 'port 25 is closed from here' } } as const;
  const attested = (at: number): ObservedHost =>
    host({
      probes: [unreachable],
      attestation: {
        host: 'mx1.example.com',
        at,
        presents: { spkiSha256: digest('c'), notAfter: now + day, serial: '01' },
      },
    });
  test.each([
    ['makes up for a closed port while it is heard of daily', now - day, []],
    [
      'proves nothing any more after days of silence',
      now - 3 * day,
      ['mx1.example.com [192.0.2.1]: port 25 is closed from here'],
    ],
  ])('%s', (_, at, lagging) => {
    expect(planOf({ hosts: [attested(at)] }).lagging).toEqual(lagging);
  });
});

test('a server that was not reloaded since the renewal is named before its certificate ends', () => {
  const old = { ...sent(digest('c')), notBefore: now - 85 * day, notAfter: now + 5 * day };
  const result = { outcome: 'Tls', protocol: 'TLSv1.3', chain: [old], pkix: { verdict: 'Verified' } } as const;
  const state = exchangerState({
    applied: [applied(mark), applied(tlsa)],
    certificate: certificate({ notAfter: now + 80 * day }),
  });
  const { lagging } = planOf({
    state,
    hosts: [host({ probes: [{ ...tlsProbe(), result }], liveTlsa: first.liveTlsa })],
  });
  expect(lagging).toEqual([expect.stringContaining('reload its mail server')]);
});
