import { describe, expect, test } from 'vitest';
import type { Answer } from '../../src/dns/answer.ts';
import type { ObservedDomain } from '../../src/plan/domain.ts';
import { domainStatus } from '../../src/status/domain.ts';
import { answer, applied, day, desired, domainState, now, publication, seen, txt } from '../plan/cases.ts';
import { address, fetched, live, mark, planOf, settled, unready, viewsOf, world } from '../plan/domain-world.ts';
import { type DomainTable, ofDomain, testTable } from './told.ts';

const mx = (change: Partial<Answer>): Partial<ObservedDomain> => ({
  mx: { outside: answer('example.com', 'MX', change), servers: undefined },
});
const stsView = (view: ReturnType<typeof seen>): Partial<ObservedDomain> => ({
  state: { ...settled, applied: settled.applied.filter(({ name }) => !name.startsWith('_mta-sts')) },
  views: new Map([...viewsOf(mark, address), ['_mta-sts.example.com TXT', view]]),
});
const rua = { rua: ['mailto:tls@example.net'] };
const reports = (view: ReturnType<typeof seen>): Partial<ObservedDomain> => ({
  views: new Map([...world().views, ['_smtp._tls.example.com TXT', view]]),
});
const { certificate: _, ...bare } = settled;

const daneOnly = {
  name: 'mx',
  ready: true,
  message: '',
  doubt: { reason: 'CertificateNotTrusted', message: 'only DANE vouches for it' },
} as const;

const told: DomainTable = {
  Ready: [
    ['all is well', {}, ['True', 'Ready'], 'the policy is in mode enforce'],
    ['not asked for does not keep it from being ready', {}, ['True', 'Ready'], 'verified'],
  ],
  MXResolved: [
    ['as listed', {}, ['True', 'MXResolved'], 'names mx1.example.com'],
    ['the domain does not exist', mx({ outcome: 'NxDomain' }), ['False', 'NoMX'], 'publish its MX records'],
    ['no MX', mx({}), ['False', 'ImplicitMX'], 'Publish MX records for mx1.example.com'],
    [
      'DNSSEC is broken',
      mx({ outcome: 'Bogus', detail: 'signature expired' }),
      ['False', 'ZoneBogus'],
      'signature expired',
    ],
    ['servers fail', mx({ outcome: 'ServFail' }), ['Unknown', 'DNSUnknown'], 'ServFail'],
    ['no answer', mx({ outcome: 'Unreachable', detail: 'timeout' }), ['Unknown', 'DNSUnknown'], 'timeout'],
    ['a null MX', mx({ values: ['0 .'] }), ['False', 'NullMX'], 'takes no mail'],
    [
      'a stranger in it',
      mx({ values: ['10 mx1.example.com', '5 evil.example'] }),
      ['False', 'UnlistedMX'],
      'names evil.example, which the policy does not',
    ],
    [
      'a removed host still in it',
      {
        ...mx({ values: ['10 mx1.example.com', '20 old.example.com'] }),
        state: { ...settled, removedHosts: [{ host: 'old.example.com', ttl: 300 }] },
      },
      ['False', 'UnlistedMX'],
      'the policy goes on naming it',
    ],
    [
      'a host not in it yet',
      mx({ values: ['10 mx1.example.com'] }),
      ['True', 'MXNotPublished'],
      'not in it yet: mx2.example.com',
      { wish: { hosts: ['mx1.example.com', 'mx2.example.com'] } },
    ],
  ],
  ExchangerReady: [
    [
      'one is not ready',
      { exchangers: [unready('relay', 'no STARTTLS')] },
      ['False', 'ExchangerNotReady'],
      'relay: no STARTTLS',
    ],
    ['ready for DANE senders alone', { exchangers: [daneOnly] }, ['True', 'Ready'], 'every exchanger is ready'],
  ],
  StartTLSVerified: [
    [
      'one is not ready: its hosts are not verified either',
      { exchangers: [unready('relay', 'no STARTTLS')] },
      ['False', 'ExchangerNotReady'],
      'relay: no STARTTLS',
    ],
    [
      'ready for DANE senders alone: others would not get through',
      { exchangers: [daneOnly] },
      ['False', 'CertificateNotTrusted'],
      'mx: only DANE vouches for it',
    ],
  ],
  PolicyServed: [
    ['everywhere', {}, ['True', 'PolicyServed'], `all 2 policy pods and the published address show policy ${live.id}`],
    [
      'everywhere, as a page',
      { outsideFetch: fetched(live.body, { contentType: 'text/html' }) },
      ['True', 'PolicyServed'],
      'the published address shows it as text/html, and strict senders take only text/plain',
    ],
    [
      'no certificate yet',
      { state: bare, pods: [], outsideFetch: undefined },
      ['False', 'OrderPending'],
      'mta-sts.example.com is being issued',
    ],
    ['no pod', { pods: [] }, ['False', 'NoPolicyPods'], 'look at the policy Deployment'],
    [
      'no address',
      { addresses: { ipv4: [], ipv6: [] }, outsideFetch: undefined },
      ['False', 'NoPolicyAddress'],
      'policy.service.externalIPs',
    ],
    [
      'a pod lags',
      { pods: [{ pod: 'p1', served: undefined }] },
      ['False', 'PolicyNotServed'],
      'pod p1: was not asked yet: it has no address, or was given nothing',
    ],
  ],
  RecordsPublished: [
    ['published', {}, ['True', 'RecordsPublished'], 'all name servers and the outside view agree'],
    [
      'a foreign record stands',
      stsView(seen(txt('_mta-sts.example.com', 'v=STSv1; id=theirs;'))),
      ['False', 'ForeignRecord'],
      'Nothing was written',
    ],
    ['a wildcard', stsView(seen(undefined, { synthesised: true })), ['False', 'WildcardSynthesised'], 'lose its mail'],
    [
      'nobody knows of the wildcard',
      stsView(seen(undefined, { synthesised: 'Unknown' })),
      ['Unknown', 'DNSUnknown'],
      'gave no answer',
    ],
    [
      'a server does not serve the zone',
      {
        views: new Map([
          ...world().views,
          [
            '_mta-sts.example.com TXT',
            seen(txt('_mta-sts.example.com', `v=STSv1; id=${live.id};`), {
              servers: { ok: false, kind: 'ServerLame', why: 'ns2 gave no answer: REFUSED' },
            }),
          ],
        ]),
      },
      ['False', 'ServerLame'],
      'ns2 gave no answer: REFUSED. Make that server serve the zone',
    ],
    [
      'a foreign report record leaves the policy’s records be',
      reports(seen(txt('_smtp._tls.example.com', 'x'))),
      ['True', 'RecordsPublished'],
      'announces policy',
      { wish: rua },
    ],
  ],
  Stalled: [
    [
      'a foreign record stands: only a human can mend it',
      stsView(seen(txt('_mta-sts.example.com', 'v=STSv1; id=theirs;'))),
      ['True', 'ForeignRecord'],
      'is not ours',
    ],
  ],
  TLSRPTReady: [
    ['not asked for', {}, ['False', 'TLSRPTOff'], 'no reports are asked for'],
    [
      'asked for, and published',
      reports(seen(txt('_smtp._tls.example.com', 'v=TLSRPTv1; rua=mailto:tls@example.net;'))),
      ['True', 'TLSRPTPublished'],
      'reports go to mailto:tls@example.net',
      { wish: rua },
    ],
    [
      'a foreign record',
      reports(seen(txt('_smtp._tls.example.com', 'v=TLSRPTv1; rua=mailto:a@b.example'))),
      ['False', 'ForeignRecord'],
      'not ours',
      { wish: rua },
    ],
    [
      'hangs on a wildcard',
      reports(seen(undefined, { synthesised: true })),
      ['False', 'WildcardSynthesised'],
      'wildcard',
      { wish: rua },
    ],
    [
      'nobody knows of its wildcard',
      reports(seen(undefined, { synthesised: 'Unknown' })),
      ['Unknown', 'DNSUnknown'],
      'gave no answer',
      { wish: rua },
    ],
  ],
};

