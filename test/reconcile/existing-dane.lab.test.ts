/**
 * The take-over of a host that has DANE by hand: the API in memory and all else real. BIND signs the zone, Unbound caches
 * what it shows, Postfix is the MX host, and another Postfix sends mail to it all the while and insists on DANE.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MailExchanger } from '../../src/api/types.ts';
import { systemClock as clock } from '../../src/clock.ts';
import { verifyDane } from '../../src/dane/verify.ts';
import type { SecretObject } from '../../src/kube/types.ts';
import { createResolver, type TestedResolver } from '../../src/observe/dns/resolver.ts';
import { probeSmtp } from '../../src/observe/smtp.ts';
import { spkiSha256OfKey } from '../../src/pki/certificate.ts';
import { reconcileExchanger } from '../../src/reconcile/exchanger.ts';
import type { World } from '../../src/world.ts';
import { type Bind, startBind } from '../lab/dns.ts';
import { startUnbound, type Unbound } from '../lab/dns-unbound.ts';
import { addAddress, newFolder } from '../lab/namespace.ts';
import type { Delivery } from '../lab/postfix-log.ts';
import { type PostfixMx, startPostfixMx } from '../lab/postfix-mx.ts';
import { type PostfixSender, startPostfixSender } from '../lab/postfix-sender.ts';
import { waitFor } from '../lab/process.ts';
import { createAuthority } from '../server/certificates.ts';
import { createLabObjects, createLabWorld } from './lab-world.ts';

const at = { ns1: '10.53.31.1', ns2: '10.53.31.2', resolver: '10.53.31.3', mx: '10.53.31.10' };
const zone = 'example.test';
const host = `mx1.${zone}`;
const name = `_25._tcp.${host}`;
const byHandTtl = 5;
const authority = createAuthority();
const byHand = authority.issue([host]);
/** The CA of the host's certificate, which is sent with it, and a key that nobody has any more. */
const foreign = [`2 1 1 ${spkiSha256OfKey(authority.key)}`, `3 1 1 ${'ab'.repeat(32)}`].sort();

const dir = newFolder('existing-dane');
const objects = createLabObjects();
const { kube, one } = objects;
let bind: Bind;
let unbound: Unbound;
let resolver: TestedResolver;
let mx: PostfixMx;
let sender: PostfixSender;
let world: World;

async function give(): Promise<void> {
  await objects.make('CertificateIssuer', 'own', { default: true, selfSigned: {} });
  await objects.make('MailExchanger', 'mx', { hosts: [host], dane: { ttlSeconds: 2 } }, 'mail');
  await objects.grantZone(zone, at.ns1, bind.tsig);
}

beforeAll(async () => {
  for (const address of Object.values(at)) await addAddress(address);
  const zones = [
    { name: zone, records: `@ MX 10 mx1\nmx1 A ${at.mx}` },
    { name: 'bogus.test', security: 'bogus' as const, records: '@ TXT "forged"' },
  ];
  bind = await startBind({ dir: `${dir}/bind`, primary: { v4: at.ns1 }, secondary: { v4: at.ns2 }, zones });
  unbound = await startUnbound({
    dir: `${dir}/unbound`,
    addresses: [at.resolver],
    trustAnchors: bind.trustAnchors,
    stubs: [{ zone: 'test', servers: [at.ns1, at.ns2] }],
  });
  const adds = foreign.map((value) => `update add ${name}. ${byHandTtl} TLSA ${value}`);
  await bind.dynamicUpdate([`zone ${zone}`, ...adds].join('\n'));
  await bind.settled(zone);
  [mx, sender] = await Promise.all([
    startPostfixMx({ dir: `${dir}/mx`, name: host, v4: at.mx, resolver: at.resolver, domains: [zone] }),
    startPostfixSender({ dir: `${dir}/sender`, mode: 'dane-only', resolver: at.resolver }),
  ]);
  writeFileSync(mx.chainFile, byHand.key + byHand.certificate + authority.certificate);
  await mx.reload();
  resolver = createResolver({ view: 'outside', servers: [`udp://${at.resolver}:53`] });
  expect(await resolver.selfTest(zone, 'bogus.test')).toBe('Validating');
  await give();
  world = createLabWorld(objects, {
    id: 'existing-dane-lab',
    outside: resolver,
    flags: ['--allow-addresses=10.53.31.0/24'],
  });
}, 120_000);

afterAll(async () => {
  resolver?.close();
  await Promise.all([mx?.stop(), sender?.stop()]);
  await unbound?.stop();
  await bind?.stop();
});

