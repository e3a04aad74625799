import { describe, expect, test } from 'vitest';
import { rememberLists } from '../../src/apply/providers/lists.ts';
import type { SetKey } from '../../src/apply/providers/provider.ts';
import { createRecents } from '../../src/observe/recent.ts';
import { observeRecords, type RecordObserver, type Sought } from '../../src/observe/records.ts';
import { type FakeProvider, fakeProvider } from '../fakes/provider.ts';
import { fakeAuthorities, fakeResolver, type FakeWorld } from '../fakes/resolver.ts';
import { applied, txt } from '../plan/cases.ts';

const name = '_mta-sts.example.com';
const ours = txt(name, 'v=STSv1; id=1;');
const sought: Sought = {
  name,
  type: 'TXT',
  values: ours.values,
  provider: 'main',
  zone: 'example.com',
  host: 'example.com',
};
const world = (values?: string): FakeWorld => ({
  records: values === undefined ? { 'example.com A': ['192.0.2.1'] } : { [`${name} TXT`]: [values] },
});

async function view(given: {
  readonly stands: boolean;
  readonly servers: Parameters<typeof fakeAuthorities>[0];
  readonly outside?: FakeWorld;
  readonly inside?: FakeWorld;
  readonly sought?: Partial<Sought>;
  readonly provider?: FakeProvider;
}) {
  const provider = given.provider ?? fakeProvider({ 'example.com': given.stands ? [ours] : [] });
  const observer = {
    providerOf: async () => provider,
    outside: fakeResolver(given.outside ?? world()),
    inside: given.inside && fakeResolver(given.inside, 'inside'),
    authorities: fakeAuthorities(given.servers),
    recents: createRecents({ now: () => 0 }),
  };
  const one = { ...sought, ...given.sought };
  return (await observeRecords(observer, [one])).get(`${one.name} ${one.type}`);
}

describe('a set that stands', () => {
  test.each<readonly [string, Parameters<typeof fakeAuthorities>[0], boolean]>([
    ['all servers show it', { 'ns1 192.0.2.1': world(ours.values[0]), 'ns2 192.0.2.2': world(ours.values[0]) }, true],
    ['one lags', { 'ns1 192.0.2.1': world(ours.values[0]), 'ns2 192.0.2.2': world('old') }, false],
    ['one shows nothing', { 'ns1 192.0.2.1': world(ours.values[0]), 'ns2 192.0.2.2': world() }, false],
    ['one does not answer', { 'ns1 192.0.2.1': world(ours.values[0]), 'ns2 192.0.2.2': 'Unreachable' }, false],
    ['no server is known', {}, false],
    [
      'a server has an address that we have no way to',
      { 'ns1 192.0.2.1': world(ours.values[0]), 'ns1 2001:db8::1': 'NoRoute' },
      true,
    ],
  ])('%s', async (_, servers, ok) => {
    expect(await view({ stands: true, servers })).toMatchObject({ live: ours, servers: { ok }, synthesised: false });
  });

  test('comes with the outside view, and with the inside view where there is one', async () => {
    const servers = { 'ns1 192.0.2.1': world(ours.values[0]) };
    const both = await view({ stands: true, servers, outside: world(ours.values[0]), inside: world('old') });
    expect(both).toMatchObject({ outside: { values: ours.values }, inside: { values: ['old'] } });
    expect((await view({ stands: true, servers }))?.inside).toBeUndefined();
  });

  test('is asked of no resolver while a server lags, whose denial it would remember', async () => {
    const servers = { 'ns1 192.0.2.1': world(ours.values[0]), 'ns2 192.0.2.2': world() };
    const seen = await view({ stands: true, servers, outside: world(ours.values[0]), inside: world(ours.values[0]) });
    expect(seen).toMatchObject({ servers: { ok: false }, outside: undefined, inside: undefined });
  });
});

describe('a set that does not stand', () => {
  const host = 'mx1.example.com';
  const below = { name: `_25._tcp.${host}`, type: 'TLSA', values: [], host } as const;
  test.each<readonly [string, Parameters<typeof fakeAuthorities>[0], boolean | 'Unknown']>([
    ['its host has addresses of its own', { 'ns1 192.0.2.1': { records: { [`${host} A`]: ['192.0.2.1'] } } }, false],
    ['its host comes from a wildcard', { 'ns1 192.0.2.1': { records: { '*.example.com A': ['192.0.2.1'] } } }, true],
    ['nobody could be asked', { 'ns1 192.0.2.1': 'Unreachable' }, 'Unknown'],
  ])('%s', async (_, servers, synthesised) => {
    expect(await view({ stands: false, servers, sought: below })).toMatchObject({
      live: undefined,
      servers: undefined,
      synthesised,
    });
  });

  test('comes with the CNAME that stands in its place', async () => {
    const servers = { 'ns1 192.0.2.1': world() };
    const provider = fakeProvider({
      'example.com': [{ name, type: 'CNAME', ttl: 300, values: ['_mta-sts.hosted.example.net'] }],
    });
    expect(await view({ stands: false, servers, provider })).toMatchObject({
      live: undefined,
      alias: '_mta-sts.hosted.example.net',
    });
    expect((await view({ stands: false, servers }))?.alias).toBeUndefined();
  });

  test('comes with the longest time for which its absence may be cached', async () => {
    const servers = { 'ns1 192.0.2.1': { ...world(), ttl: 60 }, 'ns2 192.0.2.2': { ...world(), ttl: 3600 } };
    expect(await view({ stands: false, servers })).toMatchObject({ negativeTtl: 3600 });
  });
});

