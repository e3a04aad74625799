import { beforeEach, expect, test } from 'vitest';
import { createIssuers, type Issuers } from '../../src/apply/issuers.ts';
import { apiVersion, type CertificateIssuer } from '../../src/api/types.ts';
import type { SecretObject } from '../../src/kube/types.ts';
import { createFakeKube, type FakeKube } from '../fakes/kube.ts';
import { problem, startAcmeStandIn } from './acme-stand-in.ts';

let kube: FakeKube;
let objects: CertificateIssuer[];
beforeEach(() => {
  kube = createFakeKube();
  objects = [];
});
const issuer = (name: string, spec: CertificateIssuer['spec']): CertificateIssuer => ({
  apiVersion,
  kind: 'CertificateIssuer',
  metadata: { name },
  spec,
});
const issuers = (): Issuers =>
  createIssuers({
    kube,
    namespace: 'mailseal',
    find: (name) => objects.find(({ metadata }) => metadata.name === name),
    clock: { now: () => 0 },
    onRequest: () => undefined,
  });
const secrets = () => kube.dump().filter((object): object is SecretObject => object.kind === 'Secret');
/** Nobody listens there: the account can't be registered. */
const acme = { server: 'https://127.0.0.1:9/directory' };

test.each<readonly [CertificateIssuer['spec'], number]>([
  [{ selfSigned: {} }, 3],
  [{ selfSigned: { years: 7 } }, 7],
])('an issuer that signs itself is ready at once: %j', async (spec, years) => {
  objects = [issuer('own', spec)];
  expect(await issuers().get('own')).toEqual({ kind: 'selfSigned', name: 'own', years });
  expect(kube.writes()).toEqual([]);
});

test('a changed issuer is another', async () => {
  objects = [issuer('own', { selfSigned: { years: 1 } })];
  const all = issuers();
  await all.get('own');
  objects = [issuer('own', { selfSigned: { years: 2 } })];
  expect(await all.get('own')).toMatchObject({ years: 2 });
});

test.each<readonly [string, CertificateIssuer['spec'] | undefined, string]>([
  ['there is none of that name', undefined, 'IssuerNotFound'],
  ['it is neither acme nor self-signed', {}, 'InvalidSpec'],
])('%s', async (_, spec, reason) => {
  objects = spec === undefined ? [] : [issuer('ca', spec)];
  await expect(issuers().get('ca')).rejects.toMatchObject({ reason, kind: 'Stalled' });
});

test('the account’s key is stored before the CA hears of it, and is the same in every attempt', async () => {
  objects = [issuer('ca', { acme })];
  const all = issuers();
  await expect(all.get('ca')).rejects.toMatchObject({ reason: 'ACMEUnavailable', kind: 'Retry' });
  const before = secrets();
  expect(before).toHaveLength(1);
  await expect(all.get('ca')).rejects.toMatchObject({ reason: 'ACMEUnavailable' });
  await expect(issuers().get('ca')).rejects.toMatchObject({ reason: 'ACMEUnavailable' });
  expect(secrets()).toEqual(before);
});

test('two that start at once have one account', async () => {
  objects = [issuer('ca', { acme })];
  await Promise.allSettled([issuers().get('ca'), issuers().get('ca')]);
  expect(secrets()).toHaveLength(1);
});

test('another server is another account', async () => {
  objects = [issuer('ca', { acme })];
  await Promise.allSettled([issuers().get('ca')]);
  objects = [issuer('ca', { acme: { server: 'https://127.0.0.1:9/other' } })];
  await Promise.allSettled([issuers().get('ca')]);
  expect(secrets()).toHaveLength(2);
});

const stored = { formatVersion: 1, server: acme.server };
const account = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64');
test.each([
  ['is cut off', 'eyJ'],
  ['is empty', ''],
  ['is null', account(null)],
  ['is a list', account([])],
  ['is of no version', account({ server: acme.server, keyPem: 'very secret words' })],
  ['is of another server', account({ ...stored, server: 'https://ca.example/directory' })],
  ['has no key', account({ ...stored, url: 'https://ca.example/1' })],
  ['has a key that is none', account({ ...stored, keyPem: 'very secret words' })],
  ['has a key in another form', account({ ...stored, keyPem: { kty: 'EC', d: 'very secret words' } })],
  [
    'has a broken key',
    account({ ...stored, keyPem: '-----BEGIN PRIVATE KEY-----\nvery/secret\n-----END PRIVATE KEY-----\n' }),
  ],
])('an account that %s is said, and not replaced', async (_, spoilt) => {
  objects = [issuer('ca', { acme })];
  await Promise.allSettled([issuers().get('ca')]);
  const [secret] = secrets();
  if (secret === undefined) throw new Error('there is no account');
  await kube.replace({ ...secret, data: { 'account.json': spoilt } });
  const error: unknown = await issuers()
    .get('ca')
    .catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    reason: 'StateUnreadable',
    message: expect.stringContaining(secret.metadata.name),
  });
  expect(String(error)).not.toMatch(/very.secret/u);
  expect(secrets()[0]?.data).toEqual({ 'account.json': spoilt });
});

