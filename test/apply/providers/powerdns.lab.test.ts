import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createProvider } from '../../../src/apply/providers/index.ts';
import type { Provider, RecordChange } from '../../../src/apply/providers/provider.ts';
import type { RecordSet } from '../../../src/dns/rrset.ts';
import { addAddress, newFolder } from '../../lab/namespace.ts';
import { type Powerdns, startPowerdns } from '../../lab/powerdns.ts';
import { type Ground, contract } from './contract.ts';
import { contentOf, fleetingZone, zoneSpecs, zones } from './ground.ts';
import { parts } from './parts.ts';
import { type HttpRelay, startHttpRelay } from './relay.ts';
import { standingAt } from './standing.ts';

const providerAt = (url: string, apiKey: string): Promise<Provider> =>
  createProvider(
    { zones: Object.values(zones), powerdns: { url, plainHttp: true } },
    { 'api-key': apiKey },
    parts({ timeoutMs: 5000 }),
  );

const byHand =
  ({ call }: Powerdns) =>
  async (zone: string, { name, type, ttl, values }: RecordSet): Promise<void> => {
    const records = values.map((value) => ({ content: contentOf(type, value), disabled: false }));
    const set = { name: `${name}.`, type, ttl, records, changetype: values.length === 0 ? 'DELETE' : 'REPLACE' };
    await call('PATCH', `/zones/${zone}.`, { rrsets: [set] });
  };

const traits = {
  type: 'powerdns',
  has: {
    stranger: true,
    loseAnswer: true,
    throttle: true,
    failHalfway: false,
    // All changes go out in one call, however many they are.
    failSecondCall: false,
    fleeting: true,
    absentZone: true,
  },
} as const;

contract('PowerDNS', traits, async (): Promise<Ground> => {
  const address = '10.53.32.1';
  await addAddress(address);
  const server = await startPowerdns({ dir: join(newFolder('contract'), 'pdns'), address, zones: zoneSpecs });
  const relay = await startHttpRelay({ upstream: server.url });
  const provider = await providerAt(relay.url, server.apiKey);
  return {
    ...relay,
    ...zones,
    absentZone: 'absent.test',
    provider,
    another: () => providerAt(relay.url, server.apiKey),
    byHand: byHand(server),
    standing: (_, name, type) => standingAt(address, name, type),
    stranger: () => providerAt(relay.url, 'nobody'),
    fleeting: {
      zone: fleetingZone,
      lose: () => server.holds(fleetingZone, false),
      giveBack: () => server.holds(fleetingZone, true),
    },
    stop: async () => {
      provider.close?.();
      await relay.stop();
      await server.stop();
    },
  };
});

const address = '10.53.32.2';
let server: Powerdns;
let relay: HttpRelay;
let provider: Provider;
beforeAll(async () => {
  await addAddress(address);
  server = await startPowerdns({
    dir: join(newFolder('powerdns'), 'pdns'),
    address,
    zones: [
      { name: 'example.test' },
      { name: 'many.test', security: 'insecure' },
      { name: 'primary.test', kind: 'Master' },
      { name: 'still.test', kind: 'Master', soaEditApi: '' },
      { name: 'copy.test', kind: 'Slave' },
    ],
  });
  relay = await startHttpRelay({ upstream: server.url });
  provider = await providerAt(relay.url, server.apiKey);
});
afterAll(async () => {
  provider?.close?.();
  await relay?.stop();
  await server?.stop();
});

const txt = (name: string, ...values: readonly string[]): RecordSet => ({ name, type: 'TXT', ttl: 300, values });
const created = (after: RecordSet): RecordChange => ({ ...after, before: undefined, after });

test('a change raises the serial of a zone that has secondaries', async () => {
  const before = await server.serial('primary.test');
  await provider.apply('primary.test', [created(txt('_mta-sts.primary.test', 'v=STSv1; id=1;'))]);
  expect(await server.serial('primary.test')).toBeGreaterThan(before);
});

