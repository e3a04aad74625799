import { afterAll, beforeAll, expect, test } from 'vitest';
import { createProvider } from '../../src/apply/providers/index.ts';
import type { Provider, RecordChange, SetKey } from '../../src/apply/providers/provider.ts';
import { createZoneWriter } from '../../src/apply/zonewriter.ts';
import { type RecordSet, type RecordType, equalSets, recordTypes } from '../../src/dns/rrset.ts';
import { parseTxt, quoteTxt } from '../../src/dns/txt.ts';
import { run } from '../lab/command.ts';
import { parts } from './providers/parts.ts';
import { type DnsLab, clock, startDnsLab } from '../observe/dns/lab.ts';

let lab: DnsLab;
let provider: Provider;
const zone = 'example.test';

function providerWith(
  change: { keyName?: string; secret?: string; server?: string; now?: () => number } = {},
): Promise<Provider> {
  const rfc2136 = { server: change.server ?? lab.addresses.primary, tsigKeyName: change.keyName ?? lab.bind.tsig.name };
  return createProvider(
    { zones: [zone], rfc2136 },
    { 'tsig-secret': change.secret ?? lab.bind.tsig.secret },
    parts({ clock: { now: change.now ?? clock.now }, timeoutMs: 3000 }),
  );
}

beforeAll(async () => {
  lab = await startDnsLab(10);
  provider = await providerWith();
});
afterAll(async () => {
  await lab?.stop();
});

function set(name: string, type: RecordType, values: readonly string[], ttl = 5): RecordSet {
  return { name, type, ttl, values };
}

function change(before: RecordSet | undefined, after: RecordSet | undefined): RecordChange {
  const { name, type } = after ?? before ?? { name: '', type: 'TXT' };
  return { name, type, before, after };
}

/** Whatever may stand at these names. */
const everyType = (...names: readonly string[]): readonly SetKey[] =>
  names.flatMap((name) => recordTypes.map((type) => ({ name, type })));

async function expectStanding(names: readonly string[], wanted: readonly RecordSet[], of = zone): Promise<void> {
  const standing = await provider.list(of, everyType(...names));
  const missing = wanted.filter((one) => !standing.some((other) => equalSets(one, other, { ttl: true })));
  expect({ standing: standing.length, missing }).toEqual({ standing: wanted.length, missing: [] });
}

const tlsa = '3 1 1 '.concat('ab'.repeat(32));
const kinds: readonly (readonly [RecordType, string, readonly string[], readonly string[]])[] = [
  ['A', 'mta-sts', ['10.53.9.7', '10.53.9.8'], ['10.53.9.7']],
  ['AAAA', 'mta-sts', ['fd53::7'], ['fd53::7', 'fd53::8']],
  ['CNAME', 'mta-sts.c', ['policy.example.net'], ['other.example.net']],
  ['TXT', '_mta-sts', ['v=STSv1; id=1;'], ['v=STSv1; id=2;']],
  ['TLSA', '_25._tcp.mx1', [tlsa], [tlsa, `3 1 1 ${'cd'.repeat(32)}`]],
];

test.each(kinds)('a set of type %s is created, replaced and removed', async (type, host, first, second) => {
  const name = `${host}.${zone}`;
  const [one, two] = [set(name, type, first), set(name, type, second, 7)];
  await provider.apply(zone, [change(undefined, one)]);
  await expectStanding([name], [one]);
  await provider.apply(zone, [change(one, two)]);
  await expectStanding([name], [two]);
  await provider.apply(zone, [change(two, undefined)]);
  await expectStanding([name], []);
});

