/** The ACME client against Pebble, whose validation asks the lab's BIND. */
import { createPublicKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createKey, newAccountKey } from '../../src/apply/acme-keys.ts';
import { problemTypeOf } from '../../src/apply/acme-problem.ts';
import { type Acme, type AcmeOptions, createAcme, type OrderStatus } from '../../src/apply/acme.ts';
import { checkCertificate, parseChain, spkiSha256OfKey, splitChain } from '../../src/pki/certificate.ts';
import { renewalId } from '../../src/pki/renewal.ts';
import type { StoredOrder } from '../../src/plan/state.ts';
import { type Bind, startBind } from '../lab/dns.ts';
import { startUnbound, type Unbound } from '../lab/dns-unbound.ts';
import { addAddress, newFolder } from '../lab/namespace.ts';
import { type Pebble, type PebbleSpec, startPebble } from '../lab/pebble.ts';
import { waitFor } from '../lab/process.ts';
import { toolPath } from '../lab/tools.ts';

const at = { ns1: '10.53.0.1', ns2: '10.53.0.2', resolver: '10.53.0.3', pebble: '10.53.0.5' };
const zone = 'example.test';
let bind: Bind;
let unbound: Unbound;
let pebble: Pebble;
let dir: string;
let acme: Acme | undefined;

const spec = (more: Partial<PebbleSpec> = {}): PebbleSpec => ({
  dir: newFolder('pebble'),
  binary: toolPath('pebble'),
  address: at.pebble,
  dnsServer: at.resolver,
  ...more,
});

beforeAll(async () => {
  for (const address of Object.values(at)) await addAddress(address);
  dir = newFolder('acme');
  bind = await startBind({
    dir: `${dir}/bind`,
    primary: { v4: at.ns1 },
    secondary: { v4: at.ns2 },
    zones: [{ name: zone }, { name: 'unproven.test' }],
  });
  unbound = await startUnbound({
    dir: `${dir}/unbound`,
    addresses: [at.resolver],
    trustAnchors: bind.trustAnchors,
    stubs: [{ zone: 'test', servers: [at.ns1, at.ns2] }],
  });
  pebble = await startPebble(spec());
});
afterEach(() => acme?.close());
afterAll(async () => {
  await pebble?.stop();
  await unbound?.stop();
  await bind?.stop();
});

function open(more: Partial<AcmeOptions> = {}, server: Pebble = pebble): Acme {
  const caBundle = readFileSync(server.caFile, 'utf8');
  acme = createAcme({ directoryUrl: server.directoryUrl, caBundle, accountKeyPem: newAccountKey(), ...more });
  return acme;
}

async function publish(order: StoredOrder): Promise<void> {
  const lines = order.authorizations.map(({ txtName, txtValue }) => `update add ${txtName}. 5 TXT "${txtValue}"`);
  await bind.dynamicUpdate(`zone ${zone}\n${lines.join('\n')}`, 'tsig');
  await bind.settled(zone);
}

async function until(client: Acme, order: StoredOrder, wanted: readonly OrderStatus['status'][]): Promise<OrderStatus> {
  const look = async (): Promise<OrderStatus | undefined> => {
    const found = await client.poll(order);
    return found.status === 'pending' || found.status === 'processing' ? undefined : found;
  };
  const found = await waitFor(`the order is ${wanted.join(' or ')}`, look, { everyMs: 500 });
  expect(wanted, found.detail).toContain(found.status);
  return found;
}

async function issue(client: Acme, names: readonly string[], key: string): Promise<string> {
  const order = await client.newOrder(names);
  await publish(order);
  await client.answer(order);
  await until(client, order, ['ready']);
  const { status } = await client.finalize(order, key, names);
  if (status !== 'valid') await until(client, order, ['valid']);
  return (await client.certificate(order)).chain;
}

