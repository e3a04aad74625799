import { expect, test } from 'vitest';
import { listByServers } from '../../../src/apply/providers/byservers.ts';
import { fromSpec } from '../../../src/apply/providers/manual.ts';
import type { RecordType } from '../../../src/dns/rrset.ts';
import { fakeAuthorities, type FakeWorld } from '../../fakes/resolver.ts';
import { parts } from './parts.ts';

const zone = 'example.test';
const name = `_mta-sts.${zone}`;
type Servers = Parameters<typeof fakeAuthorities>[0];

const holding = (...values: readonly string[]): FakeWorld => ({
  records: { [`mx1.${zone} A`]: ['192.0.2.1'], ...(values.length > 0 ? { [`${name} TXT`]: values } : {}) },
});
const empty = holding();
const list = (servers: Servers, type: RecordType = 'TXT', at = name) =>
  listByServers(fakeAuthorities(servers), zone, [{ name: at, type }]);
const [one, two, six] = ['ns1.test 192.0.2.53', 'ns2.test 192.0.2.54', 'ns1.test 2001:db8::53'];
const set = (...values: readonly string[]) => [{ name, type: 'TXT', ttl: 300, values }];

test.each<[string, Servers, ReturnType<typeof set>]>([
  ['what all servers show stands', { [one]: holding('x'), [two]: holding('x') }, set('x')],
  ['what one server shows stands', { [one]: empty, [two]: holding('x') }, set('x')],
  ['what one server shows stands while another is silent', { [one]: 'Unreachable', [two]: holding('x') }, set('x')],
  ['what all servers deny does not stand', { [one]: empty, [two]: empty }, []],
  ['an address that this machine has no way to is nobody who could know', { [six]: 'NoRoute', [one]: empty }, []],
  ['of servers that differ it is always the same that counts', { [two]: holding('b'), [one]: holding('a') }, set('a')],
])('%s', async (_what, servers, wanted) => {
  expect(await list(servers)).toEqual(wanted);
});

test.each<[string, Servers, RegExp]>([
  ['a server is silent and the others show nothing', { [one]: empty, [two]: 'Unreachable' }, /ns2\.test .*no answer/u],
  ['a server fails', { [one]: { ...empty, failing: { [zone]: 'ServFail' } } }, /ns1\.test/u],
  ['no server can be reached from here', { [six]: 'NoRoute' }, /no IPv6 from here/u],
  ['the zone has no server', {}, /no name server/u],
])('what nobody denied is not absent: %s', async (_what, servers, words) => {
  await expect(list(servers)).rejects.toMatchObject({
    reason: 'DNSUnknown',
    kind: 'Retry',
    message: expect.stringMatching(words),
  });
});

test('an alias is listed with its own target, whatever is asked for', async () => {
  const world: FakeWorld = {
    records: { [`${name} CNAME`]: [`mx1.${zone}`], [`mx1.${zone} CNAME`]: ['host.example.net'] },
  };
  const alias = { name, type: 'CNAME', ttl: 300, values: [`mx1.${zone}`] };
  for (const type of ['TXT', 'A', 'CNAME'] as const) expect(await list({ [one]: world }, type)).toEqual([alias]);
});

test('what a wildcard of a signed zone makes does not stand at the name', async () => {
  const world: FakeWorld = { records: { [`*.${zone} TXT`]: ['x'] }, secure: [zone] };
  expect(await list({ [one]: world })).toEqual([]);
  expect(await list({ [one]: world }, 'TXT', `*.${zone}`)).toEqual([{ ...set('x')[0], name: `*.${zone}` }]);
});

test('a name outside of the zone is refused', async () => {
  await expect(list({ [one]: empty }, 'TXT', 'example.org')).rejects.toMatchObject({ reason: 'ProviderRefused' });
});

test('a human publishes: what stands is seen, and nothing is ever written', async () => {
  const authorities = fakeAuthorities({ [one]: holding('x') });
  const provider = fromSpec({ contact: 'dns@example.net' }, {}, parts({ authorities }));
  expect(provider.capabilities.writes).toBe(false);
  expect(await provider.list(zone, [{ name, type: 'TXT' }])).toEqual(set('x'));
  await expect(provider.apply(zone, [])).rejects.toMatchObject({
    reason: 'ProviderRefused',
    kind: 'Stalled',
    message: expect.stringContaining('dns@example.net'),
  });
});
