import { describe, expect, test } from 'vitest';
import { apiVersion, type DNSProvider } from '../../src/api/types.ts';
import type { RecordSet } from '../../src/dns/rrset.ts';
import { observeChallenges } from '../../src/observe/certificate.ts';
import { createRecents } from '../../src/observe/recent.ts';
import type { OrderView } from '../../src/plan/certificate.ts';
import type { State } from '../../src/plan/state.ts';
import { fakeProvider } from '../fakes/provider.ts';
import { fakeAuthorities, fakeResolver, type FakeWorld } from '../fakes/resolver.ts';
import { exchangerState, order, txt } from '../plan/cases.ts';

const txtName = '_acme-challenge.mx1.example.com';
const cname = (name: string, value: string): RecordSet => ({ name, type: 'CNAME', ttl: 300, values: [value] });
const providerOf = (name: string, ...zones: readonly string[]): DNSProvider => ({
  apiVersion,
  kind: 'DNSProvider',
  metadata: { name },
  spec: { zones, allowedNamespaces: { names: ['mail'] } },
});
const open: State = exchangerState({ order: order() });

function observe(
  sets: readonly RecordSet[],
  servers: Parameters<typeof fakeAuthorities>[0] = {},
  state: State = open,
  seen?: OrderView,
) {
  const zones = { 'example.com': sets, 'acme.example.net': sets };
  const provider = fakeProvider(zones);
  return observeChallenges(
    {
      providerOf: async () => provider,
      authorities: fakeAuthorities(servers),
      providers: [providerOf('main', 'example.com'), providerOf('acme', 'acme.example.net')],
      traits: {},
      outside: fakeResolver({ records: {} }),
      recents: createRecents({ now: () => 0 }),
      namespace: 'mail',
      providerRef: 'main',
    },
    state,
    seen,
  );
}
const shows = (...values: readonly string[]): FakeWorld => ({ records: { [`${txtName} TXT`]: values } });

describe('where a challenge is to stand', () => {
  const hops = (count: number): readonly RecordSet[] =>
    Array.from({ length: count }, (_, n) =>
      cname(n === 0 ? txtName : `h${n}.acme.example.net`, `h${n + 1}.acme.example.net`),
    );
  test.each<readonly [string, readonly RecordSet[], object]>([
    ['at its own name', [], { ok: true, name: txtName, provider: 'main', zone: 'example.com' }],
    [
      'where a CNAME leads, by the provider of that zone',
      hops(1),
      { ok: true, name: 'h1.acme.example.net', provider: 'acme', zone: 'acme.example.net' },
    ],
    ['at the end of four CNAMEs', hops(4), { ok: true, name: 'h4.acme.example.net' }],
    ['nowhere: five CNAMEs', hops(5), { ok: false }],
    ['nowhere: a loop', [cname(txtName, txtName)], { ok: false }],
    [
      'nowhere: a zone that is not granted',
      [cname(txtName, 'x.elsewhere.example')],
      { ok: false, reason: 'ZoneNotGranted' },
    ],
  ])('%s', async (_, sets, target) => {
    expect((await observe(sets)).challenges).toMatchObject([{ txtName, txtValue: 'proof-1', target }]);
  });
});

test.each<readonly [string, readonly RecordSet[], Parameters<typeof fakeAuthorities>[0], boolean]>([
  [
    'all servers show it',
    [txt(txtName, 'proof-1')],
    { 'ns1 192.0.2.1': shows('proof-1'), 'ns2 192.0.2.2': shows('other', 'proof-1') },
    true,
  ],
  [
    'one does not show it yet',
    [txt(txtName, 'proof-1')],
    { 'ns1 192.0.2.1': shows('proof-1'), 'ns2 192.0.2.2': shows('other') },
    false,
  ],
  [
    'one was not reached',
    [txt(txtName, 'proof-1')],
    { 'ns1 192.0.2.1': shows('proof-1'), 'ns2 192.0.2.2': 'Unreachable' },
    false,
  ],
  [
    'a second address of one was not reached',
    [txt(txtName, 'proof-1')],
    { 'ns1 192.0.2.1': shows('proof-1'), 'ns1 2001:db8::1': 'NoRoute' },
    true,
  ],
  ['no server is known', [txt(txtName, 'proof-1')], {}, false],
  ['the provider does not have it', [txt(txtName, 'other')], { 'ns1 192.0.2.1': shows('proof-1') }, false],
])('shown everywhere: %s', async (_, sets, servers, want) => {
  expect((await observe(sets, servers)).challenges[0]?.shownEverywhere).toBe(want);
});

const addressOf = (name: string): FakeWorld => ({ records: { [`${name} A`]: ['192.0.2.1'] } });
test.each<readonly [string, Parameters<typeof fakeAuthorities>[0], boolean | 'Unknown']>([
  ['its host has an address of its own', { 'ns1 192.0.2.1': addressOf('mx1.example.com') }, false],
  ['its host comes from a wildcard', { 'ns1 192.0.2.1': addressOf('*.example.com') }, true],
  ['nobody could be asked', { 'ns1 192.0.2.1': 'Unreachable' }, 'Unknown'],
])('before a first challenge record: %s', async (_, servers, synthesised) => {
  expect((await observe([], servers)).challenges).toMatchObject([{ live: undefined, synthesised }]);
});

test('below a zone’s own apex there is no wildcard to look for', async () => {
  const { challenges } = await observe([cname(txtName, 'acme.example.net')], { 'ns1 192.0.2.1': 'Unreachable' });
  expect(challenges).toMatchObject([{ target: { ok: true, name: 'acme.example.net' }, synthesised: false }]);
});

test('an authorization that is valid asks for nothing', async () => {
  const [first] = order().authorizations;
  const done = order({ authorizations: first === undefined ? [] : [{ ...first, status: 'valid' }] });
  expect((await observe([], {}, exchangerState({ order: done }))).challenges).toEqual([]);
});

test('what has served is looked for where it stands', async () => {
  const spent = [{ name: txtName, txtName, value: 'proof-0', provider: 'main', zone: 'example.com' }];
  const { spentLive, challenges } = await observe(
    [txt(txtName, 'proof-0'), cname('x.example.com', 'y')],
    {},
    exchangerState({ spent }),
  );
  expect([...spentLive]).toEqual([[txtName, txt(txtName, 'proof-0')]]);
  expect(challenges).toEqual([]);
});

test.each<readonly [string, OrderView, boolean]>([
  ['has just been made', { status: 'created' }, true],
  ['waits for the proof', { status: 'pending', answered: false }, true],
  ['is being checked', { status: 'pending', answered: true }, false],
  ['was accepted', { status: 'ready', answered: true }, false],
])('the proof is looked for while an order %s', async (_, seen, looked) => {
  const stands = [txt(txtName, 'proof-1')];
  const servers = { 'ns1 192.0.2.1': shows('proof-1') };
  const { challenges } = await observe(stands, servers, open, seen);
  expect(challenges[0]).toMatchObject({ target: { ok: true }, shownEverywhere: looked });
});

test('without a state there is nothing to look for', async () => {
  const nothing = await observeChallenges(
    {
      providerOf: () => Promise.reject(new Error('not asked')),
      authorities: fakeAuthorities({}),
      providers: [],
      traits: {},
      outside: fakeResolver({ records: {} }),
      recents: createRecents({ now: () => 0 }),
      namespace: 'mail',
      providerRef: undefined,
    },
    undefined,
  );
  expect(nothing.challenges).toEqual([]);
});
