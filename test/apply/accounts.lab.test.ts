/** Accounts at Pebble: bound, deactivated, given another key; several CAs at once. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { apiVersion, type CertificateIssuer } from '../../src/api/types.ts';
import { createWire } from '../../src/apply/acme-wire.ts';
import { createIssuers, type IssuerApi, type Issuers } from '../../src/apply/issuers.ts';
import { systemClock } from '../../src/clock.ts';
import type { Kube, SecretObject } from '../../src/kube/types.ts';
import type { StoredAccount } from '../../src/plan/account.ts';
import { createFakeKube, type FakeKube } from '../fakes/kube.ts';
import { addAddress, newFolder } from '../lab/namespace.ts';
import { type Pebble, startPebble } from '../lab/pebble.ts';
import { toolPath } from '../lab/tools.ts';

const address = '10.53.0.45';
const mac = Buffer.alloc(32, 7).toString('base64url');
let open: Pebble;
let bound: Pebble;
let kube: FakeKube;
let objects: CertificateIssuer[];

beforeAll(async () => {
  await addAddress(address);
  const spec = { binary: toolPath('pebble'), address, dnsServer: address };
  open = await startPebble({ ...spec, dir: newFolder('open') });
  bound = await startPebble({ ...spec, dir: newFolder('bound'), port: 14_400, externalAccounts: { 'kid-1': mac } });
});
afterAll(async () => {
  await open?.stop();
  await bound?.stop();
});
beforeEach(() => {
  kube = createFakeKube();
  objects = [issuer('ca', open)];
});

type Acme = NonNullable<CertificateIssuer['spec']['acme']>;
function issuer(name: string, ca: Pebble, more: Partial<Acme> = {}, asked?: string): CertificateIssuer {
  const acme = { server: ca.directoryUrl, caBundle: readFileSync(ca.caFile, 'utf8'), ...more };
  const annotations = asked === undefined ? {} : { annotations: { 'mailseal.dev/rotate-account-key': asked } };
  return { apiVersion, kind: 'CertificateIssuer', metadata: { name, ...annotations }, spec: { acme } };
}
const issuers = (way: Kube = kube): Issuers =>
  createIssuers({
    kube: way,
    namespace: 'mailseal',
    find: (name) => objects.find(({ metadata }) => metadata.name === name),
    clock: systemClock,
    onRequest: () => undefined,
  });
function stored(): StoredAccount {
  const [secret] = kube.dump().filter((object): object is SecretObject => object.kind === 'Secret');
  return JSON.parse(Buffer.from(secret?.data?.['account.json'] ?? '', 'base64').toString()) as StoredAccount;
}
const names = ['mx1.example.test'];
const order = (one: IssuerApi) =>
  one.kind === 'acme' ? one.acme.newOrder(names) : Promise.reject(new Error('no ACME server'));

test('two CAs with roots and accounts of their own are asked at once', async () => {
  const eab = { keyId: 'kid-1', secretRef: { name: 'eab' } };
  objects.push(issuer('bound', bound, { eab }));
  const data = { 'hmac-key': Buffer.from(mac).toString('base64') };
  await kube.create<SecretObject>({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'eab', namespace: 'mailseal' },
    data,
  });
  const all = issuers();
  const made = await Promise.all(['ca', 'bound', 'ca', 'bound'].map(async (name) => order(await all.get(name))));
  expect(made.map(({ url }) => new URL(url).port)).toEqual(['14000', '14400', '14000', '14400']);
  objects = [issuer('crossed', open, { caBundle: readFileSync(bound.caFile, 'utf8') })];
  await expect(all.get('crossed')).rejects.toMatchObject({ reason: 'ACMEUnavailable' });
});

test('a deactivated account is replaced, and the next order is one of the new account', async () => {
  const all = issuers();
  const one = await all.get('ca');
  await order(one);
  const { keyPem, url = '' } = stored();
  const wire = await createWire({
    directoryUrl: open.directoryUrl,
    caBundle: readFileSync(open.caFile, 'utf8'),
    accountKeyPem: keyPem,
    accountUrl: url,
    timeoutMs: 10_000,
    clock: systemClock,
  });
  await wire.post({ url }, { resource: 'account', asked: 'its end', payload: { status: 'deactivated' } });
  await wire.close();
  await expect(one.kind === 'acme' && one.acme.newOrder(['mx2.example.test'])).rejects.toMatchObject({
    reason: 'ACMERefused',
    kind: 'Retry',
    message: expect.stringContaining('a new one is registered'),
  });
  const next = await all.get('ca');
  await order(next);
  expect(next).toMatchObject({ note: expect.stringContaining(url) });
  expect(stored()).toMatchObject({ former: { url, keyPem } });
  expect(stored().url).not.toBe(url);
});

/** Dies at the n-th write of the account, before or after it; counted from 0. */
function mortal(at: number, when: 'before' | 'after'): Kube {
  let writes = 0;
  return {
    ...kube,
    replace: async (object) => {
      const dies = writes++ === at;
      if (dies && when === 'before') throw new Error('killed');
      const written = await kube.replace(object);
      if (dies) throw new Error('killed');
      return written;
    },
  };
}

test.each([
  [0, 'before'],
  [0, 'after'],
  [1, 'before'],
  [1, 'after'],
] as const)('an account key that is to be another is so, killed at write %i, %s it', async (at, when) => {
  await order(await issuers().get('ca'));
  const before = stored();
  objects = [issuer('ca', open, {}, '2026-11-22T10:00:00Z')];
  await expect(issuers(mortal(at, when)).get('ca')).rejects.toThrow('killed');
  await order(await issuers().get('ca'));
  const after = stored();
  expect(after).toMatchObject({ url: before.url, rotated: { asked: '2026-11-22T10:00:00Z' } });
  expect(after.keyPem).not.toBe(before.keyPem);
  expect(after).not.toHaveProperty('next');
  const asked = open.requests().length;
  await issuers().get('ca');
  expect(open.requests().length).toBe(asked);
});

test('who still had the old key is told to ask again, and the account stays', async () => {
  const all = issuers();
  const one = await all.get('ca');
  const { url } = stored();
  objects = [issuer('ca', open, {}, '2026-11-22T10:00:00Z')];
  const next = await all.get('ca');
  await expect(order(one)).rejects.toMatchObject({ kind: 'Retry', message: expect.stringContaining('another by now') });
  await order(next);
  expect(stored()).toMatchObject({ url });
  expect(stored()).not.toHaveProperty('former');
});