const exchanger = (): MailExchanger | undefined => one<MailExchanger>('MailExchanger', 'mx');
const secret = (): SecretObject | undefined => one<SecretObject>('Secret', 'mx-tls');
const text = (field: string): string => Buffer.from(secret()?.data?.[field] ?? '', 'base64').toString('utf8');
const condition = (type: string) => exchanger()?.status?.conditions?.find((each) => each.type === type);
const ours = (): Promise<readonly string[]> =>
  world.store
    .load('exchanger', 'mail/mx', clock.now())
    .then((loaded) => [loaded?.state.rollover.current ?? '', loaded?.state.rollover.next ?? ''])
    .then((keys) => keys.map((key) => `3 1 1 ${key}`));

/** What the primary has now, past all caches. */
const published = async (): Promise<readonly string[]> => {
  const [first] = await world.authorities.lookupAll(zone, name, 'TLSA');
  return [...(first?.answer.values ?? [])].sort();
};

/** What the host would do with a Secret that is mounted. */
async function mount(): Promise<void> {
  if (secret() === undefined) return;
  const bundle = text('tls.key') + text('tls.crt');
  if (readFileSync(mx.chainFile, 'utf8') === bundle) return;
  writeFileSync(mx.chainFile, bundle);
  await mx.reload();
}

const sights: string[] = [];

/** As a sender sees it whose resolver caches: whether the set is secure, and matches what the host presents. */
async function see(): Promise<void> {
  const { values, authentic } = await resolver.lookup(name, 'TLSA');
  const { result } = await probeSmtp({ host, address: at.mx, ehloName: 'test.example', timeoutMs: 10_000 });
  const chain = result.outcome === 'Tls' ? result.chain.map(({ pem }) => pem) : [];
  const { verdict } = verifyDane({ records: values, chain, names: [host, zone], now: clock.now() });
  sights.push(authentic ? verdict : `not secure: ${result.outcome}, ${values.join(' | ')}`);
}

async function lookUntil(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const look = async (): Promise<boolean> => {
    await reconcileExchanger(world, 'mail', 'mx');
    await see();
    const so = await isSo();
    await mount();
    await see();
    return so;
  };
  await waitFor(what, look, { everyMs: 200, timeoutMs: 90_000 }).catch((error: unknown) => {
    throw new Error(`${what}: ${JSON.stringify(exchanger()?.status)}`, { cause: error });
  });
}

test('a host with DANE by hand is taken over, and a sender that insists on DANE defers nothing', async () => {
  const deliveries: Delivery[] = [];
  const stop = new AbortController();
  const mail = (async (): Promise<void> => {
    for (let count = 0; !stop.signal.aborted; count += 1) {
      deliveries.push(await sender.send({ from: 'a@sender.test', to: `m${count}@${zone}`, subject: 'x' }));
      await wait(50);
    }
  })();
  try {
    await lookUntil('the delivery is blocked', () => condition('Deployed')?.reason === 'TLSAMismatch');
    expect(await published()).toEqual(foreign);
    expect(secret()).toBeUndefined();

    const bare = exchanger();
    if (bare === undefined) throw new Error('there is no exchanger');
    const annotations = { 'mailseal.dev/adopt': `${name} TLSA` };
    await kube.replace({ ...bare, metadata: { ...bare.metadata, annotations } });
    await lookUntil('the union stands', async () => (await published()).length === 4);
    const united = clock.now();
    expect(await published()).toEqual([...foreign, ...(await ours())].sort());
    expect(secret()).toBeUndefined();

    await lookUntil('our key is delivered', () => secret() !== undefined);
    const delivered = clock.now();
    expect(delivered - united).toBeGreaterThanOrEqual(2 * byHandTtl * 1000);
    expect(await published()).toEqual([...foreign, ...(await ours())].sort());

    await lookUntil('the former values are dropped', async () => (await published()).length === 2);
    expect(clock.now() - delivered).toBeGreaterThanOrEqual(2 * 2 * 1000);
    expect(await published()).toEqual([...(await ours())].sort());
    expect(text('tls.key')).not.toBe(byHand.key);
    const before = deliveries.length;
    await lookUntil('it is ready', () => condition('Ready')?.status === 'True');
    await lookUntil('mail went by the new set alone', () => deliveries.length > before + 5);
  } finally {
    stop.abort();
    await mail;
  }
  expect(deliveries.filter(({ status, verified }) => status !== 'sent' || !verified)).toEqual([]);
  expect(deliveries.length).toBeGreaterThan(20);
  expect(new Set(sights)).toEqual(new Set(['Match']));
}, 240_000);
