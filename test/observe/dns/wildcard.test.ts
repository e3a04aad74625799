import { expect, test } from 'vitest';
import { isSynthesised } from '../../../src/observe/dns/wildcard.ts';
import { type FakeWorld, fakeAuthorities } from '../../fakes/resolver.ts';

const zone = 'example.com';
const cases: readonly (readonly [string, string, FakeWorld['records'], boolean])[] = [
  ['a host with an address of its own', 'mx1.example.com', { 'mx1.example.com A': ['192.0.2.1'] }, false],
  ['a host whose address is made from a wildcard', 'mx1.example.com', { '*.example.com A': ['192.0.2.1'] }, true],
  ['a host two labels below a wildcard', 'a.b.example.com', { '*.example.com AAAA': ['2001:db8::1'] }, true],
  ['a name whose MX is made from a wildcard', 'sub.example.com', { '*.example.com MX': ['10 mx1.example.net'] }, true],
  ['a name that is made an alias by a wildcard', 'sub.example.com', { '*.example.com CNAME': ['x.example.net'] }, true],
  [
    'a host of its own that shares its address with a wildcard',
    'mx1.example.com',
    { 'mx1.example.com A': ['192.0.2.1'], '*.example.com A': ['192.0.2.1'] },
    false,
  ],
  [
    'a host of its own with a wildcard below it',
    'mx1.example.com',
    { 'mx1.example.com A': ['192.0.2.1'], '*.mx1.example.com A': ['192.0.2.7'] },
    false,
  ],
  ['a wildcard for text only', 'mx1.example.com', { '*.example.com TXT': ['x'] }, false],
  ['a name that is not there', 'mx1.example.com', { 'example.com A': ['192.0.2.1'] }, false],
  ['the zone itself', 'example.com', { '*.example.com A': ['192.0.2.1'], 'example.com A': ['192.0.2.1'] }, false],
];

test.each(cases)('%s, in a zone without signatures', async (_what, host, records, expected) => {
  const authorities = fakeAuthorities({ 'ns1 192.0.2.1': { records } });
  expect(await isSynthesised(authorities, zone, host)).toBe(expected);
});

test.each(cases)('%s, in a signed zone', async (_what, host, records, expected) => {
  const authorities = fakeAuthorities({ 'ns1 192.0.2.1': { records, secure: [zone] } });
  expect(await isSynthesised(authorities, zone, host)).toBe(expected);
});

test.each([
  [
    'has records of its own in a signed zone',
    { records: { 'mx1.example.com MX': ['10 a.example.net'] }, secure: [zone] },
    1,
  ],
  ['does not exist', { records: { 'example.com A': ['192.0.2.1'] } }, 1],
  ['exists without records', { records: { 'a.mx1.example.com A': ['192.0.2.1'] } }, 4],
])('a name that %s is asked for no longer than it takes', async (_what, world, questions) => {
  const servers = fakeAuthorities({ 'ns1 192.0.2.1': world });
  let asked = 0;
  const counting = {
    lookupAll: (...of: Parameters<typeof servers.lookupAll>) => ((asked += 1), servers.lookupAll(...of)),
  };
  expect(await isSynthesised(counting, zone, 'mx1.example.com')).toBe(false);
  expect(asked).toBe(questions);
});

test.each([
  ['no server answers', { 'ns1 192.0.2.1': 'Unreachable' as const }],
  ['there is no server', {}],
  [
    'servers differ',
    { 'ns1 192.0.2.1': { records: {} }, 'ns2 192.0.2.2': { records: { 'mx1.example.com A': ['192.0.2.1'] } } },
  ],
])('where %s it is unknown', async (_what, servers) => {
  expect(await isSynthesised(fakeAuthorities(servers), zone, 'mx1.example.com')).toBe('Unknown');
});
