import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createCloudflare, httpRate } from '../../../src/apply/providers/cloudflare.ts';
import type { Provider, RecordChange } from '../../../src/apply/providers/provider.ts';
import { createZoneWriter } from '../../../src/apply/zonewriter.ts';
import type { RecordSet, RecordType } from '../../../src/dns/rrset.ts';
import { type CloudflareStandIn, startCloudflare } from '../../lab/cloudflare/server.ts';
import { draft, fill, providerAt, putByHand, startGround, valuesAt } from './cloudflare-ground.ts';
import { contract } from './contract.ts';

contract(
  'Cloudflare',
  {
    type: 'cloudflare',
    has: {
      stranger: true,
      loseAnswer: true,
      throttle: true,
      failHalfway: false,
      failSecondCall: true,
      fleeting: true,
      absentZone: true,
    },
  },
  startGround,
);

const zone = 'example.test';
const name = `mta-sts.${zone}`;
const set = (name: string, type: RecordType, values: readonly string[], ttl = 300): RecordSet => ({
  name,
  type,
  ttl,
  values,
});
const made = (after: RecordSet): RecordChange => ({ name: after.name, type: after.type, before: undefined, after });
const policies = (count: number): readonly RecordSet[] =>
  Array.from({ length: count }, (_, at) => set(`_mta-sts.d${at}.${zone}`, 'TXT', [`v=STSv1; id=${at};`]));

