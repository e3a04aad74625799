import { afterEach, expect, test } from 'vitest';
import type { Provider, RecordChange } from '../../src/apply/providers/provider.ts';
import { createProvider } from '../../src/apply/providers/index.ts';
import { type TsigKey, signMessage } from '../../src/apply/providers/tsig.ts';
import { KubeError } from '../../src/kube/error.ts';
import { spans } from '../../src/observe/dns/wire.ts';
import { parts } from './providers/parts.ts';
import { type Script, type TestServer, startServer } from '../observe/dns/servers.ts';

const now = 1_800_000_000;
const key: TsigKey = { name: 'mailseal', algorithm: 'hmac-sha256', secret: Buffer.alloc(32, 7) };
const zone = 'example.com';

let server: TestServer | undefined;
afterEach(async () => {
  await server?.stop();
  server = undefined;
});

async function against(script: Script, mayWrite?: () => void): Promise<Provider> {
  server = await startServer({ tcp: script });
  return createProvider(
    { zones: [zone], rfc2136: { server: `127.0.0.1:${server.port}`, tsigKeyName: key.name } },
    { 'tsig-secret': key.secret.toString('base64') },
    parts({ clock: { now: () => now * 1000 }, timeoutMs: 300, mayWrite }),
  );
}

/** The header of an answer, with no sections. */
function bare(query: Buffer, rcode: number): Buffer {
  const bytes = Buffer.alloc(12);
  query.copy(bytes, 0, 0, 4);
  bytes.writeUInt8(bytes.readUInt8(2) | 0x80, 2);
  bytes.writeUInt8(rcode, 3);
  return bytes;
}

/** Where the MAC lies in the TSIG of a request: behind `hmac-sha256`, time, fudge and its own length. */
function macOf(query: Buffer): Buffer {
  return spans(query).at(-1)?.rdata.subarray(23, 55) ?? Buffer.alloc(32);
}

const signedWith =
  (rcode: number, change: Partial<TsigKey> = {}, at = now): Script =>
  (query) => [signMessage(bare(query, rcode), { ...key, ...change }, at, macOf(query)).bytes];

function txt(index: number, count = 1) {
  const name = `_mta-sts.d${index}.${zone}`;
  const values = Array.from({ length: count }, (_, at) => `value ${at}`);
  return { name, type: 'TXT', before: undefined, after: { name, type: 'TXT', ttl: 60, values } } as const;
}

test.each([
  ['NXRRSET', 8, 'RecordChanged', 'Retry'],
  ['YXRRSET', 7, 'RecordChanged', 'Retry'],
  ['YXDOMAIN', 6, 'RecordChanged', 'Retry'],
  ['NOTAUTH', 9, 'ZoneNotFound', 'Stalled'],
  ['NOTZONE', 10, 'ProviderRefused', 'Stalled'],
  ['REFUSED', 5, 'ProviderRefused', 'Stalled'],
  ['NOTIMP', 4, 'ProviderRefused', 'Stalled'],
  ['SERVFAIL', 2, 'ProviderUnavailable', 'Retry'],
])('%s becomes its own reason', async (rcodeName, rcode, reason, kind) => {
  const provider = await against(signedWith(rcode));
  const error = await provider.apply(zone, [txt(1)]).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ reason, kind });
  expect(String(error)).toMatch(rcodeName === 'NOTIMP' ? /NOTIMP/ : /example\.com/);
});

test.each<readonly [string, boolean]>([
  ['begins', false],
  ['waits for its connection', true],
])('whoever may not write when its change %s sends nothing', async (_, leading) => {
  const sent: Buffer[] = [];
  const script: Script = (query) => {
    sent.push(query);
    return [signMessage(bare(query, 0), key, now, macOf(query)).bytes];
  };
  let leads = leading;
  const provider = await against(script, () => {
    if (!leads) throw new KubeError(0, 'NotLeader', 'another leads');
  });
  const applied = provider.apply(zone, [txt(1)]);
  leads = false;
  await expect(applied).rejects.toMatchObject({ reason: 'NotLeader' });
  expect(sent).toEqual([]);
});

