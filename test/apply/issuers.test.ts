import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createIssuers, type Issuers } from '../../src/apply/issuers.ts';
import { apiVersion, type CertificateIssuer } from '../../src/api/types.ts';
import type { SecretObject } from '../../src/kube/types.ts';
import { createFakeKube, type FakeKube } from '../fakes/kube.ts';
import { newKey } from '../pki/certificates.ts';
import { type AcmeStandIn, problem, type StandInAnswer, startAcmeStandIn } from './acme-stand-in.ts';

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

test('an issuer of certificates from elsewhere is ready at once, and nothing is made for it', async () => {
  objects = [issuer('elsewhere', { external: {} })];
  expect(await issuers().get('elsewhere')).toEqual({ kind: 'external', name: 'elsewhere' });
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

const accountOf = (secret: SecretObject | undefined) =>
  JSON.parse(Buffer.from(secret?.data?.['account.json'] ?? '', 'base64').toString()) as {
    keyPem: string;
    url: string;
    former?: { keyPem: string; url: string; said: string };
  };

describe.each([
  ['deactivated', 'unauthorized', 403],
  ['known by another key', 'malformed', 400],
])('an account that is %s', (_, type, status) => {
  let accounts: number;
  let server: AcmeStandIn;
  const refused = { status, body: problem(type, 'not with this account') };
  beforeEach(async () => {
    accounts = 0;
    const made = (base: string): StandInAnswer => {
      const headers = { location: `${base}/account/${accounts + 1}` };
      return { status: 201, headers, body: { status: 'valid' } };
    };
    server = await startAcmeStandIn((base) => ({
      '/account': made(base),
      '/new-order': refused,
      '/account/1': refused,
      '/account/2': refused,
      '/account/3': { body: { status: 'valid' } },
    }));
    const { directoryUrl, caBundle } = server;
    objects = [issuer('ca', { acme: { server: directoryUrl, caBundle } })];
  });
  afterEach(() => server.stop());
  const order = async (all: Issuers): Promise<unknown> => {
    const one = await all.get('ca');
    return one.kind === 'acme' ? one.acme.newOrder(['mx1.example.com']).catch((error: unknown) => error) : undefined;
  };

  test('is replaced by a new one, with the old key and the words of the CA kept', async () => {
    const all = issuers();
    expect(await order(all)).toMatchObject({
      reason: 'ACMERefused',
      kind: 'Retry',
      message: expect.stringMatching(
        /no longer accepts our account .* \(not with this account\): a new one is registered/u,
      ),
    });
    const [before] = secrets();
    expect(accountOf(before).former).toMatchObject({
      url: expect.stringMatching(/1$/u),
      said: 'not with this account',
    });
    accounts = 1;
    const next = await all.get('ca');
    const { url, keyPem, former } = accountOf(secrets()[0]);
    expect(url).toMatch(/2$/u);
    expect(keyPem).not.toBe(former?.keyPem);
    expect(next).toMatchObject({
      note: expect.stringMatching(/account\/1 no longer .*account\/2 took its place.*accounturi/u),
    });
  });

  test('and whose successor is so too says which Secret to delete, and is not replaced again', async () => {
    const all = issuers();
    await order(all);
    accounts = 1;
    const second = await all.get('ca');
    const [secret] = secrets();
    const { namespace = '', name = '' } = secret?.metadata ?? {};
    expect(await order(all)).toMatchObject({
      reason: 'ACMERefused',
      message: expect.stringContaining(`delete Secret ${namespace}/${name}`),
    });
    expect(secrets()).toEqual([secret]);
    // Many domains share it: what is wrong with one order is nothing to the others.
    expect(await all.get('ca')).toBe(second);
    await order(all);
    await kube.remove({ apiVersion: 'v1', kind: 'Secret', namespace, name });
    expect(await all.get('ca')).not.toBe(second);
    expect(accountOf(secrets()[0]).keyPem).not.toBe(accountOf(secret).keyPem);
  });

  test('is told from an order that alone is refused', async () => {
    accounts = 2;
    const all = issuers();
    expect(await order(all)).toMatchObject({ reason: 'ACMERefused', message: expect.not.stringContaining('account ') });
    expect(accountOf(secrets()[0]).former).toBeUndefined();
  });

  test('whose key was changed meanwhile is only asked for again', async () => {
    const all = issuers();
    const one = await all.get('ca');
    const [secret] = secrets();
    if (secret === undefined || one.kind !== 'acme') throw new Error('there is no account');
    const changed = { ...accountOf(secret), formatVersion: 1, keyPem: newKey() };
    await kube.replace({ ...secret, data: { 'account.json': account(changed) } });
    await expect(one.acme.newOrder(['mx1.example.com'])).rejects.toMatchObject({
      kind: 'Retry',
      message: expect.stringContaining('another by now'),
    });
    expect(accountOf(secrets()[0])).toMatchObject(changed);
  });
});

describe('a binding to an account elsewhere', () => {
  const eab = { keyId: 'kid-1', secretRef: { name: 'eab' } };
  const secretWith = (data: Readonly<Record<string, string>>): SecretObject => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'eab', namespace: 'mailseal' },
    data: Object.fromEntries(Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')])),
  });
  test.each<readonly [string, SecretObject | undefined, string, RegExp]>([
    ['is not there', undefined, 'CredentialsMissing', /mailseal\/eab does not exist: put the MAC key there .* kid-1/u],
    ['has no key', secretWith({ other: 'x' }), 'CredentialsMissing', /has no "hmac-key"/u],
    ['holds another thing', secretWith({ 'hmac-key': 'not a/key' }), 'CredentialsInvalid', /not base64url/u],
  ])('whose Secret %s is said', async (_, secret, reason, message) => {
    if (secret !== undefined) await kube.create(secret);
    objects = [issuer('ca', { acme: { ...acme, eab } })];
    const got = issuers().get('ca');
    await expect(got).rejects.toMatchObject({ reason, kind: 'Stalled', message: expect.stringMatching(message) });
    await expect(got).rejects.not.toThrow(/not a\/key/u);
  });
});
