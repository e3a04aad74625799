/**
 * A certificate from elsewhere, its key changed at each renewal as cert-manager does: the API in memory and all else
 * real. BIND signs the zone, a Postfix is the MX host, and another, which insists on DANE, sends mail all the while.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { conditionOf } from '../../src/api/conditions.ts';
import type { MailExchanger } from '../../src/api/types.ts';
import type { SecretObject } from '../../src/kube/types.ts';
import { createResolver, type TestedResolver } from '../../src/observe/dns/resolver.ts';
import { spkiSha256OfKey } from '../../src/pki/certificate.ts';
import { reconcileExchanger } from '../../src/reconcile/exchanger.ts';
import type { World } from '../../src/world.ts';
import { type Bind, startBind } from '../lab/dns.ts';
import { startUnbound, type Unbound } from '../lab/dns-unbound.ts';
import { type Ca, createCa } from '../lab/mail-ca.ts';
import { addAddress, newFolder } from '../lab/namespace.ts';
import type { Delivery } from '../lab/postfix-log.ts';
import { type PostfixMx, startPostfixMx } from '../lab/postfix-mx.ts';
import { type PostfixSender, startPostfixSender } from '../lab/postfix-sender.ts';
import { waitFor } from '../lab/process.ts';
import { createLabObjects, createLabWorld } from './lab-world.ts';

const at = { ns1: '10.53.36.1', ns2: '10.53.36.2', resolver: '10.53.36.3', mx: '10.53.36.10' };
const zone = 'example.test';
const host = `mx1.${zone}`;
const tlsaAt = `_25._tcp.${host}`;
const dir = newFolder('source');
const objects = createLabObjects();
const { kube, one } = objects;
let bind: Bind;
let unbound: Unbound;
let resolver: TestedResolver;
let mx: PostfixMx;
let sender: PostfixSender;
let ca: Ca;
let world: World;
const outcomes: Delivery[] = [];

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const dataOf = (name: string, field: string): string =>
  Buffer.from(one<SecretObject>('Secret', name)?.data?.[field] ?? '', 'base64').toString('utf8');
/** Puts a certificate of the lab's CA there, for a new key or the one of an earlier path; gives the digest of the key. */
async function renew(path: string, names: readonly string[] = [host], kept?: string): Promise<string> {
  const keyFile = kept === undefined ? {} : { key: `${dir}/${kept}.key` };
  const { cert, key } = await ca.issue({ path: `${dir}/${path}`, names, ...keyFile });
  const pem = readFileSync(key, 'utf8');
  const secret: SecretObject = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'mx-source', namespace: 'mail' },
    type: 'kubernetes.io/tls',
    data: { 'tls.crt': base64(readFileSync(cert, 'utf8')), 'tls.key': base64(pem) },
  };
  const before = one('Secret', 'mx-source');
  await (before === undefined ? kube.create(secret) : kube.replace({ ...secret, metadata: before.metadata }));
  return spkiSha256OfKey(pem);
}

const tlsa = (...keys: readonly string[]): readonly string[] => keys.map((key) => `3 1 1 ${key}`).sort();
const shown = async (): Promise<readonly string[]> => [...(await resolver.lookup(tlsaAt, 'TLSA')).values].sort();
const condition = (type: 'DANEReady' | 'Deployed' | 'CertificateReady') =>
  conditionOf(one<MailExchanger>('MailExchanger', 'mx')?.status?.conditions, type);
/** The CA of the lab is trusted by nobody, which DANE senders do not ask for. */
const isDone = (): boolean => condition('DANEReady')?.status === 'True' && condition('Deployed')?.reason === 'Deployed';

let installed = '';
/** What whoever runs the MX host does: a changed Secret is put in place, and Postfix reads it. */
async function install(): Promise<void> {
  const [key, chain] = [dataOf('mx-tls', 'tls.key'), dataOf('mx-tls', 'tls.crt')];
  if (chain === '' || installed === key + chain) return;
  writeFileSync(mx.chainFile, key + chain, { mode: 0o600 });
  await mx.reload();
  installed = key + chain;
}

/** Looks and installs until it is so. */
async function lookUntil(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const look = async (): Promise<boolean> => {
    await reconcileExchanger(world, 'mail', 'mx');
    await install();
    return isSo();
  };
  await waitFor(what, look, { everyMs: 200, timeoutMs: 90_000 }).catch((error: unknown) => {
    throw new Error(`${what}: ${JSON.stringify(one<MailExchanger>('MailExchanger', 'mx')?.status)}`, { cause: error });
  });
}