describe('Cloudflare', () => {
  let server: CloudflareStandIn;
  let provider: Provider;
  let now = 1_800_000_000_000;
  beforeEach(async () => {
    server = await startCloudflare(() => now);
    server.addZone(zone);
    provider = await providerAt(server);
  });
  afterEach(() => server.stop());
  const hand = (one: RecordSet): void => putByHand(server, zone, one);
  const ids = (): readonly string[] =>
    server
      .zone(zone)
      .at(name)
      .map(({ id }) => id);

  test('a TLSA set stands in upper case there, and needs no second write', async () => {
    const wanted = set(`_25._tcp.mx1.${zone}`, 'TLSA', [`3 1 1 ${'ab'.repeat(32)}`]);
    await provider.apply(zone, [made(wanted)]);
    expect(server.zone(zone).at(wanted.name)[0]?.content).toBe(`3 1 1 ${'AB'.repeat(32)}`);
    expect(await provider.list(zone, [wanted])).toEqual([wanted]);
  });

  test('the automatic TTL is five minutes, and of several TTLs the shortest counts', async () => {
    const held = server.zone(zone);
    held.put(draft(zone, set(name, 'A', [], 1), '192.0.2.1'));
    expect(await provider.list(zone, [{ name, type: 'A' }])).toEqual([set(name, 'A', ['192.0.2.1'], 300)]);
    held.put(draft(zone, set(name, 'A', [], 120), '192.0.2.2'));
    expect(await provider.list(zone, [{ name, type: 'A' }])).toMatchObject([{ ttl: 120 }]);
  });

  test('a record whose value stays keeps its id and its comment, with a new TTL too', async () => {
    const held = server.zone(zone);
    const kept = held.put(draft(zone, set(name, 'A', [], 600), '192.0.2.1', { comment: 'by the web team' }));
    const gone = held.put(draft(zone, set(name, 'A', [], 600), '192.0.2.2'));
    const before = set(name, 'A', ['192.0.2.1', '192.0.2.2'], 600);
    await provider.apply(zone, [{ name, type: 'A', before, after: set(name, 'A', ['192.0.2.1', '192.0.2.3'], 300) }]);
    expect(ids()).toContain(kept.id);
    expect(ids()).not.toContain(gone.id);
    expect(held.at(name).find(({ id }) => id === kept.id)).toMatchObject({ ttl: 300, comment: 'by the web team' });
    expect(valuesAt(server, zone, name, 'A')).toEqual(['192.0.2.1', '192.0.2.3']);
  });

  test.each([
    ['A', '192.0.2.1'],
    ['CNAME', 'policy.example.net'],
  ] as const)('a proxied %s record is not ours, whatever it leads to', async (type, value) => {
    server.zone(zone).put(draft(zone, set(name, type, [], 1), value, { proxied: true }));
    const [shown] = await provider.list(zone, [{ name, type }]);
    expect(shown).toEqual(set(name, type, [`${value} (proxied)`], 300));
    const ours = set(name, type, [value]);
    await expect(provider.apply(zone, [made(ours)])).rejects.toMatchObject({ reason: 'RecordChanged' });
    await provider.apply(zone, [{ name, type, before: shown, after: ours }]);
    expect(server.zone(zone).at(name)).toMatchObject([{ proxied: false, content: value, ttl: 300 }]);
  });

  test('a text without quotes, as old records have it, is the text', async () => {
    const old = draft(zone, set(`_mta-sts.${zone}`, 'TXT', []), 'x', { content: 'v=STSv1; id=1;', ttl: 300 });
    server.zone(zone).put(old);
    const [shown] = await provider.list(zone, [{ name: old.name, type: 'TXT' }]);
    expect(shown).toEqual(set(old.name, 'TXT', ['v=STSv1; id=1;']));
    await provider.apply(zone, [{ name: old.name, type: 'TXT', before: shown, after: undefined }]);
    expect(server.zone(zone).at(old.name)).toEqual([]);
  });

  test('an alias at the top of a zone leaves what stands beside it to be seen', async () => {
    const text = set(zone, 'TXT', ['x']);
    hand(set(zone, 'CNAME', ['site.example.net']));
    hand(text);
    expect(await provider.list(zone, [text])).toContainEqual(text);
  });

  test('all pages of a name with many records are read', async () => {
    const values = Array.from({ length: 1200 }, (_, at) => `198.51.${at >> 8}.${at & 255}`);
    hand(set(name, 'A', values));
    const [shown] = await provider.list(zone, [{ name, type: 'A' }]);
    expect(new Set(shown?.values)).toEqual(new Set(values));
  });

  test.each([
    ['a few names in a small zone', 3, 30, 1],
    ['a few names in a zone of 400, whose size is looked up once,', 3, 400, 4],
    ['many names in a small zone', 200, 400, 1],
    ['many names in a zone of 10,000', 100, 10_000, 2],
    ['more names than a few in a zone of 10,000', 15, 10_000, 16],
  ])('%s are looked up with as few calls as may be', async (_what, sought, held, calls) => {
    fill(server, zone, held);
    const names = Array.from({ length: sought }, (_, at) => `host${at}.${zone}`);
    await provider.list(zone, [{ name: `warm.${zone}`, type: 'A' }]);
    const before = server.calls().reads;
    const shown = await provider.list(
      zone,
      names.flatMap((name) => (['A', 'TXT'] as const).map((type) => ({ name, type }))),
    );
    expect(shown.map(({ name }) => name).toSorted()).toEqual(names.toSorted());
    expect(server.calls().reads - before).toBe(calls);
  });

  test('the ids of many zones are told by a few pages, and no zone is taken for another', async () => {
    const names = Array.from({ length: 120 }, (_, at) => `z${at}.test`);
    for (const each of names) server.addZone(each);
    const before = server.calls().reads;
    for (const each of names) {
      const wanted: RecordSet = { name: `_mta-sts.${each}`, type: 'TXT', ttl: 300, values: [each] };
      putByHand(server, each, wanted);
      expect(await provider.list(each, [wanted])).toEqual([wanted]);
    }
    // Ten zones by name, three pages of fifty, and one look at each.
    expect(server.calls().reads - before).toBe(133);
    await expect(provider.list('z120.test', [{ name: 'z120.test', type: 'A' }])).rejects.toMatchObject({
      reason: 'ZoneNotFound',
    });
    for (const each of names) server.removeZone(each);
  });

  test('a zone that changes while its pages are read is asked name by name', async () => {
    fill(server, zone, 6000);
    const names = Array.from({ length: 25 }, (_, at) => ({ name: `host${at}.${zone}`, type: 'A' }) as const);
    await provider.list(zone, [{ name, type: 'A' }]);
    const first = server.calls().reads + 1;
    server.beforeCall(first + 1, () => server.zone(zone).remove(server.zone(zone).at(`host5999.${zone}`)[0]?.id ?? ''));
    expect(await provider.list(zone, names)).toHaveLength(16);
    expect(server.calls().reads - first).toBe(26);
  });

  test('what is more than one batch holds goes out in several, none larger than the smallest plan takes', async () => {
    const writer = createZoneWriter({ providerFor: () => provider, windowMs: 20 });
    const sets = policies(450);
    await Promise.all(
      sets.map((one) => writer.submit({ provider: 'main', zone }, [made(one)], { urgency: 'now', owner: one.name })),
    );
    expect(server.calls().writes).toBe(3);
    expect(server.zone(zone).records()).toHaveLength(450);
    await provider.apply(
      zone,
      sets.map((one) => ({ name: one.name, type: one.type, before: one, after: undefined })),
    );
    expect(server.calls().writes).toBe(6);
    expect(server.zone(zone).records()).toEqual([]);
  });

  const changed = { reason: 'RecordChanged', kind: 'Retry' };
  test.each<readonly [string, (mine: RecordSet) => void, RecordSet | undefined]>([
    ['deletes the record', ({ name }) => hand(set(name, 'A', [])), set(name, 'A', ['192.0.2.1'])],
    ['makes the same record', (mine) => hand(mine), undefined],
    ['puts an alias there', ({ name }) => hand(set(name, 'CNAME', ['x.example.net'])), undefined],
  ])('who %s between our look and our write is not written over', async (_what, meanwhile, before) => {
    const mine = set(name, 'A', ['192.0.2.9']);
    if (before !== undefined) hand(before);
    server.beforeNextWrite(() => meanwhile(mine));
    const [beside] = policies(1);
    const changes = [
      ...(beside === undefined ? [] : [made(beside)]),
      { name, type: 'A', before, after: mine } as const,
    ];
    await expect(provider.apply(zone, changes)).rejects.toMatchObject(changed);
    expect(server.calls().writes).toBe(1);
    expect(server.zone(zone).at(beside?.name ?? '')).toEqual([]);
  });

  test('an operator that leads no more writes nothing', async () => {
    const mayWrite = (): void => {
      throw new Error('another operator may lead by now');
    };
    const deposed = await providerAt(server, { mayWrite });
    await expect(deposed.apply(zone, policies(1).map(made))).rejects.toThrow('another operator');
    expect(server.calls().writes).toBe(0);
  });

  test('a token that may only read is told which permission it lacks, and is not shown', async () => {
    const reader = await providerAt(server, { token: server.readingToken });
    const refused = await reader.apply(zone, policies(1).map(made)).catch((error: unknown) => error);
    expect(refused).toMatchObject({ reason: 'ProviderUnauthorized', kind: 'Stalled' });
    expect(String(refused)).toMatch(/Zone → DNS → Edit/);
    expect(String(refused)).not.toContain(server.readingToken);
  });

  test('a zone that was made anew is found again', async () => {
    const [wanted] = policies(1);
    await provider.list(zone, [{ name, type: 'A' }]);
    server.removeZone(zone);
    server.addZone(zone);
    await provider.apply(zone, wanted === undefined ? [] : [made(wanted)]);
    expect(server.zone(zone).records()).toHaveLength(1);
  });

  test('a zone that stands under its U-labels is found', async () => {
    server.addZone('xn--bcher-kva.test', { shownAs: 'b\u00fccher.test' });
    const wanted = set('_mta-sts.xn--bcher-kva.test', 'TXT', ['x']);
    await provider.apply('xn--bcher-kva.test', [made(wanted)]);
    expect(await provider.list('xn--bcher-kva.test', [wanted])).toEqual([wanted]);
  });

  test('our pace stays below the limit, and who exceeds it waits out the five minutes', async () => {
    const { perSecond = Number.POSITIVE_INFINITY, burst = 1 } = httpRate;
    expect(burst + perSecond * 300).toBeLessThan(1200);
    const hasty = (): Provider =>
      createCloudflare({ endpoint: server.endpoint, token: server.token, rate: { atOnce: 4 } });
    // With the one that finds the zone.
    const names = Array.from({ length: 1199 }, (_, at) => ({ name: `host${at}.${zone}`, type: 'A' }) as const);
    const first = hasty();
    await Promise.all(names.map((one) => first.list(zone, [one])));
    expect(server.calls().reads).toBe(1200);
    const told = { reason: 'ProviderThrottled', retryAfterSeconds: 300, kind: 'Retry' };
    await expect(first.list(zone, names.slice(0, 1))).rejects.toMatchObject(told);
    now += 299_000;
    await expect(hasty().list(zone, names.slice(0, 1))).rejects.toMatchObject({ retryAfterSeconds: 1 });
    now += 1000;
    expect(await hasty().list(zone, names.slice(0, 1))).toEqual([]);
  });
});