test.each([
  ['quotes', 'a "quoted" text'],
  ['semicolons', 'v=STSv1; id=20261122; x=;'],
  ['backslashes', 'back\\slash \\" \\065 \\'],
  ['300 bytes', 'x'.repeat(300)],
  ['510 bytes', 'y'.repeat(510)],
  ['blanks at the ends', '  two  '],
  ['UTF-8', 'Gr\u00fc\u00dfe \u2709'],
  ['a line end', 'one\ntwo'],
])('a TXT with %s comes back as one record with the same text', async (_what, text) => {
  const wanted = set(`_mailseal.${zone}`, 'TXT', [text]);
  await provider.apply(zone, [change(undefined, wanted)]);
  await expectStanding([wanted.name], [wanted]);
  const stdout = await run(['dig', '+short', `@${lab.addresses.primary}`, wanted.name, 'TXT']);
  const lines = stdout.trimEnd().split('\n');
  expect(lines.map((line) => parseTxt(line))).toEqual([{ ok: true, value: text }]);
  expect(lines).toEqual([quoteTxt(text)]);
  await provider.apply(zone, [change(wanted, undefined)]);
});

const mark = set(`_mailseal.cas.${zone}`, 'TXT', ['ours']);
const byHand = (values: readonly string[]): Promise<unknown> =>
  lab.bind.dynamicUpdate(
    [
      `zone ${zone}`,
      `update delete ${mark.name}.`,
      ...values.map((value) => `update add ${mark.name}. 5 TXT ${value}`),
    ].join('\n'),
  );

test.each([
  ['created by hand', ['"foreign"'], undefined, mark],
  ['changed by hand', ['"foreign"'], mark, set(mark.name, 'TXT', ['next'])],
  ['added to by hand', ['"ours"', '"foreign"'], mark, set(mark.name, 'TXT', ['next'])],
  ['removed by hand', [], mark, set(mark.name, 'TXT', ['next'])],
  ['changed by hand before it was to be removed', ['"foreign"'], mark, undefined],
])('what was %s is not written over', async (_what, values, before, after) => {
  await byHand(values);
  const serial = await lab.bind.serial(zone);
  const beside = set(`_mailseal.beside.${zone}`, 'TXT', ['x']);
  const changes = [change(undefined, beside), { name: mark.name, type: 'TXT', before, after } as const];
  await expect(provider.apply(zone, changes)).rejects.toMatchObject({ reason: 'RecordChanged', kind: 'Retry' });
  expect(await lab.bind.serial(zone)).toBe(serial);
  await byHand([]);
});

test('a text that was cut into strings by hand is replaced once it was seen', async () => {
  await byHand(['"v=STSv1;" " id=1;"']);
  const [standing] = await provider.list(zone, [mark]);
  expect(standing?.values).toEqual(['v=STSv1; id=1;']);
  await provider.apply(zone, [change(standing, mark)]);
  await expectStanding([mark.name], [mark]);
  await byHand([]);
});

test('nothing is written beside a CNAME, where the server would drop it without a word', async () => {
  const name = `mta-sts.${zone}`;
  const alias = set(name, 'CNAME', ['policy.example.net']);
  await provider.apply(zone, [change(undefined, alias)]);
  const address = set(name, 'A', ['10.53.9.7']);
  await expect(provider.apply(zone, [change(undefined, address)])).rejects.toMatchObject({ reason: 'RecordChanged' });
  await provider.apply(zone, [change(alias, undefined), change(undefined, address)]);
  await expectStanding([name], [address]);
  await expect(provider.apply(zone, [change(undefined, alias)])).rejects.toMatchObject({ reason: 'RecordChanged' });
  await provider.apply(zone, [change(undefined, alias), change(address, undefined)]);
  await expectStanding([name], [alias]);
  await provider.apply(zone, [change(alias, undefined)]);
});

test.each(['example.test', 'insecure.test'])(
  'what a wildcard answers does not stand at the name, in %s',
  async (of) => {
    expect(await provider.list(of, everyType(`ghost.wild.${of}`, `a.b.wild.${of}`))).toEqual([]);
    await expectStanding([`real.wild.${of}`], [set(`real.wild.${of}`, 'A', ['10.53.9.9'])], of);
    await expectStanding(
      [`*.wild.${of}`],
      [set(`*.wild.${of}`, 'A', ['10.53.9.9']), set(`*.wild.${of}`, 'TXT', ['synthesised'])],
      of,
    );
  },
);