async function give(): Promise<void> {
  const certificate = { issuerRef: { name: 'elsewhere' }, sourceSecretName: 'mx-source' };
  await objects.make('CertificateIssuer', 'elsewhere', { external: {} });
  await objects.make('MailExchanger', 'mx', { hosts: [host], certificate, dane: { ttlSeconds: 2 } }, 'mail');
  await objects.grantZone(zone, at.ns1, bind.tsig);
}

beforeAll(async () => {
  for (const address of Object.values(at)) await addAddress(address);
  ca = await createCa(`${dir}/ca`);
  const zones = [
    { name: zone, records: `@ MX 10 mx1\nmx1 A ${at.mx}` },
    { name: 'bogus.test', records: '', security: 'bogus' as const },
  ];
  bind = await startBind({ dir: `${dir}/bind`, primary: { v4: at.ns1 }, secondary: { v4: at.ns2 }, zones });
  unbound = await startUnbound({
    dir: `${dir}/unbound`,
    addresses: [at.resolver],
    trustAnchors: bind.trustAnchors,
    stubs: [{ zone: 'test', servers: [at.ns1, at.ns2] }],
  });
  resolver = createResolver({ view: 'outside', servers: [`udp://${at.resolver}:53`] });
  expect(await resolver.selfTest(zone, 'bogus.test')).toBe('Validating');
  [mx, sender] = await Promise.all([
    startPostfixMx({ dir: `${dir}/mx`, name: host, v4: at.mx, resolver: at.resolver, domains: [zone] }),
    startPostfixSender({ dir: `${dir}/sender`, mode: 'dane-only', resolver: at.resolver }),
  ]);
  await give();
  const flags = ['--shards=1', '--shard-secret-prefix=shard-', '--allow-addresses=10.53.36.0/24'];
  world = createLabWorld(objects, { id: 'source-lab', outside: resolver, flags });
});
afterAll(async () => {
  await Promise.all([sender?.stop(), mx?.stop()]);
  resolver?.close();
  await unbound?.stop();
  await bind?.stop();
});

/** Mail flows while `during` runs, one message after the other. */
async function underMail(during: () => Promise<void>): Promise<void> {
  const ending = new AbortController();
  const sending = (async () => {
    while (!ending.signal.aborted)
      outcomes.push(await sender.send({ from: 'a@sender.test', to: `b@${zone}`, subject: 'a proof' }));
  })();
  try {
    await during();
  } finally {
    ending.abort();
    await sending;
  }
}

describe('a certificate that comes in a Secret', () => {
  let first = '';

  test('reaches the host, and the TLSA record of its key alone stands', async () => {
    first = await renew('first');
    await lookUntil('the exchanger is done', isDone);
    expect(await shown()).toEqual(tlsa(first));
    await underMail(() => lookUntil('mail was sent', () => outcomes.length > 3));
    expect(outcomes.filter(({ status, verified }) => status !== 'sent' || !verified)).toEqual([]);
  });

  test('is renewed with the same key at once, and no record changes', async () => {
    await renew('again', [host], 'first');
    await lookUntil('the host has it', () => installed.endsWith(dataOf('mx-source', 'tls.crt')));
    expect(await shown()).toEqual(tlsa(first));
  });

  test('is refused for another host, and the host keeps what it has', async () => {
    const before = installed;
    await renew('other', [`other.${zone}`]);
    await lookUntil('that is said', () => condition('CertificateReady')?.reason === 'SourceRefused');
    expect(installed).toBe(before);
  });

  test('comes with another key, and with yet another before that was given: no mail waits', async () => {
    await underMail(async () => {
      const passedOver = await renew('second');
      await lookUntil('its record stands beside', async () => (await shown()).length === 2);
      expect(await shown()).toEqual(tlsa(first, passedOver));
      const last = await renew('third');
      const isOver = async (): Promise<boolean> => {
        expect(spkiSha256OfKey(dataOf('mx-tls', 'tls.key'))).not.toBe(passedOver);
        return isDone() && (await shown()).join() === tlsa(last).join();
      };
      await lookUntil('the last one has taken its place', isOver);
      expect(dataOf('mx-tls', 'tls.crt')).toBe(dataOf('mx-source', 'tls.crt'));
    });
    expect(outcomes.filter(({ status, verified }) => status !== 'sent' || !verified)).toEqual([]);
    expect(outcomes.length).toBeGreaterThan(20);
  });
});