test.each<readonly [string, Script]>([
  ['an answer without a signature', (query) => [bare(query, 0)]],
  ['a refusal without a signature', (query) => [bare(query, 5)]],
  ['an answer signed with another secret', signedWith(0, { secret: Buffer.alloc(32, 8) })],
  ['an answer signed an hour ago', signedWith(0, {}, now - 3600)],
  ['an answer that signs another request', (query) => [signMessage(bare(query, 0), key, now, Buffer.alloc(32)).bytes]],
  ['half an answer', (query) => [bare(query, 0).subarray(0, 7)]],
  ['silence', () => []],
])('%s is no proof that anything was written', async (_what, script) => {
  const provider = await against(script);
  await expect(provider.apply(zone, [txt(1)])).rejects.toMatchObject({ reason: 'ProviderUnavailable', kind: 'Retry' });
});

test.each([
  ['50 records', 50, 1, [50]],
  ['51 records', 51, 1, [50, 1]],
  ['names with three records, which stay whole', 20, 3, [48, 12]],
])('%s go out in as few messages as hold them', async (_what, names, each, expected) => {
  const updates: number[] = [];
  const provider = await against((query, count) => {
    updates.push(query.readUInt16BE(8));
    return signedWith(0)(query, count);
  });
  await provider.apply(
    zone,
    Array.from({ length: names }, (_, index) => txt(index, each)),
  );
  expect(updates).toEqual(expected);
  expect(server?.seen.connections).toBe(1);
});

test.each([
  ['the only message', 1, /than was seen before \(TXT at .*\); nothing was written$/u],
  [
    'the second message',
    51,
    /than was seen before \(TXT at _mta-sts\.d50\.example\.com\); other records of the same change were written before$/u,
  ],
])('a refusal of %s says what was written, and what not', async (_what, count, words) => {
  const last = Math.ceil(count / 50);
  const provider = await against((query, at) => signedWith(at === last ? 8 : 0)(query, at));
  const changes = Array.from({ length: count }, (_, index) => txt(index));
  await expect(provider.apply(zone, changes)).rejects.toMatchObject({
    reason: 'RecordChanged',
    kind: 'Retry',
    message: expect.stringMatching(words),
  });
});

/** A TLSRPT record with many addresses, or another of its length. */
function long(index: number, bytes: number): RecordChange {
  const name = `_smtp._tls.d${index}.${zone}`;
  return { name, type: 'TXT', before: undefined, after: { name, type: 'TXT', ttl: 60, values: ['x'.repeat(bytes)] } };
}

test('long records go out in messages of which none is longer than a message may be', async () => {
  const seen: (readonly [updates: number, bytes: number])[] = [];
  const provider = await against((query, count) => {
    seen.push([query.readUInt16BE(8), query.length]);
    return signedWith(0)(query, count);
  });
  const changes = Array.from({ length: 20 }, (_, index) => long(index, 4096));
  await provider.apply(zone, changes);
  expect(seen.map(([updates]) => updates)).toEqual([14, 6]);
  for (const [, bytes] of seen) expect(bytes).toBeLessThan(61_000);
  const fits = changes.reduce((sum, change) => sum + provider.share(change), 0);
  expect([Math.ceil(fits), provider.share(changes[0] ?? long(0, 4096)) * 14 <= 1]).toEqual([2, true]);
});

test.each([
  ['that no message holds', long(1, 61_000)],
  ['that no record holds', long(1, 70_000)],
  [
    'that with what stands there no message holds',
    { ...long(1, 31_000), before: { ...long(1, 1), values: ['y'.repeat(31_000)], ttl: 60 } },
  ],
])('a set %s is refused by itself, and nothing is sent', async (_what, change) => {
  const provider = await against(signedWith(0));
  await expect(provider.apply(zone, [txt(1), change])).rejects.toMatchObject({
    reason: 'ProviderRefused',
    kind: 'Stalled',
    message: expect.stringMatching(/change of TXT at _smtp\._tls\.d1\.example\.com: .* of 60000 at most/u),
  });
  expect(server?.seen.tcp).toBe(0);
  // So it goes in a call of its own.
  expect(provider.share(change)).toBeGreaterThan(1);
});

