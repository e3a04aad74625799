/** What the contract of providers, which BIND and Knot are held to too, does not say: what is special to RFC 2136. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createProvider } from '../../src/apply/providers/index.ts';
import type { Provider, RecordChange, SetKey } from '../../src/apply/providers/provider.ts';
import { createZoneWriter } from '../../src/apply/zonewriter.ts';
import { type RecordSet, type RecordType, equalSets, recordTypes } from '../../src/dns/rrset.ts';
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

const mark = set(`_mailseal.cas.${zone}`, 'TXT', ['ours']);
const byHand = (values: readonly string[]): Promise<unknown> =>
  lab.bind.dynamicUpdate(
    [
      `zone ${zone}`,
      `update delete ${mark.name}.`,
      ...values.map((value) => `update add ${mark.name}. 5 TXT ${value}`),
    ].join('\n'),
  );

test('of a message whose condition fails nothing is written, and the serial stays', async () => {
  await byHand(['"foreign"']);
  const serial = await lab.bind.serial(zone);
  const beside = set(`_mailseal.beside.${zone}`, 'TXT', ['x']);
  const changes = [change(undefined, beside), change(mark, set(mark.name, 'TXT', ['next']))];
  await expect(provider.apply(zone, changes)).rejects.toMatchObject({ reason: 'RecordChanged', kind: 'Retry' });
  expect(await lab.bind.serial(zone)).toBe(serial);
  await byHand([]);
});

test('records that are longer together than a message may be are written and removed all the same', async () => {
  const sets = Array.from({ length: 20 }, (_, at) =>
    set(`_smtp._tls.long${at}.${zone}`, 'TXT', [`v=TLSRPTv1; rua=mailto:${'x'.repeat(4000)}@example.net`]),
  );
  const writer = createZoneWriter({ providerFor: () => provider });
  const key = { provider: 'main', zone };
  const now = { urgency: 'now', owner: 'mail/example' } as const;
  await Promise.all(sets.map((one) => writer.submit(key, [change(undefined, one)], now)));
  const names = sets.map(({ name }) => name);
  await expectStanding(names, sets);
  await provider.apply(
    zone,
    sets.map((one) => change(one, undefined)),
  );
  await expectStanding(names, []);
});

test('a text that was cut into strings by hand is replaced once it was seen', async () => {
  await byHand(['"v=STSv1;" " id=1;"']);
  const [standing] = await provider.list(zone, [mark]);
  expect(standing?.values).toEqual(['v=STSv1; id=1;']);
  await provider.apply(zone, [change(standing, mark)]);
  await expectStanding([mark.name], [mark]);
  await byHand([]);
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

test('a zone that the key may not change is refused with its reason', async () => {
  const wanted = set('_mailseal.denied.test', 'TXT', ['x']);
  await expect(provider.apply('denied.test', [change(undefined, wanted)])).rejects.toMatchObject({
    reason: 'ProviderRefused',
    kind: 'Stalled',
    message: expect.stringContaining('widen the update policy of denied.test'),
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