test.each([
  ['whose serial the API leaves alone', 'still.test', 'pdnsutil set-meta still.test SOA-EDIT-API DEFAULT'],
  ['that is a copy of a primary elsewhere', 'copy.test', 'name its primary in spec.powerdns.url'],
])('a zone %s is not written, and the mend is told', async (_what, zone, mend) => {
  const wanted = created(txt(`_mta-sts.${zone}`, 'v=STSv1; id=1;'));
  await expect(provider.apply(zone, [wanted])).rejects.toMatchObject({
    reason: 'ProviderRefused',
    kind: 'Stalled',
    message: expect.stringContaining(mend),
  });
  expect(await provider.list(zone, [wanted])).toEqual([]);
});

test('a set with a disabled record is a stranger’s, whichever way it is looked for, and is not written over', async () => {
  const name = '_mailseal.example.test';
  const disabled = [{ content: '"off"', disabled: true }];
  const set = { name: `${name}.`, type: 'TXT', ttl: 300, changetype: 'REPLACE' };
  const others = Array.from(
    { length: 300 },
    (_, at) => ({ name: `_mailseal.n${at}.example.test`, type: 'TXT' }) as const,
  );
  const expectBoth = async (...wanted: readonly RecordSet[]): Promise<void> => {
    for (const sought of [[], others]) {
      const listed = await provider.list('example.test', [{ name, type: 'TXT' }, ...sought]);
      expect(listed.map((one) => ({ ...one, values: [...one.values].sort() }))).toEqual(wanted);
    }
  };
  const records = [...disabled, { content: '"on"', disabled: false }];
  await server.call('PATCH', '/zones/example.test.', { rrsets: [{ ...set, records }] });
  await expectBoth(txt(name, 'off (disabled)', 'on'));
  await server.call('PATCH', '/zones/example.test.', { rrsets: [{ ...set, records: disabled }] });
  await expectBoth(txt(name, 'off (disabled)'));
  const over = { name, type: 'TXT', before: undefined, after: txt(name, 'ours') } as const;
  await expect(provider.apply('example.test', [over])).rejects.toMatchObject({ reason: 'RecordChanged' });
  await server.call('PATCH', '/zones/example.test.', { rrsets: [{ ...set, changetype: 'DELETE' }] });
});

test.each([
  ['ALIAS', 'policy.example.net.', ['A', 'AAAA'], 'an ALIAS of PowerDNS to "policy.example.net"'],
  ['LUA', `A "pickrandom({'192.0.2.1','192.0.2.2'})"`, ['A'], 'a LUA record of PowerDNS: "pickrandom('],
] as const)(
  'a record of type %s is a stranger’s set of what it answers with, and nothing is written beside or over it',
  async (type, content, types, words) => {
    const name = `mta-sts.${type.toLowerCase()}.example.test`;
    const record = { name: `${name}.`, type, ttl: 300 };
    const put = (changetype: string): Promise<string> =>
      server.call('PATCH', '/zones/example.test.', {
        rrsets: [{ ...record, changetype, records: [{ content, disabled: false }] }],
      });
    await put('REPLACE');
    const others = Array.from({ length: 300 }, (_, at) => ({ name: `n${at}.example.test`, type: 'A' }) as const);
    const ours = { name, type: 'A', ttl: 300, values: ['192.0.2.7'] } as const;
    for (const sought of [[], others]) {
      const listed = await provider.list('example.test', [ours, { name, type: 'AAAA' }, ...sought]);
      expect(listed.map((set) => set.type)).toEqual(types);
      for (const set of listed) expect(set).toMatchObject({ name, values: [expect.stringContaining(words)] });
    }
    const [before] = await provider.list('example.test', [ours]);
    const alias = { name, type: 'CNAME', ttl: 300, values: ['policy.example.net'] } as const;
    for (const after of [ours, alias])
      await expect(provider.apply('example.test', [created(after)])).rejects.toMatchObject({ reason: 'RecordChanged' });
    // As where it was given to us.
    await expect(provider.apply('example.test', [{ ...ours, before, after: ours }])).rejects.toMatchObject({
      reason: 'ProviderRefused',
      kind: 'Stalled',
      message: expect.stringContaining('remove it'),
    });
    const held = await server.call('GET', `/zones/example.test.?rrset_name=${name}.`);
    expect(JSON.parse(held)).toMatchObject({ rrsets: [{ ...record, records: [{ content }] }] });
    expect(JSON.parse(held).rrsets).toHaveLength(1);
    await provider.apply('example.test', [created(txt(name, 'beside it'))]);
    await put('DELETE');
    await provider.apply('example.test', [created(ours)]);
    expect(await standingAt(address, name, 'A')).toEqual(ours.values);
  },
);

