import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { createProvider } from '../../../src/apply/providers/index.ts';
import type { Provider } from '../../../src/apply/providers/provider.ts';
import { KubeError } from '../../../src/kube/error.ts';
import { makeCa } from '../../pki/certificates.ts';
import { parts } from './parts.ts';

type Answer = (response: ServerResponse, request: IncomingMessage) => void;

const zone = 'example.com';
const apiKey = 'the-key-of-the-api';
let stop: () => Promise<void> = async () => undefined;
let requests: string[] = [];
afterEach(async () => {
  await stop();
  stop = async () => undefined;
});

/** A server that says what no PowerDNS here would; each call takes the next answer, the last one stays. */
async function against(answers: readonly Answer[], some: Parameters<typeof parts>[0] = {}): Promise<Provider> {
  requests = [];
  const server = createServer((request, response) => {
    const answer = answers[Math.min(requests.length, answers.length - 1)];
    requests.push(`${request.method} ${request.url}`);
    request.resume();
    answer?.(response, request);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const spec = { zones: [zone], powerdns: { url, plainHttp: true } };
  const provider = await createProvider(spec, { 'api-key': apiKey }, parts({ timeoutMs: 500, ...some }));
  stop = () =>
    new Promise((resolve) => {
      provider.close?.();
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return provider;
}

const says =
  (status: number, body = '', headers: Readonly<Record<string, string>> = {}): Answer =>
  (response) =>
    void response.writeHead(status, headers).end(body);
const rrset = (name: string, value: string) => ({
  name: `${name}.`,
  type: 'TXT',
  ttl: 60,
  records: [{ content: `"${value}"`, disabled: false }],
});
const holds = (...rrsets: readonly object[]): Answer => says(200, JSON.stringify({ kind: 'Native', rrsets }));
const silent: Answer = () => undefined;

const at = (host: string) => ({ name: `${host}.${zone}`, type: 'TXT' }) as const;
const wanted = { ...at('_mta-sts'), before: undefined, after: { ...at('_mta-sts'), ttl: 60, values: ['x'] } };

test.each([
  ['401', says(401), 'ProviderUnauthorized', 'Stalled', /put the api-key/u],
  ['403', says(403), 'ProviderUnauthorized', 'Stalled', /put the api-key/u],
  ['404', says(404, 'Not Found'), 'ZoneNotFound', 'Stalled', /holds no zone example\.com as server "localhost"/u],
  ['422', says(422, '{"error":"Bad\\u0007 name"}'), 'ProviderRefused', 'Stalled', /Bad name \(HTTP status 422\)/u],
  ['a word of the key', says(400, `saw ${apiKey}`), 'ProviderRefused', 'Stalled', /saw … \(HTTP status 400\)/u],
  ['a long text', says(422, 'e'.repeat(5000)), 'ProviderRefused', 'Stalled', /: e{300} \(HTTP/u],
  [
    'a redirect',
    says(302, '', { location: 'http://127.0.0.2/' }),
    'ProviderRefused',
    'Stalled',
    /spec\.powerdns\.url/u,
  ],
  ['a page', says(200, '<html>'), 'ProviderUnavailable', 'Retry', /is not PowerDNS' API/u],
  ['another API', says(200, '{"ok":true}'), 'ProviderUnavailable', 'Retry', /is not PowerDNS' API/u],
  ['nothing', silent, 'ProviderUnavailable', 'Retry', /no whole answer within 0\.5 s/u],
  [
    'a hang-up',
    (_: unknown, request: IncomingMessage) => void request.socket.destroy(),
    'ProviderUnavailable',
    'Retry',
    /can't be reached/u,
  ],
] as const)('%s becomes its own reason', async (_what, answer, reason, kind, message) => {
  const provider = await against([answer]);
  const told = { reason, kind, message: expect.stringMatching(message) };
  await expect(provider.list(zone, [at('_mta-sts')])).rejects.toMatchObject(told);
});

test.each([
  ['in seconds', '120', 120],
  ['not at all', '', 5],
  ['for a year', '31536000', 3600],
])('who is told %s when to come back waits so long', async (_what, header, seconds) => {
  const provider = await against([says(429, '', { 'retry-after': header })]);
  await expect(provider.list(zone, [at('_mta-sts')])).rejects.toMatchObject({
    reason: 'ProviderThrottled',
    retryAfterSeconds: seconds,
  });
});

test('a look that fails at the server is made again', async () => {
  const provider = await against([says(500), says(502), holds(rrset('_mta-sts.example.com', 'x'))]);
  expect(await provider.list(zone, [at('_mta-sts')])).toEqual([wanted.after]);
});

test('a server that fails time and again is unavailable, and a change of it is in doubt', async () => {
  const provider = await against([
    (response, { method }) => (method === 'GET' ? holds() : says(500))(response, {} as IncomingMessage),
  ]);
  await expect(provider.apply(zone, [wanted])).rejects.toMatchObject({
    reason: 'ProviderUnavailable',
    kind: 'Retry',
    message: expect.stringContaining('may or may not have been made'),
  });
  expect(requests.filter((one) => one.startsWith('PATCH'))).toHaveLength(5);
});

test('a change that nobody answers is in doubt, and not sent again', async () => {
  const provider = await against([holds(), silent]);
  await expect(provider.apply(zone, [wanted])).rejects.toMatchObject({
    reason: 'ProviderUnavailable',
    message: expect.stringContaining('may or may not have been made'),
  });
  expect(requests).toHaveLength(2);
});

test('an answer without end is cut off', async () => {
  let sent = 0;
  const closed = Promise.withResolvers<void>();
  const endless: Answer = (response) => {
    response.once('close', closed.resolve);
    const more = (): void => {
      while (!response.destroyed && response.write('x'.repeat(65_536))) sent += 65_536;
    };
    response.writeHead(200).on('drain', more);
    more();
  };
  const provider = await against([endless], { timeoutMs: 20_000 });
  await expect(provider.list(zone, [at('_mta-sts')])).rejects.toMatchObject({
    reason: 'ProviderUnavailable',
    message: expect.stringContaining('more than 16 MiB'),
  });
  await closed.promise;
  expect(sent).toBeLessThan(64 * 1024 * 1024);
});

test('a server that tells the whole zone whatever it is asked is asked once', async () => {
  const provider = await against([holds(...['a', 'b', 'c'].map((host) => rrset(`${host}.${zone}`, host)))]);
  const sets = await provider.list(zone, [at('a'), at('c'), at('d')]);
  expect(sets.map(({ values }) => values)).toEqual([['a'], ['c']]);
  expect(requests).toHaveLength(1);
});

test('no look of another change comes between a look and its change', async () => {
  const provider = await against([
    (response, request) => (request.method === 'GET' ? holds() : says(204))(response, request),
  ]);
  await Promise.all([provider.apply(zone, [wanted]), provider.apply(zone, [wanted])]);
  expect(requests.map((one) => one.split(' ')[0])).toEqual(['GET', 'PATCH', 'GET', 'PATCH']);
});

test('whoever may not write any more sends nothing', async () => {
  const mayWrite = (): void => {
    throw new KubeError(0, 'NotLeader', 'another leads');
  };
  const provider = await against([holds()], { mayWrite });
  await expect(provider.apply(zone, [wanted])).rejects.toMatchObject({ reason: 'NotLeader' });
  expect(requests.filter((one) => one.startsWith('PATCH'))).toEqual([]);
});

test('what alters the record between the look and the change is told from a refusal', async () => {
  const conflict = says(422, '{"error":"RRset x IN TXT: Conflicts with pre-existing RRset"}');
  const provider = await against([holds(), conflict]);
  await expect(provider.apply(zone, [wanted])).rejects.toMatchObject({ reason: 'RecordChanged', kind: 'Retry' });
});

test('only whom caBundle vouches for is told the key', async () => {
  const [ca, other] = await Promise.all([makeCa('DNS'), makeCa('Another')]);
  const leaf = await ca.issue({ names: ['localhost'] });
  const keys: unknown[] = [];
  const server = createTlsServer({ key: leaf.key, cert: leaf.cert + ca.intermediate.cert }, (request, response) => {
    keys.push(request.headers['x-api-key']);
    holds(rrset('_mta-sts.example.com', 'x'))(response, request);
  });
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  const url = `https://localhost:${(server.address() as AddressInfo).port}/`;
  const providerFor = (caBundle: string): Promise<Provider> =>
    createProvider({ zones: [zone], powerdns: { url, caBundle } }, { 'api-key': apiKey }, parts({ timeoutMs: 2000 }));
  const [right, wrong] = await Promise.all([providerFor(ca.root.cert), providerFor(other.root.cert)]);
  stop = () =>
    new Promise((resolve) => {
      for (const provider of [right, wrong]) provider.close?.();
      server.close(() => resolve());
      server.closeAllConnections();
    });
  await expect(wrong.list(zone, [at('_mta-sts')])).rejects.toMatchObject({ reason: 'ProviderUnavailable' });
  expect(keys).toEqual([]);
  expect(await right.list(zone, [at('_mta-sts')])).toEqual([wanted.after]);
  expect(keys).toEqual([apiKey]);
});

const url = 'https://dns.example.net:8081';
test.each([
  ['no key', { url }, {}, 'CredentialsMissing'],
  ['a key that no header may hold', { url }, { 'api-key': 'a\nb' }, 'CredentialsInvalid'],
  ['no URL', { url: 'dns.example.net' }, { 'api-key': apiKey }, 'InvalidSpec'],
  ['a URL without TLS that is not allowed', { url: 'http://dns.example.net' }, { 'api-key': apiKey }, 'InvalidSpec'],
])('a provider with %s is refused at once', async (_what, powerdns, credentials, reason) => {
  await expect(createProvider({ zones: [zone], powerdns }, credentials, parts())).rejects.toMatchObject({
    reason,
    kind: 'Stalled',
  });
});

test('changes share a call as long as its body is short', async () => {
  const provider = await against([holds()]);
  const shareOf = (length: number): number =>
    provider.share({ ...wanted, after: { ...wanted.after, values: ['x'.repeat(length)] } });
  expect(shareOf(100)).toBe(1 / 500);
  expect(shareOf(512 * 1024)).toBeGreaterThan(0.5);
});
