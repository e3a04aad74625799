import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { beforeEach, expect, test } from 'vitest';
import { parts } from './providers/parts.ts';
import { createProviders } from '../../src/apply/providers/registry.ts';
import { apiVersion, type DNSProvider } from '../../src/api/types.ts';
import type { SecretObject } from '../../src/kube/types.ts';
import { createFakeKube, type FakeKube } from '../fakes/kube.ts';

let kube: FakeKube;
let object: DNSProvider | undefined;
let time = 0;
beforeEach(async () => {
  kube = createFakeKube();
  time = 0;
  object = {
    apiVersion,
    kind: 'DNSProvider',
    metadata: { name: 'main' },
    spec: {
      zones: ['example.com'],
      rfc2136: { server: '127.0.0.1:9', tsigKeyName: 'key' },
      credentialsSecretRef: { name: 'tsig' },
    },
  };
});
const secret = (data: Readonly<Record<string, string>>): SecretObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'tsig', namespace: 'mailseal' },
  data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')])),
});
const good = { 'tsig-secret': Buffer.from('0123456789abcdef0123456789abcdef').toString('base64') };
const providers = () =>
  createProviders({
    kube,
    namespace: 'mailseal',
    find: () => object,
    authorities: parts().authorities,
    clock: { now: () => time },
    onCall: () => undefined,
  });
const refOfSecret = { apiVersion: 'v1', kind: 'Secret', namespace: 'mailseal', name: 'tsig' };
const reads = (): number => kube.calls.filter(({ verb }) => verb === 'get').length;

test('a provider is made once and shared, and its credentials are read again after a minute', async () => {
  await kube.create(secret(good));
  const of = providers();
  const [one, two] = await Promise.all([of('main'), of('main')]);
  expect(one).toBe(two);
  expect(reads()).toBe(1);
  time = 60_000;
  await of('main');
  expect(reads()).toBe(2);
});

test('a changed object is another provider', async () => {
  await kube.create(secret(good));
  const of = providers();
  const before = await of('main');
  object = object && { ...object, spec: { ...object.spec, zones: ['example.com', 'example.net'] } };
  expect(await of('main')).not.toBe(before);
});

test.each<readonly [string, () => Promise<unknown>, string]>([
  ['there is no such object', async () => (object = undefined), 'ProviderNotFound'],
  ['its Secret is missing', async () => undefined, 'CredentialsMissing'],
  ['its Secret lacks the key', async () => kube.create(secret({ other: 'x' })), 'CredentialsMissing'],
  ['its Secret has the key in capitals', async () => kube.create(secret({ 'TSIG-SECRET': 'x' })), 'CredentialsMissing'],
  ['its secret is a blank', async () => kube.create(secret({ 'tsig-secret': ' \n' })), 'CredentialsMissing'],
  ['its secret is too short', async () => kube.create(secret({ 'tsig-secret': 'c2hvcnQ=' })), 'CredentialsInvalid'],
  ['its secret is hex', async () => kube.create(secret({ 'tsig-secret': '0x'.padEnd(66, ':') })), 'CredentialsInvalid'],
  [
    'its secret is a whole key statement',
    async () => kube.create(secret({ 'tsig-secret': `key "a" { secret "${good['tsig-secret']}"; };` })),
    'CredentialsInvalid',
  ],
  [
    'its secret has a line break inside',
    async () => kube.create(secret({ 'tsig-secret': good['tsig-secret'].replace('0', '\n') + '\nAAAA' })),
    'CredentialsInvalid',
  ],
  [
    'its secret is binary',
    async () => kube.create(secret({ 'tsig-secret': '\u0000\ufffd'.repeat(20) })),
    'CredentialsInvalid',
  ],
])('%s: said with its place, and tried again', async (_, prepare, reason) => {
  await prepare();
  const of = providers();
  await expect(of('main')).rejects.toMatchObject({ reason, kind: 'Stalled' });
  await expect(of('main')).rejects.toMatchObject({ reason });
});

test.each<
  readonly [
    string,
    (endpoint: string) => Pick<DNSProvider['spec'], 'route53' | 'cloudflare'>,
    readonly Readonly<Record<string, string>>[],
  ]
>([
  [
    'Route 53',
    (endpoint) => ({ route53: { endpoint, plainHttp: true } }),
    ['one', 'two'].map((id) => ({ 'access-key-id': id, 'secret-access-key': 'x' })),
  ],
  [
    'Cloudflare',
    (endpoint) => ({ cloudflare: { endpoint, plainHttp: true } }),
    ['one', 'two'].map((token) => ({ 'api-token': token })),
  ],
])(
  'a pause that %s asks for is made, whatever credentials come meanwhile',
  async (_, api, [first = {}, second = {}]) => {
    let calls = 0;
    const server = createServer((request, response) => {
      calls += 1;
      request.resume();
      response.writeHead(429, { 'retry-after': '1' }).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const given = api(`http://127.0.0.1:${port}`);
    const spec = { zones: ['example.com'], credentialsSecretRef: { name: 'tsig' }, ...given };
    object = object && { ...object, spec };
    await kube.create(secret(first));
    const of = providers();
    const list = async (): Promise<unknown> =>
      (await of('main')).list('example.com', [{ name: 'x.example.com', type: 'A' }]);
    await expect(list()).rejects.toMatchObject({ reason: 'ProviderThrottled' });
    const asked = performance.now();
    await kube.remove(refOfSecret);
    await kube.create(secret(second));
    time = 60_000;
    await expect(list()).rejects.toMatchObject({ reason: 'ProviderThrottled' });
    expect(performance.now() - asked).toBeGreaterThan(900);
    expect(calls).toBe(2);
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  },
);

test('a Secret that is mended is taken at once', async () => {
  const of = providers();
  await expect(of('main')).rejects.toMatchObject({ reason: 'CredentialsMissing' });
  await kube.create(secret(good));
  expect((await of('main')).capabilities.tlsa).toBe(true);
});

test('no error holds a secret', async () => {
  await kube.create(secret({ 'tsig-secret': 'not base64 but very secret!' }));
  const error = await providers()('main').then(
    () => '',
    (thrown: unknown) => `${String(thrown)} ${JSON.stringify(thrown)}`,
  );
  expect(error).not.toContain('very secret');
});