test('one list a zone, whatever the number of sets', async () => {
  let lists = 0;
  const provider = fakeProvider({ 'example.com': [ours], 'example.net': [] });
  const counting = {
    ...provider,
    list: (zone: string, sought: readonly SetKey[]) => ((lists += 1), provider.list(zone, sought)),
  };
  const observer = {
    providerOf: async () => counting,
    outside: fakeResolver(world()),
    inside: undefined,
    authorities: fakeAuthorities({}),
    recents: createRecents({ now: () => 0 }),
  };
  const all = ['a', 'b', 'c'].map((label): Sought => ({ ...sought, name: `${label}.example.com` }));
  await observeRecords(observer, [...all, { ...sought, zone: 'example.net', name: 'x.example.net' }]);
  expect(lists).toBe(2);
});

describe('of an object on its way', () => {
  const shown = { 'ns1 192.0.2.1': world(ours.values[0]) };
  const stored = { entry: applied(ours) };
  /** Looks twice, the second time `afterMs` later for `later`; how often the provider was asked. */
  async function twice(first: Partial<Sought>, later: Partial<Sought>, afterMs: number, servers = shown) {
    let time = 0;
    let lists = 0;
    const provider = fakeProvider({ 'example.com': [ours] });
    const observer: RecordObserver = {
      providerOf: async () => ({ ...provider, list: (...of) => ((lists += 1), provider.list(...of)) }),
      outside: fakeResolver(world(ours.values[0])),
      inside: undefined,
      authorities: fakeAuthorities(servers),
      recents: createRecents({ now: () => time }),
    };
    await observeRecords(observer, [{ ...sought, ...first }]);
    time = afterMs;
    const views = await observeRecords(observer, [{ ...sought, ...later }]);
    expect(views.get(`${name} TXT`)).toMatchObject({ live: ours });
    return lists;
  }

  test.each<readonly [string, Partial<Sought>, Partial<Sought>, number, number]>([
    ['what stood everywhere as stored is not asked for again', { stored }, { stored }, 29_999, 1],
    ['it is after a while', { stored }, { stored }, 30_000, 2],
    ['it is when something else is stored', { stored }, { stored: { entry: applied(ours, { ttl: 7 }) } }, 1, 2],
    ['it is for an object at rest', { stored }, {}, 1, 2],
    ['what stands otherwise than stored is', { stored: { entry: undefined } }, { stored: { entry: undefined } }, 1, 2],
  ])('%s', async (_, first, later, afterMs, lists) => {
    expect(await twice(first, later, afterMs)).toBe(lists);
  });

  test('name servers are not asked again for what all showed, while a resolver still denies it', async () => {
    let asked = 0;
    const servers = fakeAuthorities(shown);
    const outside = world();
    const observer: RecordObserver = {
      providerOf: async () => fakeProvider({ 'example.com': [ours] }),
      outside: fakeResolver(outside),
      inside: undefined,
      authorities: { lookupAll: (...of) => ((asked += 1), servers.lookupAll(...of)) },
      recents: createRecents({ now: () => 0 }),
    };
    const look = async () => (await observeRecords(observer, [{ ...sought, stored }])).get(`${name} TXT`);
    expect(await look()).toMatchObject({ servers: { ok: true }, outside: { outcome: 'NxDomain' } });
    outside.records = world(ours.values[0]).records;
    expect(await look()).toMatchObject({ servers: { ok: true }, outside: { outcome: 'Found' } });
    expect(asked).toBe(1);
  });

  test('what a zone says of denials is asked for once, for whichever name', async () => {
    const asked: string[] = [];
    const servers = fakeAuthorities({ 'ns1 192.0.2.1': { ...world(), ttl: 60 } });
    const observer: RecordObserver = {
      providerOf: async () => fakeProvider({ 'example.com': [] }),
      outside: fakeResolver(world()),
      inside: undefined,
      authorities: { lookupAll: (...of) => (asked.push(of[1]), servers.lookupAll(...of)) },
      recents: createRecents({ now: () => 0 }),
    };
    const none = { stored: { entry: undefined }, host: undefined };
    for (const label of ['a', 'b']) {
      const of = `${label}.example.com`;
      const views = await observeRecords(observer, [{ ...sought, ...none, name: of }]);
      expect(views.get(`${of} TXT`)).toMatchObject({ negativeTtl: 60 });
    }
    expect(asked).toEqual(['a.example.com']);
  });

  test('what a server does not show yet is asked for again', async () => {
    expect(await twice({ stored }, { stored }, 1, { 'ns1 192.0.2.1': world('old') })).toBe(2);
  });
});

test('whoever asked for a fresh look is not shown a list of a moment ago', async () => {
  const provider = fakeProvider({ 'example.com': [] });
  const clock = { now: () => 1000 };
  const observer: RecordObserver = {
    providerOf: async () => remembering,
    outside: fakeResolver(world()),
    inside: undefined,
    authorities: fakeAuthorities({ 'ns1 192.0.2.1': world() }),
    recents: createRecents(clock),
  };
  const remembering = rememberLists(provider, clock);
  const live = async (askedAt?: number) =>
    (await observeRecords(askedAt === undefined ? observer : { ...observer, askedAt }, [sought])).get(`${name} TXT`)
      ?.live;
  expect(await live()).toBeUndefined();
  provider.setByHand('example.com', ours);
  expect(await live()).toBeUndefined();
  expect(await live(1001)).toEqual(ours);
});
