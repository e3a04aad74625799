/** What Route 53 does otherwise than other APIs, on the stand-in that refuses what the real one refuses. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Provider, RecordChange, SetKey } from '../../../src/apply/providers/provider.ts';
import { createRoute53 } from '../../../src/apply/providers/route53.ts';
import { type RecordSet, type RecordType, recordTypes } from '../../../src/dns/rrset.ts';
import { newFolder } from '../../lab/namespace.ts';
import { type Route53, startRoute53 } from '../../lab/route53.ts';
import { parts } from './parts.ts';

const zone = 'example.test';
let route53: Route53;
let provider: Provider;

const made = (change: Partial<Parameters<typeof createRoute53>[0]> = {}): Provider =>
  createRoute53({
    ...parts(),
    spec: { endpoint: route53.url, plainHttp: true },
    credentials: route53.credentials,
    timeoutMs: 3000,
    rate: { atOnce: 4 },
    ...change,
  });

beforeAll(async () => {
  route53 = await startRoute53(newFolder('route53'));
  await route53.createZone(zone);
  provider = made();
});
afterAll(async () => {
  provider?.close?.();
  await route53?.stop();
});

const set = (host: string, type: RecordType, values: readonly string[], ttl = 300): RecordSet => ({
  name: `${host}.${zone}`,
  type,
  ttl,
  values,
});
const change = (before: RecordSet | undefined, after: RecordSet | undefined): RecordChange => {
  const { name, type } = after ?? before ?? { name: '', type: 'TXT' };
  return { name, type, before, after };
};
const everyType = (names: readonly string[]): readonly SetKey[] =>
  names.flatMap((name) => recordTypes.map((type) => ({ name, type })));
const reads = async (work: () => Promise<unknown>): Promise<number> => {
  const before = route53.calls().reads;
  await work();
  return route53.calls().reads - before;
};
const standing = async (name: string): Promise<readonly RecordSet[]> =>
  (await route53.records(zone)).filter((one) => one.name === name);

test.each([
  ['what is not ASCII', 'Gr\u00fc\u00dfe \u2709'],
  ['a line end', 'one\ntwo'],
  ['blanks at the ends', '  two  '],
  ['what looks like an escape', '\\101 \\040'],
])('a text with %s stands as it was meant', async (_what, text) => {
  const wanted = set('_mailseal', 'TXT', [text]);
  await provider.apply(zone, [change(undefined, wanted)]);
  expect(await provider.list(zone, [wanted])).toEqual([wanted]);
  expect(await standing(wanted.name)).toEqual([wanted]);
  await provider.apply(zone, [change(wanted, undefined)]);
});

test('a text that others cut and escaped in their way is replaced', async () => {
  const { name } = set('_mta-sts.cut', 'TXT', []);
  await route53.put(zone, [{ name, type: 'TXT', ttl: 77, values: ['"v=STSv1;" "\\040id=1;"'] }]);
  const [before] = await provider.list(zone, [{ name, type: 'TXT' }]);
  expect(before).toMatchObject({ ttl: 77, values: ['v=STSv1; id=1;'] });
  const after = set('_mta-sts.cut', 'TXT', ['v=STSv1; id=2;']);
  await provider.apply(zone, [change(before, after)]);
  expect(await standing(name)).toEqual([after]);
});

test('a change by one who has not looked before looks once, and finds the TTL and the cut', async () => {
  const { name } = set('_mta-sts.unseen', 'TXT', []);
  await route53.put(zone, [{ name, type: 'TXT', ttl: 77, values: ['"v=STSv1;" " id=1;"'] }]);
  const after = set('_mta-sts.unseen', 'TXT', ['v=STSv1; id=2;']);
  const blind = made();
  await blind.apply(zone, [change(set('_mta-sts.unseen', 'TXT', ['v=STSv1; id=1;']), after)]);
  expect(await standing(name)).toEqual([after]);
  blind.close?.();
});

test('where only the TTL was altered meanwhile the change is refused, and made after another look', async () => {
  const before = set('_mta-sts.ttl', 'TXT', ['v=STSv1; id=1;']);
  const after = set('_mta-sts.ttl', 'TXT', ['v=STSv1; id=2;']);
  await route53.byHand(zone, before);
  await provider.list(zone, [before]);
  await route53.byHand(zone, { ...before, ttl: 60 });
  await expect(provider.apply(zone, [change(before, after)])).rejects.toMatchObject({ reason: 'RecordChanged' });
  const [seen] = await provider.list(zone, [before]);
  await provider.apply(zone, [change(seen, after)]);
  expect(await standing(before.name)).toEqual([after]);
});

test('an alias gives way to addresses and addresses to an alias in one batch', async () => {
  const alias = set('mta-sts.swap', 'CNAME', ['policy.example.net']);
  const address = set('mta-sts.swap', 'A', ['192.0.2.7']);
  await provider.apply(zone, [change(undefined, alias)]);
  await provider.apply(zone, [change(undefined, address), change(alias, undefined)]);
  expect(await standing(alias.name)).toEqual([address]);
  await provider.apply(zone, [change(undefined, alias), change(address, undefined)]);
  expect(await standing(alias.name)).toMatchObject([{ type: 'CNAME' }]);
});

test.each([
  ['weighted', { values: ['192.0.2.1'], ttl: 60, identifier: 'blue' }, /answers by rules: "192\.0\.2\.1"/],
  ['an alias within AWS', { values: [], alias: 'lb.example.net.' }, /an alias of Route 53 to "lb\.example\.net"/],
])(
  'a set that is %s is shown as another\u2019s, and neither deleted nor written beside',
  async (what, given, words) => {
    const { name } = set(`mta-sts.${what.length}`, 'A', []);
    await route53.put(zone, [{ name, type: 'A', ...given }]);
    const calls = route53.calls().writes;
    const [live] = await provider.list(zone, [{ name, type: 'A' }]);
    expect(live?.values).toEqual([expect.stringMatching(words)]);
    const ours = { name, type: 'A', ttl: 300, values: ['192.0.2.1'] } as const;
    for (const after of [ours, undefined]) {
      await expect(provider.apply(zone, [change(live, after)])).rejects.toMatchObject({
        reason: 'ProviderRefused',
        kind: 'Stalled',
      });
    }
    expect(route53.calls().writes).toBe(calls);
    await expect(provider.apply(zone, [change(undefined, ours)])).rejects.toMatchObject({ reason: 'RecordChanged' });
    await expect(provider.apply(zone, [change(ours, undefined)])).rejects.toMatchObject({ reason: 'RecordChanged' });
    expect(await provider.list(zone, [ours])).toEqual([live]);
  },
);

test('many names of a small zone take one call, and many of a large one no more than a call each', async () => {
  await route53.createZone('large.test');
  const hosts = Array.from({ length: 3000 }, (_, at) => `h${String(at).padStart(4, '0')}.large.test`);
  await route53.put(
    'large.test',
    hosts.map((name) => ({ name, type: 'A', ttl: 300, values: ['192.0.2.1'] })),
  );
  const small = ['a', 'b', 'c', 'd', 'e'].map((host) => `_mta-sts.${host}.${zone}`);
  await provider.list('large.test', everyType(['warm.large.test']));
  expect(await reads(() => provider.list(zone, everyType(small)))).toBe(1);
  const apart = [hosts[10], hosts[900], hosts[2000], hosts[2990]].flatMap((name) => name ?? []);
  const near = hosts.slice(1000, 1050);
  expect(await reads(() => provider.list('large.test', everyType(apart)))).toBe(4);
  expect(await reads(() => provider.list('large.test', everyType(near)))).toBe(1);
  const found = await provider.list('large.test', everyType([...apart, ...near, 'absent.large.test']));
  expect(found.map(({ name }) => name).sort()).toEqual([...apart, ...near].sort());
});

test('names with a hyphen are found among their neighbours', async () => {
  const sets = ['www', 'www-a', 'x.www', 'www0'].map((host) => set(host, 'A', ['192.0.2.1']));
  for (const one of sets) await route53.byHand(zone, one);
  const found = await provider.list(zone, sets);
  expect(found.map(({ name }) => name).sort()).toEqual(sets.map(({ name }) => name).sort());
});

test('a name with more sets than a page has is seen whole', async () => {
  const { name } = set('mta-sts.many', 'A', []);
  const ids = Array.from({ length: 50 }, (_, at) => `set-${String(at).padStart(2, '0')}`);
  await route53.put(
    zone,
    ids.map((identifier, at) => ({ name, type: 'A', ttl: 60, values: [`192.0.2.${at}`], identifier })),
  );
  await route53.byHand(zone, set('mta-sts.many', 'TXT', ['beside']));
  const found = await provider.list(zone, everyType([name]));
  expect(found.map(({ type, values }) => [type, values.length])).toEqual([
    ['A', 50],
    ['TXT', 1],
  ]);
});

test('what is too large for one batch is cut between names, and each batch is taken', async () => {
  const long = 'x'.repeat(250);
  const sets = Array.from({ length: 300 }, (_, at) => set(`_mta-sts.n${at}`, 'TXT', [`${at} ${long}`]));
  const before = route53.batches().length;
  await provider.apply(
    zone,
    sets.map((one) => change(undefined, one)),
  );
  const batches = route53.batches().slice(before);
  expect(batches.length).toBe(3);
  expect(batches.reduce((sum, size) => sum + size, 0)).toBe(300);
  const share = sets.reduce((sum, one) => sum + provider.share(change(undefined, one)), 0);
  expect(Math.ceil(share)).toBe(3);
});

test('while a change of the zone is still worked on another is told to come back', async () => {
  const busy = 'busy.test';
  await route53.createZone(busy);
  route53.pending(60_000, true);
  const careful = made();
  const write = (id: string): Promise<void> => {
    const name = `_mta-sts.${id}.${busy}`;
    return careful.apply(busy, [change(undefined, { name, type: 'TXT', ttl: 300, values: ['v=STSv1; id=1;'] })]);
  };
  await write('a');
  const told = { reason: 'ProviderThrottled', retryAfterSeconds: 5, message: expect.stringContaining(busy) };
  await expect(write('b')).rejects.toMatchObject(told);
  route53.pending(0, false);
  careful.close?.();
});

test('a private zone of the same name is left out, and of two public ones none is written', async () => {
  const name = 'twice.test';
  const wanted = { name: `_mta-sts.${name}`, type: 'TXT', ttl: 300, values: ['x'] } as const;
  await route53.createZone(name, true);
  await expect(provider.list(name, [wanted])).rejects.toMatchObject({ reason: 'ZoneNotFound' });
  await route53.createZone(name);
  expect(await provider.list(name, [wanted])).toEqual([]);
  await route53.createZone(name);
  await expect(made().apply(name, [change(undefined, wanted)])).rejects.toMatchObject({
    reason: 'ProviderRefused',
    kind: 'Stalled',
    message: expect.stringContaining('2 public hosted zones twice.test'),
  });
});

test('a zone that was made anew is found under its new id', async () => {
  const name = 'again.test';
  const wanted = { name: `_mta-sts.${name}`, type: 'TXT', ttl: 300, values: ['x'] } as const;
  await route53.createZone(name);
  await provider.apply(name, [change(undefined, wanted)]);
  await route53.removeZone(name);
  await expect(provider.list(name, [wanted])).rejects.toMatchObject({ reason: 'ZoneNotFound', kind: 'Stalled' });
  await route53.createZone(name);
  expect(await provider.list(name, [wanted])).toEqual([]);
  await route53.removeZone(name);
  await route53.createZone(name);
  await provider.apply(name, [change(undefined, wanted)]);
  expect(await route53.records(name)).toEqual([wanted]);
});

test('a look tells of all names within its pages, and of none beyond them', async () => {
  const name = 'pages.test';
  await route53.createZone(name);
  const texts = Array.from({ length: 700 }, (_, at) => ({
    name: `h${100 + at}.${name}`,
    type: 'TXT',
    ttl: 300,
    values: ['"x"'],
  }));
  await route53.put(name, texts);
  const at = (host: string): SetKey => ({ name: `${host}.${name}`, type: 'TXT' });
  const few = await provider.see?.(name, [at('h300')]);
  expect(few?.sets.map((one) => one.name)).toEqual(Array.from({ length: 20 }, (_, more) => `h${300 + more}.${name}`));
  const covered = ['h299', 'h300', 'h300a', 'h319', 'h320', 'h9'].filter((host) => few?.covers(at(host).name));
  expect(covered).toEqual(['h300', 'h300a', 'h319']);
  const last = await provider.see?.(name, [at('h790'), at('z')]);
  expect(['h789', 'h799', 'h80', 'zz'].filter((host) => last?.covers(at(host).name))).toEqual(['h799', 'h80', 'zz']);
  await route53.removeZone(name);
});

test('of many zones one answer tells the ids of all that follow', async () => {
  const names = Array.from({ length: 12 }, (_, at) => `follows${String(at).padStart(2, '0')}.test`);
  for (const name of names) await route53.createZone(name);
  const fresh = made();
  const count = await reads(async () => {
    for (const name of names) {
      const wanted: RecordSet = { name: `_mta-sts.${name}`, type: 'TXT', ttl: 300, values: [name] };
      await fresh.apply(name, [change(undefined, wanted)]);
      expect(await route53.records(name)).toEqual([wanted]);
    }
  });
  expect(count).toBeLessThanOrEqual(2);
  fresh.close?.();
  for (const name of names) await route53.removeZone(name);
});

test('the calls are made as the role that is assumed', async () => {
  const spec = {
    endpoint: route53.url,
    plainHttp: true,
    roleArn: 'arn:aws:iam::123456789012:role/mailseal',
    externalId: 'lab',
  };
  const wanted = set('_mta-sts.role', 'TXT', ['v=STSv1; id=1;']);
  const before = route53.keys().length;
  const assuming = made({ spec });
  await assuming.apply(zone, [change(undefined, wanted)]);
  expect(await standing(wanted.name)).toEqual([wanted]);
  expect(route53.keys().length).toBe(before + 1);
  const stranger = made({ spec, credentials: { ...route53.credentials, 'access-key-id': 'AKIASOMEBODYELSE0000' } });
  await expect(stranger.list(zone, [wanted])).rejects.toMatchObject({
    reason: 'ProviderUnauthorized',
    kind: 'Stalled',
  });
  for (const one of [assuming, stranger]) one.close?.();
});

test('an operator that no longer leads writes nothing', async () => {
  const late = made({
    mayWrite: () => {
      throw new Error('not the leader');
    },
  });
  const wanted = set('_mta-sts.late', 'TXT', ['x']);
  await expect(late.apply(zone, [change(undefined, wanted)])).rejects.toThrow('not the leader');
  expect(await standing(wanted.name)).toEqual([]);
  late.close?.();
});