test('an account of a later format says so, is used for nothing and stays as it is', async () => {
  objects = [issuer('ca', { acme })];
  await Promise.allSettled([issuers().get('ca')]);
  const [secret] = secrets();
  if (secret === undefined) throw new Error('there is no account');
  const before = JSON.parse(Buffer.from(secret.data?.['account.json'] ?? '', 'base64').toString()) as object;
  const data = { 'account.json': account({ ...before, formatVersion: 2, url: 'https://ca.example/1' }) };
  await kube.replace({ ...secret, data });
  await expect(issuers().get('ca')).rejects.toMatchObject({
    reason: 'StateUnreadable',
    kind: 'Stalled',
    message: expect.stringContaining('format version 2, this program reads 1'),
  });
  expect(secrets()[0]?.data).toEqual(data);
});

test('an account that the CA has lost is registered anew, once, with the same key', async () => {
  let accounts = 0;
  const server = await startAcmeStandIn((base) => ({
    '/account': { status: 201, headers: { location: `${base}/account/${(accounts += 1)}` }, body: { status: 'valid' } },
    '/new-order': { status: 400, body: problem('accountDoesNotExist', 'no such account') },
  }));
  try {
    const { directoryUrl, caBundle } = server;
    objects = [issuer('ca', { acme: { server: directoryUrl, caBundle } })];
    const all = issuers();
    const order = async (): Promise<unknown> => {
      const one = await all.get('ca');
      return one.kind === 'acme' ? one.acme.newOrder(['mx1.example.com']) : undefined;
    };
    const account = (): { readonly keyPem: string; readonly url?: string } =>
      JSON.parse(Buffer.from(secrets()[0]?.data?.['account.json'] ?? '', 'base64').toString());
    await all.get('ca');
    const first = account();
    for (const outcome of await Promise.allSettled([order(), order()]))
      expect(outcome).toMatchObject({ reason: { reason: 'ACMERefused', kind: 'Retry' } });
    expect(account()).toEqual({ ...first, url: undefined });
    await all.get('ca');
    expect(account()).toEqual({ ...first, url: expect.not.stringMatching(`^${first.url}$`) });
    expect(server.requests.filter((request) => request === 'POST /account')).toHaveLength(2);
  } finally {
    await server.stop();
  }
});

test.each([
  ['deactivated', 'unauthorized', 403],
  ['known by another key', 'malformed', 400],
])('whose account is %s says which Secret to delete, and then registers a new one', async (_, type, status) => {
  let accounts = 0;
  const server = await startAcmeStandIn((base) => ({
    '/account': { status: 201, headers: { location: `${base}/account/${(accounts += 1)}` }, body: { status: 'valid' } },
    '/new-order': { status, body: problem(type, 'not with this account') },
  }));
  try {
    const { directoryUrl, caBundle } = server;
    objects = [issuer('ca', { acme: { server: directoryUrl, caBundle } })];
    const all = issuers();
    const one = await all.get('ca');
    const order = one.kind === 'acme' ? one.acme.newOrder(['mx1.example.com']) : Promise.resolve();
    const [secret] = secrets();
    const { namespace = '', name = '' } = secret?.metadata ?? {};
    await expect(order).rejects.toMatchObject({
      reason: 'ACMERefused',
      message: expect.stringContaining(
        `not with this account. If it no longer accepts our account, delete Secret ${namespace}/${name}`,
      ),
    });
    // Many domains share it: what is wrong with one order is nothing to the others.
    expect(await all.get('ca')).toBe(one);
    await Promise.allSettled([one.kind === 'acme' ? one.acme.newOrder(['mx1.example.com']) : undefined]);
    await kube.remove({ apiVersion: 'v1', kind: 'Secret', namespace, name });
    expect(await all.get('ca')).not.toBe(one);
    expect(secrets()).toHaveLength(1);
    expect(secrets()[0]?.data).not.toEqual(secret?.data);
  } finally {
    await server.stop();
  }
});
