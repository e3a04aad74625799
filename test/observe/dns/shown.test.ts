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

const failing: FakeWorld = { records: {}, failing: { 'example.com': 'ServFail' } };
const good = { 'ns1 192.0.2.1': shows(both) };

test.each<readonly [string, Parameters<typeof fakeAuthorities>[0], readonly string[] | 'absent', string, RegExp]>([
  ['no server at all', {}, both, 'ServerSilent', /no authoritative server/],
  [
    'a server that has not got it',
    { ...good, 'ns2 192.0.2.2': shows([]) },
    both,
    'ServerLagging',
    /^ns2 \(192\.0\.2\.2\) does not show/,
  ],
  ['a server with the old set', { ...good, 'ns2 192.0.2.2': shows(['3 1 1 aa']) }, both, 'ServerLagging', /aa$/],
  ['a server with more', { ...good, 'ns2 192.0.2.2': shows([...both, '3 1 1 cc']) }, both, 'ServerLagging', /shows/],
  [
    'what no server has, old or new,',
    { 'ns1 192.0.2.1': shows(['3 1 1 aa']), 'ns2 192.0.2.2': shows([]) },
    both,
    'NotApplied',
    /ns1 .* shows 3 1 1 aa; ns2 .* does not show it yet/,
  ],
  [
    'a server that is silent',
    { ...good, 'ns2 192.0.2.2': 'Unreachable' },
    both,
    'ServerSilent',
    /ns2 \(192\.0\.2\.2\) gave no answer/,
  ],
  [
    'a server that is silent at one address',
    { ...good, 'ns1 192.0.2.2': 'Unreachable' },
    both,
    'ServerSilent',
    /gave no answer/,
  ],
  [
    'a server with no address that we have a route to',
    { ...good, 'ns2 2001:db8::1': 'NoRoute' },
    both,
    'ServerSilent',
    /no IPv6 from here/,
  ],
  ['a server that fails', { ...good, 'ns2 192.0.2.2': failing }, both, 'ServerFailing', /^ns2 .* ServFail/],
  ['a server without the zone', { ...good, 'ns2 192.0.2.2': 'Lame' }, both, 'ServerLame', /^ns2 .*: REFUSED$/],
  [
    'a server that is silent where no other shows it',
    { 'ns1 192.0.2.1': shows([]), 'ns2 192.0.2.2': 'Unreachable' },
    both,
    'ServerSilent',
    /ns1 .* does not show it yet; ns2/,
  ],
  [
    'a lame server among others that fail, are silent and lag',
    { ...good, 'a 192.0.2.2': shows([]), 'b 192.0.2.3': 'Unreachable', 'c 192.0.2.4': failing, 'd 192.0.2.5': 'Lame' },
    both,
    'ServerLame',
    /a .*; b .*; c .*; d /,
  ],
  ['what shall be gone', { ...good, 'ns2 192.0.2.2': shows([]) }, 'absent', 'ServerLagging', /still shows 3 1 1 aa/],
  ['what shall be gone and no server dropped', good, 'absent', 'NotApplied', /still shows 3 1 1 aa/],
  [
    'an alias where nothing shall be',
    { 'ns1 192.0.2.1': { records: { [`${name} CNAME`]: ['x.example.net'] } } },
    'absent',
    'NotApplied',
    /alias/,
  ],
  ['silence for absence', { 'ns1 192.0.2.1': failing }, 'absent', 'ServerFailing', /gave no answer/],
])('%s is not shown everywhere', async (_what, servers, wanted, kind, why) => {
  const shown = shownEverywhere(await fakeAuthorities(servers).lookupAll('example.com', name, 'TLSA'), wanted);
  expect(shown).toEqual({ ok: false, kind, why: expect.stringMatching(why) });
});
