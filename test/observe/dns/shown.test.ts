import { expect, test } from 'vitest';
import { shownEverywhere } from '../../../src/observe/dns/shown.ts';
import { type FakeWorld, fakeAuthorities } from '../../fakes/resolver.ts';

const name = '_25._tcp.mx1.example.com';
const both = ['3 1 1 aa', '3 1 1 bb'];
const shows = (values: readonly string[], ttl = 300): FakeWorld => ({
  records: values.length === 0 ? {} : { [`${name} TLSA`]: values },
  ttl,
});

test.each([
  ['one server showing the set is enough', { 'ns1 192.0.2.1': shows(both) }, both, { ok: true, maxTtl: 300 }],
  [
    'the order of values means nothing',
    { 'ns1 192.0.2.1': shows([...both].reverse()) },
    both,
    { ok: true, maxTtl: 300 },
  ],
  [
    'the largest TTL of all servers is given',
    { 'ns1 192.0.2.1': shows(both, 60), 'ns2 192.0.2.2': shows(both, 3600) },
    both,
    { ok: true, maxTtl: 3600 },
  ],
  [
    'a family without a route is left out where the same server answered over the other',
    { 'ns1 192.0.2.1': shows(both), 'ns1 2001:db8::1': 'NoRoute' as const },
    both,
    { ok: true, maxTtl: 300 },
  ],
  [
    'absence everywhere is shown with the negative TTL',
    { 'ns1 192.0.2.1': shows([], 30) },
    'absent' as const,
    { ok: true, maxTtl: 30 },
  ],
])('%s', async (_what, servers, wanted, expected) => {
  expect(shownEverywhere(await fakeAuthorities(servers).lookupAll('example.com', name, 'TLSA'), wanted)).toEqual(
    expected,
  );
});

test.each([
  ['no server at all', {}, both, /no authoritative server/],
  [
    'a server that has not got it',
    { 'ns1 192.0.2.1': shows(both), 'ns2 192.0.2.2': shows([]) },
    both,
    /^ns2 \(192\.0\.2\.2\) does not show/,
  ],
  ['a server with the old set', { 'ns1 192.0.2.1': shows(['3 1 1 aa']) }, both, /shows 3 1 1 aa$/],
  ['a server with more', { 'ns1 192.0.2.1': shows([...both, '3 1 1 cc']) }, both, /shows/],
  [
    'a server that is silent',
    { 'ns1 192.0.2.1': shows(both), 'ns2 192.0.2.2': 'Unreachable' as const },
    both,
    /ns2 \(192\.0\.2\.2\) gave no answer/,
  ],
  [
    'a server that is silent at one address',
    { 'ns1 192.0.2.1': shows(both), 'ns1 192.0.2.2': 'Unreachable' as const },
    both,
    /gave no answer/,
  ],
  [
    'a server with no address that we have a route to',
    { 'ns1 192.0.2.1': shows(both), 'ns2 2001:db8::1': 'NoRoute' as const },
    both,
    /no IPv6 from here/,
  ],
  [
    'a server that still shows what shall be gone',
    { 'ns1 192.0.2.1': shows(both) },
    'absent' as const,
    /still shows 3 1 1 aa/,
  ],
  [
    'an alias where nothing shall be',
    { 'ns1 192.0.2.1': { records: { [`${name} CNAME`]: ['x.example.net'] } } },
    'absent' as const,
    /alias/,
  ],
  [
    'silence for absence',
    { 'ns1 192.0.2.1': { records: {}, failing: { 'example.com': 'ServFail' as const } } },
    'absent' as const,
    /gave no answer/,
  ],
])('%s is not shown everywhere', async (_what, servers, wanted, why) => {
  const shown = shownEverywhere(await fakeAuthorities(servers).lookupAll('example.com', name, 'TLSA'), wanted);
  expect(shown).toEqual({ ok: false, why: expect.stringMatching(why) });
});