describe('a certificate', () => {
  test('for one name takes at most eight requests, nonce included, beside directory and account', async () => {
    const counted: string[] = [];
    const client = open({ onRequest: (method, resource) => counted.push(`${method} ${resource}`) });
    await client.register({ email: 'me@example.test' });
    const before = pebble.requests().length;
    counted.length = 0;
    const key = await createKey();
    const chain = await issue(client, ['mx1.example.test'], key);
    expect(checkCertificate({ chain, key, names: ['mx1.example.test'], now: Date.now() })).toEqual([]);
    expect(splitChain(chain)).toHaveLength(2);
    expect(counted.length).toBeLessThanOrEqual(8);
    expect(pebble.requests().length - before).toBe(counted.length);
    expect(counted).not.toContain('HEAD newNonce');
  });

  test('for three names, one of them a wildcard beside its own base, takes at most six more', async () => {
    let requests = 0;
    const client = open({ onRequest: () => void requests++ });
    await client.register({});
    requests = 0;
    const key = await createKey('RSA-2048');
    const names = ['mx2.example.test', 'w.example.test', '*.w.example.test'];
    const chain = await issue(client, names, key);
    expect(checkCertificate({ chain, key, names, now: Date.now() })).toEqual([]);
    expect(parseChain(chain)[0]?.spkiSha256).toBe(spkiSha256OfKey(key));
    expect(
      createPublicKey(splitChain(chain)[0]?.publicKey.export({ type: 'spki', format: 'pem' }) ?? '').asymmetricKeyType,
    ).toBe('rsa');
    expect(requests).toBeLessThanOrEqual(14);
  });

  test('is renewed naming the one that it replaces, and once more without where that is spent', async () => {
    const client = open();
    await client.register({});
    const key = await createKey();
    const [leaf] = splitChain(await issue(client, ['mx3.example.test'], key));
    const replaces = leaf === undefined ? '' : (renewalId(leaf) ?? '');
    expect(replaces).toMatch(/^[\w-]+\.[\w-]+$/);
    expect((await client.newOrder(['mx3.example.test'], { replaces })).url).toContain('https://');
    expect((await client.newOrder(['mx3.example.test'], { replaces })).url).toContain('https://');
  });

  test('comes of a profile that is asked for, and an unknown one is refused in words', async () => {
    const accountKeyPem = newAccountKey();
    const accountUrl = await open({ accountKeyPem }).register({});
    const chain = await issue(
      open({ accountKeyPem, accountUrl, profile: 'shortlived' }),
      ['mx4.example.test'],
      await createKey(),
    );
    const [leaf] = parseChain(chain);
    expect(Math.round(((leaf?.notAfter ?? 0) - (leaf?.notBefore ?? 0)) / 86_400_000)).toBe(6);
    const wrong = open({ accountKeyPem, accountUrl, profile: 'nonesuch' });
    await expect(wrong.newOrder(['mx4.example.test'])).rejects.toMatchObject({
      reason: 'ACMERefused',
      kind: 'Stalled',
    });
  });
});

test('a chain is chosen among those of the CA by whoever its topmost certificate comes from', async () => {
  const several = await startPebble(spec({ port: 14_500, alternateRoots: 2 }));
  try {
    const nameOf = async (chain: number) =>
      new X509Certificate(await several.rootPem(chain)).subject.replace(/^.*CN=/su, '');
    const accountKeyPem = newAccountKey();
    await open({ accountKeyPem }, several).register({});
    for (const at of [0, 1, 2]) {
      const client = open({ accountKeyPem, preferredChain: await nameOf(at) }, several);
      await client.register({});
      const [, intermediate] = splitChain(await issue(client, [`chain${at}.example.test`], await createKey()));
      expect(intermediate?.verify(new X509Certificate(await several.rootPem(at)).publicKey)).toBe(true);
    }
  } finally {
    await several.stop();
  }
});

describe('a crash', () => {
  test('after each step goes on from the stored order', async () => {
    const accountKeyPem = newAccountKey();
    const accountUrl = await open({ accountKeyPem }).register({});
    const fresh = (): Acme => open({ accountKeyPem, accountUrl });
    const key = await createKey();
    const names = ['crash.example.test'];
    const stored = JSON.stringify(await fresh().newOrder(names));
    const order = (): StoredOrder => JSON.parse(stored) as StoredOrder;
    expect(await fresh().poll(order())).toMatchObject({ status: 'pending' });
    await publish(order());
    await fresh().answer(order());
    await until(fresh(), order(), ['ready']);
    await fresh().answer(order());
    await fresh().finalize(order(), key, names);
    await until(fresh(), order(), ['valid']);
    const { chain } = await fresh().certificate(order());
    expect(checkCertificate({ chain, key, names, now: Date.now() })).toEqual([]);
    expect(await fresh().certificate(order())).toEqual({ chain });
  });

  test('after registering finds the same account by its key', async () => {
    const accountKeyPem = newAccountKey();
    const first = await open({ accountKeyPem }).register({});
    expect(await open({ accountKeyPem }).register({})).toBe(first);
  });
});