test('an alias is listed as such, not as what it points to', async () => {
  await expectStanding([`alias.${zone}`], [set(`alias.${zone}`, 'CNAME', [`mx1.${zone}`], 30)]);
});

test.each([
  [
    'a secret of its own',
    { secret: Buffer.alloc(32, 1).toString('base64') },
    /secret for this key is another one \(BADSIG\)/,
  ],
  [
    'a name that the server does not know',
    { keyName: 'nobody' },
    /knows no key of this name for hmac-sha256 \(BADKEY\)/,
  ],
  ['a clock an hour ahead', { now: () => Date.now() + 3_600_000 }, /clocks .* differ by 3(600|599|601) seconds/],
])('a key with %s is refused in plain words', async (_what, options, words) => {
  const stranger = await providerWith(options);
  const wanted = { reason: 'ProviderUnauthorized', message: expect.stringMatching(words) };
  await expect(stranger.apply(zone, [change(undefined, mark)])).rejects.toMatchObject(wanted);
  await expect(stranger.list(zone, [mark])).rejects.toMatchObject(wanted);
});

test.each([
  ['a zone that the server does not have', 'elsewhere.test', 'ZoneNotFound', 'Stalled'],
  ['a zone that the key may not change', 'denied.test', 'ProviderRefused', 'Stalled'],
])('%s is refused with its reason', async (_what, of, reason, kind) => {
  const wanted = set(`_mailseal.${of}`, 'TXT', ['x']);
  await expect(provider.apply(of, [change(undefined, wanted)])).rejects.toMatchObject({ reason, kind });
});

test('a zone that the server does not have can not be listed', async () => {
  await expect(provider.list('elsewhere.test', everyType('_mailseal.elsewhere.test'))).rejects.toMatchObject({
    reason: 'ZoneNotFound',
  });
});

test('a server that nobody runs is unavailable, and what became of the change is said to be unknown', async () => {
  const gone = await providerWith({ server: `${lab.addresses.careless}:5399` });
  await expect(gone.apply(zone, [change(undefined, mark)])).rejects.toMatchObject({
    reason: 'ProviderUnavailable',
    message: expect.stringContaining('may or may not have been made'),
  });
});

test('the changes of twenty objects go to the name server in one message', async () => {
  const writer = createZoneWriter({ providerFor: () => provider, windowMs: 50 });
  const before = lab.bind.updates(zone);
  const serial = await lab.bind.serial(zone);
  const names = Array.from({ length: 20 }, (_, at) => `_mta-sts.d${at}.${zone}`);
  await Promise.all(
    names.map((name) =>
      writer.submit({ provider: 'main', zone }, [change(undefined, set(name, 'TXT', ['v=STSv1; id=1;']))], {
        urgency: 'now',
        owner: name,
      }),
    ),
  );
  expect(lab.bind.updates(zone) - before).toBe(1);
  expect(await lab.bind.serial(zone)).toBeGreaterThan(serial);
  await expectStanding(
    names,
    names.map((name) => set(name, 'TXT', ['v=STSv1; id=1;'])),
  );
});

test('of a batch only the object whose record was changed by hand is refused', async () => {
  const writer = createZoneWriter({ providerFor: () => provider, windowMs: 50 });
  await byHand(['"foreign"']);
  const other = set(`_mailseal.other.${zone}`, 'TXT', ['ours']);
  const results = await Promise.allSettled(
    [mark, other].map((one) =>
      writer.submit({ provider: 'main', zone }, [change(undefined, one)], { urgency: 'now', owner: one.name }),
    ),
  );
  expect(results.map((result) => result.status)).toEqual(['rejected', 'fulfilled']);
  await expectStanding([mark.name, other.name], [set(mark.name, 'TXT', ['foreign']), other]);
  await byHand([]);
});