test('what a wildcard answers does not stand at the name', async () => {
  const wildcard = { name: '*.wild.example.test', type: 'A', ttl: 300, values: ['192.0.2.9'] } as const;
  await byHand(server)('example.test', wildcard);
  expect(await standingAt(address, 'ghost.wild.example.test', 'A')).toEqual(['192.0.2.9']);
  expect(await provider.list('example.test', [{ name: 'ghost.wild.example.test', type: 'A' }])).toEqual([]);
});

test('what the server refuses is told in its own words, and nothing of the call is made', async () => {
  const name = '_25._tcp.example.test';
  const wrong = created({ name, type: 'TLSA', ttl: 300, values: ['3 1 1 nonsense'] });
  const beside = created(txt('_mta-sts.refused.example.test', 'x'));
  await expect(provider.apply('example.test', [beside, wrong])).rejects.toMatchObject({
    reason: 'ProviderRefused',
    kind: 'Stalled',
    message: expect.stringMatching(/Parsing record content/u),
  });
  expect(await standingAt(address, beside.name, 'TXT')).toEqual([]);
});

test('of very many names the zone is fetched once', async () => {
  const sets = Array.from({ length: 300 }, (_, at) => txt(`_mta-sts.d${at}.many.test`, `v=STSv1; id=${at};`));
  const before = relay.calls();
  await provider.apply('many.test', sets.map(created));
  expect(await provider.list('many.test', sets)).toEqual(sets);
  expect(relay.calls()).toEqual({ reads: before.reads + 2, writes: before.writes + 1 });
});

test.each([
  ['and was not made is made again', false],
  ['and was made all the same is not made again', true],
])('a change that failed at the server %s', async (_what, made) => {
  const wanted = txt(`_mta-sts.${made ? 'made' : 'lost'}.example.test`, 'v=STSv1; id=1;');
  const before = relay.calls().writes;
  relay.failWrite(500, made);
  await provider.apply('example.test', [created(wanted)]);
  expect(relay.calls().writes - before).toBe(made ? 1 : 2);
  expect(await standingAt(address, wanted.name, 'TXT')).toEqual(wanted.values);
});

test('of two of this program that create one record at the same time one is told, although the API compares nothing', async () => {
  const sets = ['1', '2'].map((id) => txt('_mta-sts.race.example.test', `v=STSv1; id=${id};`));
  const ends = await Promise.allSettled(sets.map((set) => provider.apply('example.test', [created(set)])));
  expect(ends).toMatchObject([{ status: 'fulfilled' }, { status: 'rejected', reason: { reason: 'RecordChanged' } }]);
  expect(await standingAt(address, '_mta-sts.race.example.test', 'TXT')).toEqual(['v=STSv1; id=1;']);
});

test('two programs that write at the same time do not lock each other out', async () => {
  const others = await Promise.all(Array.from({ length: 4 }, () => providerAt(server.url, server.apiKey)));
  const sets = Array.from({ length: 20 }, (_, at) => txt(`_mta-sts.l${at}.example.test`, `v=STSv1; id=${at};`));
  await Promise.all(
    sets.map((set, at) => (others[at % others.length] ?? provider).apply('example.test', [created(set)])),
  );
  expect(await provider.list('example.test', sets)).toEqual(sets);
  for (const other of others) other.close?.();
});
