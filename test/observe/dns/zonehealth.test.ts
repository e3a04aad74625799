import { expect, test } from 'vitest';
import type { Authorities } from '../../../src/dns/answer.ts';
import { observeZone } from '../../../src/observe/dns/zonehealth.ts';
import { createRecents } from '../../../src/observe/recent.ts';
import { fakeAuthorities, fakeResolver, type FakeWorld } from '../../fakes/resolver.ts';

const zone = 'example.com';
const key = '257 3 13 b2xk';
const named = '1 13 2 aa';
const minute = 60_000;

function looking(options: {
  readonly above?: Record<string, readonly string[]>;
  readonly failing?: FakeWorld['failing'];
  readonly servers?: Parameters<typeof fakeAuthorities>[0];
}) {
  const asked: string[] = [];
  let now = 0;
  const records = { 'com NS': ['a.gtld'], ...options.above };
  const servers = fakeAuthorities(options.servers ?? { 'ns1 192.0.2.1': { records: { [`${zone} DNSKEY`]: [key] } } });
  const authorities: Authorities = {
    lookupAll: (...of) => (asked.push(`${of[0]} ${of[2]} ${of[3] ?? 'all'}`), servers.lookupAll(...of)),
  };
  const clock = { now: () => now };
  const outside = fakeResolver({ records, ...(options.failing === undefined ? {} : { failing: options.failing }) });
  const world = { authorities, outside, recents: createRecents(clock), clock };
  return { asked, at: (ms: number) => ((now = ms), observeZone(world, zone)) };
}

test('a zone takes four questions to its servers and one to a few of its parent’s', async () => {
  const { asked, at } = looking({});
  expect(await at(0)).toEqual({ verdict: 'Well' });
  expect(asked).toEqual([
    'example.com SOA all',
    'example.com DNSKEY all',
    'example.com CDS all',
    'example.com CDNSKEY all',
    'com DS 4',
  ]);
});

test.each<readonly [string, Parameters<typeof looking>[0], number]>([
  ['stands still is looked at again after five minutes', {}, 5 * minute],
  ['is in motion is looked at again after one', { above: { [`${zone} DS`]: [named] } }, minute],
  ['no server answers for is looked at again after one', { servers: { 'ns1 192.0.2.1': 'Unreachable' } }, minute],
])('a zone that %s', async (_, options, after) => {
  const { asked, at } = looking(options);
  const first = await at(0);
  const questions = asked.length;
  expect(await at(after - 1)).toEqual(first);
  expect(asked.length).toBe(questions);
  await at(after);
  expect(asked.length).toBe(2 * questions);
});

test('whoever looks while another does waits for what that one sees', async () => {
  const { asked, at } = looking({});
  const [one, other] = await Promise.all([at(0), at(0)]);
  expect(other).toEqual(one);
  expect(asked.length).toBe(5);
});

test.each<readonly [string, Parameters<typeof looking>[0], RegExp]>([
  ['no server answers', { servers: { 'ns1 192.0.2.1': 'Unreachable', 'ns2 192.0.2.2': 'Lame' } }, /no server/],
  ['the DS can’t be looked up', { failing: { [zone]: 'ServFail' } }, /its DS can't be looked up: ServFail/],
])('where %s nothing is known', async (_, options, detail) => {
  expect(await looking(options).at(0)).toEqual({ verdict: 'Unknown', detail: expect.stringMatching(detail) });
});