testTable(told, ofDomain);

describe('what comes next', () => {
  const testing = domainState({ publications: [publication()], testingSince: now - 4 * day, applied: [applied(mark)] });
  const next = (change: Partial<ObservedDomain>) => domainStatus(desired, planOf(change)).next ?? [];
  test('says when a policy is promoted', () => {
    expect(next({ state: testing })[0]).toEqual({
      what: 'promote the policy from testing to enforce: it stands its time in testing first',
      after: '2026-12-02T00:00:00Z',
    });
  });
  test('names no time before testing has begun', () => {
    const { testingSince: _since, ...fresh } = testing;
    expect(next({ state: fresh })[0]).not.toHaveProperty('after');
  });
  test('says what keeps it from being promoted', () => {
    const state = { ...testing, testingSince: now - 99 * day };
    const exchangers = [unready('mx', 'mx1.example.com offers no STARTTLS')];
    expect(next({ state, exchangers })[0]?.what).toBe(
      'promote the policy from testing to enforce: once this is right: mx1.example.com offers no STARTTLS',
    );
  });
  test('says from when on a host that was taken out may be stopped', () => {
    const removedHosts = [{ host: 'old.example.com', leftMxAt: now, ttl: 600 }];
    expect(next({ state: { ...settled, removedHosts } })[0]).toEqual({
      what: 'safe to stop old.example.com',
      after: '2026-11-22T00:15:00Z',
    });
  });
  test('says that a removed host must leave the MX set first', () => {
    const state = { ...settled, removedHosts: [{ host: 'old.example.com', ttl: 600 }] };
    const servers = { hosts: ['mx1.example.com', 'old.example.com'], ttl: 600 };
    expect(next({ state, mx: { ...world().mx, servers } })[0]?.what).toContain('Take it out of the MX set first');
  });
});

test('the effective policy is the one that was announced', () => {
  const minted = publication({ id: '20261122000000dddddddd', body: 'newer', mode: 'testing' });
  const { shownSince: _shown, ...unannounced } = minted;
  const state = { ...settled, publications: [live, unannounced] };
  expect(domainStatus(desired, planOf({ state, pods: [] })).mtaSts).toMatchObject({
    effectiveMode: 'enforce',
    id: live.id,
  });
});