test('what can not be written in a message takes a call of its own', async () => {
  const provider = await against(signedWith(0));
  const change = { ...txt(1), before: { name: txt(1).name, type: 'CNAME', ttl: 60, values: ['no name'] } } as const;
  expect(provider.share(change)).toBe(1);
  await expect(provider.apply(zone, [change])).rejects.toThrow('not a DNS name');
});

/** That there is no such name, by the server's own authority. */
const denied: Script = (query) => {
  const bytes = bare(query, 3);
  bytes.writeUInt8(bytes.readUInt8(2) | 0x04, 2);
  return [signMessage(bytes, key, now, macOf(query)).bytes];
};
const mark = { name: `_mailseal.${zone}`, type: 'TXT' } as const;

test('lists that follow each other share a connection, one question a set', async () => {
  const provider = await against(denied);
  for (let n = 0; n < 3; n += 1) expect(await provider.list(zone, [mark])).toEqual([]);
  expect(server?.seen).toMatchObject({ connections: 1, tcp: 3 });
});

test('a list on a connection that breaks off is asked again on a fresh one, a first one is not', async () => {
  const provider = await against((query, count) => (count === 2 ? [Buffer.alloc(5)] : denied(query, count)));
  expect(await provider.list(zone, [mark])).toEqual([]);
  expect(await provider.list(zone, [mark])).toEqual([]);
  expect(server?.seen.connections).toBe(2);
  await server?.stop();
  const broken = await against(() => [Buffer.alloc(5)]);
  await expect(broken.list(zone, [mark])).rejects.toMatchObject({ reason: 'ProviderUnavailable' });
  expect(server?.seen.connections).toBe(1);
});

test('no changes ask nothing of the server', async () => {
  const provider = await against(signedWith(0));
  await provider.apply(zone, []);
  expect(server?.seen.connections).toBe(0);
});

const spec = { zones: [zone], rfc2136: { server: '192.0.2.53', tsigKeyName: 'mailseal.' } };
test.each([
  ['no Secret data', spec, {}, 'CredentialsMissing'],
  ['an empty secret', spec, { 'tsig-secret': ' \n' }, 'CredentialsMissing'],
  ['a secret that is not base64', spec, { 'tsig-secret': '$$$not-base64$$$, no!' }, 'CredentialsInvalid'],
  ['a secret of three bytes', spec, { 'tsig-secret': 'AAAA' }, 'CredentialsInvalid'],
  ['no API', { zones: [zone] }, {}, 'InvalidSpec'],
  [
    'a name in place of an address',
    { ...spec, rfc2136: { ...spec.rfc2136, server: 'ns1.example.com' } },
    {},
    'InvalidSpec',
  ],
  ['a key name that is none', { ...spec, rfc2136: { ...spec.rfc2136, tsigKeyName: 'a..b' } }, {}, 'InvalidSpec'],
])('a provider with %s is refused, and no secret shown', async (_what, given, credentials, reason) => {
  const error: unknown = await createProvider(given, credentials, parts()).catch((problem: unknown) => problem);
  expect(error).toMatchObject({ reason, kind: 'Stalled', message: expect.not.stringContaining('not-base64') });
});

test('what a call is said to take is what it takes of a message', async () => {
  const messages: number[] = [];
  const provider = await against((query, at) => {
    messages.push(query.readUInt16BE(8));
    return signedWith(0)(query, at);
  });
  const fresh = Array.from({ length: 50 }, (_, at) => txt(at));
  const others = fresh.map((change) => ({ ...change, before: change.after }));
  const fits = (changes: readonly RecordChange[]): number =>
    Math.floor(1 / Math.max(...changes.map((change) => provider.share(change))));
  for (const changes of [fresh, others]) await provider.apply(zone, changes.slice(0, fits(changes)));
  expect(messages).toEqual([50, 50]);
});