describe('a certificate whose key is no secret any more', () => {
  test.each([
    ['that key', true],
    ['the account', false],
  ])('is revoked when %s asks for it, and again without harm', async (_, byKey) => {
    const client = open();
    await client.register({});
    const key = await createKey();
    const chain = await issue(client, [`revoked-${byKey}.example.test`], key);
    expect(await pebble.statusOf(chain)).toMatchObject({ Status: 'Valid' });
    await client.revoke(chain, byKey ? key : undefined);
    await client.revoke(chain, byKey ? key : undefined);
    expect(await pebble.statusOf(chain)).toMatchObject({ Status: 'Revoked', Reason: 1 });
  });

  test('is revoked for nobody else', async () => {
    const client = open();
    await client.register({});
    const chain = await issue(client, ['kept.example.test'], await createKey());
    await expect(client.revoke(chain, await createKey())).rejects.toMatchObject({ reason: 'ACMERefused' });
    const stranger = open();
    await stranger.register({});
    await expect(stranger.revoke(chain, undefined)).rejects.toMatchObject({ reason: 'ACMERefused' });
    expect(await pebble.statusOf(chain)).toMatchObject({ Status: 'Valid' });
  });
});

describe('a failure', () => {
  // In a zone of its own: from one denial a resolver concludes others of the same zone, which would spoil the next test.
  test('of the proof is told in the words of the CA, and the order is not finalized', async () => {
    const client = open();
    await client.register({});
    const order = await client.newOrder(['mx.unproven.test']);
    await client.answer(order);
    const { detail } = await until(client, order, ['invalid']);
    expect(detail).toMatch(/^mx\.unproven\.test: .*(TXT|NXDOMAIN|record)/i);
    await expect(client.certificate(order)).rejects.toMatchObject({ reason: 'OrderInvalid' });
  });

  test('to wait for the proof is told before finalizing does harm', async () => {
    const client = open();
    await client.register({});
    const order = await client.newOrder(['early.example.test']);
    const early = client.finalize(order, await createKey(), order.names);
    await expect(early).rejects.toMatchObject({ reason: 'OrderPending', kind: 'Retry' });
  });

  test('of nine nonces in ten is survived', async () => {
    const picky = await startPebble(spec({ port: 14_100, nonceRejectPercent: 90 }));
    try {
      const client = open({}, picky);
      await client.register({});
      const key = await createKey();
      const chain = await issue(client, ['nonces.example.test'], key);
      expect(checkCertificate({ chain, key, names: ['nonces.example.test'], now: Date.now() })).toEqual([]);
    } finally {
      await picky.stop();
    }
  });

  test('of the CA, which lost accounts and orders, is told apart', async () => {
    const old = await startPebble(spec({ port: 14_200 }));
    const accountKeyPem = newAccountKey();
    const accountUrl = await open({ accountKeyPem }, old).register({});
    const order = await open({ accountKeyPem, accountUrl }, old).newOrder(['lost.example.test']);
    await old.stop();
    const away = open({ accountKeyPem, accountUrl }, old);
    await expect(away.poll(order)).rejects.toMatchObject({ reason: 'ACMEUnavailable', kind: 'Retry' });
    const renewed = await startPebble(spec({ port: 14_200 }));
    try {
      const lost = await open({ accountKeyPem, accountUrl }, renewed).poll(order).catch(problemTypeOf);
      expect(lost).toBe('accountDoesNotExist');
      const back = open({ accountKeyPem }, renewed);
      await back.register({});
      expect(await back.poll(order)).toMatchObject({ status: 'gone' });
    } finally {
      await renewed.stop();
    }
  });

  test('to be bound to an account elsewhere is told with its mend, and mended', async () => {
    const mac = Buffer.alloc(32, 7).toString('base64url');
    const bound = await startPebble(spec({ port: 14_300, externalAccounts: { 'kid-1': mac } }));
    try {
      const refused = open({}, bound).register({});
      await expect(refused).rejects.toMatchObject({ reason: 'ACMERefused', kind: 'Stalled' });
      await expect(refused).rejects.toThrow('set spec.acme.eab');
      expect(await open({}, bound).register({ eab: { kid: 'kid-1', hmacKey: mac } })).toContain('https://');
    } finally {
      await bound.stop();
    }
  });
});
