import { describe, expect, test } from 'vitest';
import type { ConditionType } from '../../src/api/types.ts';
import type { Answer } from '../../src/dns/answer.ts';
import type { DesiredDomain } from '../../src/desired/domain.ts';
import type { ObservedDomain } from '../../src/plan/domain.ts';
import { domainFindings, domainStatus } from '../../src/status/domain.ts';
import { answer, applied, day, desired, domainState, now, publication, seen, txt } from '../plan/cases.ts';
import { fetched, live, mark, planOf, settled, unready, viewsOf, world } from '../plan/domain-world.ts';

interface Case {
  readonly is: string;
  readonly seen?: Partial<ObservedDomain>;
  readonly wish?: Partial<DesiredDomain>;
  readonly type: ConditionType;
  readonly want: readonly [status: string, reason: string, words: string];
}

function conditions({ seen: change, wish }: Pick<Case, 'seen' | 'wish'>) {
  const full = { ...desired, ...wish };
  return domainFindings(full, world(change), planOf(change, full), undefined);
}

const mx = (change: Partial<Answer>): Partial<ObservedDomain> => ({
  mx: { outside: answer('example.com', 'MX', change), servers: undefined },
});
const stsView = (view: ReturnType<typeof seen>): Partial<ObservedDomain> => ({
  state: { ...settled, applied: settled.applied.filter(({ name }) => !name.startsWith('_mta-sts')) },
  views: new Map([
    ...viewsOf(mark),
    ['mta-sts.example.com A', seen({ name: 'mta-sts.example.com', type: 'A', ttl: 300, values: ['192.0.2.7'] })],
    ['_mta-sts.example.com TXT', view],
  ]),
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

const cases: readonly Case[] = [
  { is: 'all is well', type: 'Ready', want: ['True', 'Ready', 'the policy is in mode enforce'] },
  { is: 'as listed', type: 'MXResolved', want: ['True', 'MXResolved', 'names mx1.example.com'] },
  {
    is: 'the domain does not exist',
    seen: mx({ outcome: 'NxDomain' }),
    type: 'MXResolved',
    want: ['False', 'NoMX', 'publish its MX records'],
  },
  {
    is: 'no MX',
    seen: mx({}),
    type: 'MXResolved',
    want: ['False', 'ImplicitMX', 'Publish MX records for mx1.example.com'],
  },
  {
    is: 'DNSSEC is broken',
    seen: mx({ outcome: 'Bogus', detail: 'signature expired' }),
    type: 'MXResolved',
    want: ['False', 'ZoneBogus', 'signature expired'],
  },
  {
    is: 'servers fail',
    seen: mx({ outcome: 'ServFail' }),
    type: 'MXResolved',
    want: ['Unknown', 'DNSUnknown', 'ServFail'],
  },
  {
    is: 'no answer',
    seen: mx({ outcome: 'Unreachable', detail: 'timeout' }),
    type: 'MXResolved',
    want: ['Unknown', 'DNSUnknown', 'timeout'],
  },
  { is: 'a null MX', seen: mx({ values: ['0 .'] }), type: 'MXResolved', want: ['False', 'NullMX', 'takes no mail'] },
  {
    is: 'a stranger in it',
    seen: mx({ values: ['10 mx1.example.com', '5 evil.example'] }),
    type: 'MXResolved',
    want: ['False', 'UnlistedMX', 'names evil.example, which the policy does not'],
  },
  {
    is: 'a removed host still in it',
    seen: {
      ...mx({ values: ['10 mx1.example.com', '20 old.example.com'] }),
      state: { ...settled, removedHosts: [{ host: 'old.example.com', ttl: 300 }] },
    },
    type: 'MXResolved',
    want: ['False', 'UnlistedMX', 'the policy goes on naming it'],
  },
  {
    is: 'a host not in it yet',
    seen: mx({ values: ['10 mx1.example.com'] }),
    wish: { hosts: ['mx1.example.com', 'mx2.example.com'] },
    type: 'MXResolved',
    want: ['True', 'MXNotPublished', 'not in it yet: mx2.example.com'],
  },
  {
    is: 'one is not ready',
    seen: { exchangers: [unready('relay', 'no STARTTLS')] },
    type: 'ExchangerReady',
    want: ['False', 'ExchangerNotReady', 'relay: no STARTTLS'],
  },
  {
    is: 'one is not ready: its hosts are not verified either',
    seen: { exchangers: [unready('relay', 'no STARTTLS')] },
    type: 'StartTLSVerified',
    want: ['False', 'ExchangerNotReady', 'relay: no STARTTLS'],
  },
  {
    is: 'ready for DANE senders alone',
    seen: { exchangers: [daneOnly] },
    type: 'ExchangerReady',
    want: ['True', 'Ready', 'every exchanger is ready'],
  },
  {
    is: 'ready for DANE senders alone: others would not get through',
    seen: { exchangers: [daneOnly] },
    type: 'StartTLSVerified',
    want: ['False', 'CertificateNotTrusted', 'mx: only DANE vouches for it'],
  },
  {
    is: 'everywhere',
    type: 'PolicyServed',
    want: ['True', 'PolicyServed', `all 2 policy pods and the published address show policy ${live.id}`],
  },
  {
    is: 'everywhere, as a page',
    seen: { outsideFetch: fetched(live.body, { contentType: 'text/html' }) },
    type: 'PolicyServed',
    want: [
      'True',
      'PolicyServed',
      'the published address shows it as text/html, and strict senders take only text/plain',
    ],
  },
  {
    is: 'no certificate yet',
    seen: { state: bare, pods: [], outsideFetch: undefined },
    type: 'PolicyServed',
    want: ['False', 'OrderPending', 'mta-sts.example.com is being issued'],
  },
  {
    is: 'no pod',
    seen: { pods: [] },
    type: 'PolicyServed',
    want: ['False', 'NoPolicyPods', 'look at the policy Deployment'],
  },
  {
    is: 'no address',
    seen: { addresses: { ipv4: [], ipv6: [] }, outsideFetch: undefined },
    type: 'PolicyServed',
    want: ['False', 'NoPolicyAddress', 'policy.service.externalIPs'],
  },
  {
    is: 'a pod lags',
    seen: { pods: [{ pod: 'p1', served: undefined }] },
    type: 'PolicyServed',
    want: ['False', 'PolicyNotServed', 'pod p1: was not asked yet: it has no address, or was given nothing'],
  },
  {
    is: 'published',
    type: 'RecordsPublished',
    want: ['True', 'RecordsPublished', 'all name servers and the outside view agree'],
  },
  {
    is: 'a foreign record stands',
    seen: stsView(seen(txt('_mta-sts.example.com', 'v=STSv1; id=theirs;'))),
    type: 'RecordsPublished',
    want: ['False', 'ForeignRecord', 'Nothing was written'],
  },
  {
    is: 'a foreign record stands: only a human can mend it',
    seen: stsView(seen(txt('_mta-sts.example.com', 'v=STSv1; id=theirs;'))),
    type: 'Stalled',
    want: ['True', 'ForeignRecord', 'is not ours'],
  },
  {
    is: 'a wildcard',
    seen: stsView(seen(undefined, { synthesised: true })),
    type: 'RecordsPublished',
    want: ['False', 'WildcardSynthesised', 'lose its mail'],
  },
  {
    is: 'nobody knows of the wildcard',
    seen: stsView(seen(undefined, { synthesised: 'Unknown' })),
    type: 'RecordsPublished',
    want: ['Unknown', 'DNSUnknown', 'gave no answer'],
  },
  {
    is: 'a server lags',
    seen: {
      views: new Map([
        ...world().views,
        [
          '_mta-sts.example.com TXT',
          seen(txt('_mta-sts.example.com', `v=STSv1; id=${live.id};`), {
            servers: { ok: false, why: 'ns2 shows nothing' },
          }),
        ],
      ]),
    },
    type: 'RecordsPublished',
    want: ['False', 'NotAtAllServers', 'ns2 shows nothing'],
  },
  { is: 'not asked for', type: 'TLSRPTReady', want: ['False', 'TLSRPTOff', 'no reports are asked for'] },
  { is: 'not asked for does not keep it from being ready', type: 'Ready', want: ['True', 'Ready', 'verified'] },
  {
    is: 'asked for, and published',
    wish: rua,
    seen: reports(seen(txt('_smtp._tls.example.com', 'v=TLSRPTv1; rua=mailto:tls@example.net;'))),
    type: 'TLSRPTReady',
    want: ['True', 'TLSRPTPublished', 'reports go to mailto:tls@example.net'],
  },
  {
    is: 'a foreign record',
    wish: rua,
    seen: reports(seen(txt('_smtp._tls.example.com', 'v=TLSRPTv1; rua=mailto:a@b.example'))),
    type: 'TLSRPTReady',
    want: ['False', 'ForeignRecord', 'not ours'],
  },
  {
    is: 'hangs on a wildcard',
    wish: rua,
    seen: reports(seen(undefined, { synthesised: true })),
    type: 'TLSRPTReady',
    want: ['False', 'WildcardSynthesised', 'wildcard'],
  },
  {
    is: 'nobody knows of its wildcard',
    wish: rua,
    seen: reports(seen(undefined, { synthesised: 'Unknown' })),
    type: 'TLSRPTReady',
    want: ['Unknown', 'DNSUnknown', 'gave no answer'],
  },
  {
    is: 'a foreign report record leaves the policy’s records be',
    wish: rua,
    seen: reports(seen(txt('_smtp._tls.example.com', 'x'))),
    type: 'RecordsPublished',
    want: ['True', 'RecordsPublished', 'announces policy'],
  },
];

test.each(cases)('$type: $is', ({ type, want, ...rest }) => {
  const found = conditions(rest).find((condition) => condition.type === type);
  expect([found?.status, found?.reason]).toEqual(want.slice(0, 2));
  expect(found?.message).toContain(want[2]);
});

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
