/**
 * HTTP-01: looks at a MailDomain with the API in memory and all else real: BIND holds the zone, Unbound shows it, two
 * policy servers answer at port 80, and Pebble asks them.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock as clock } from '../../src/clock.ts';
import type { SecretObject } from '../../src/kube/types.ts';
import { createLog } from '../../src/log.ts';
import { createResolver, type TestedResolver } from '../../src/observe/dns/resolver.ts';
import { parseChain } from '../../src/pki/certificate.ts';
import type { DomainState, HttpAuthorization } from '../../src/plan/state.ts';
import { reconcileDomain } from '../../src/reconcile/domain.ts';
import { reconcileExchanger } from '../../src/reconcile/exchanger.ts';
import { type PolicyServer, startPolicyServer } from '../../src/server/policy-server.ts';
import type { World } from '../../src/world.ts';
import { type Bind, startBind } from '../lab/dns.ts';
import { startUnbound, type Unbound } from '../lab/dns-unbound.ts';
import { addAddress, newFolder } from '../lab/namespace.ts';
import { type Pebble, startPebble } from '../lab/pebble.ts';
import { waitFor } from '../lab/process.ts';
import { toolPath } from '../lab/tools.ts';
import { mountSecret } from '../server/volume.ts';
import { createLabObjects, createLabWorld } from './lab-world.ts';

const at = { ns1: '10.53.28.1', ns2: '10.53.28.2', resolver: '10.53.28.3', pebble: '10.53.28.5' };
const podAddresses = ['10.53.28.11', '10.53.28.12'];
const zone = 'example.test';
const host = `mta-sts.${zone}`;
const dir = newFolder('http01');
const objects = createLabObjects(podAddresses);
const { one } = objects;
let bind: Bind;
let unbound: Unbound;
let pebble: Pebble;
let resolver: TestedResolver;
let pods: readonly PolicyServer[];
let world: World;
/** Addresses of pods whose volumes are stuck. */
const stuck = new Set<string>();

const folderOf = (address: string): string => join(dir, address);

/** What kubelets do: a changed shard turns up in the volumes. */
function mount(): void {
  const secret = one<SecretObject>('Secret', 'shard-0');
  if (secret === undefined) return;
  const files = Object.entries(secret.data ?? {}).map(([name, value]) => [name, Buffer.from(value, 'base64')] as const);
  for (const address of podAddresses)
    if (!stuck.has(address)) mountSecret(join(folderOf(address), '0'), Object.fromEntries(files));
}

async function give(): Promise<void> {
  const acme = { server: pebble.directoryUrl, caBundle: readFileSync(pebble.caFile, 'utf8') };
  const hosts = { hosts: [`mx1.${zone}`], certificate: { issuerRef: { name: 'ca' }, secretName: 'mx-tls' } };
  const domain = { domain: zone, exchangerRefs: [{ name: 'mx' }], mtaSts: { issuerRef: { name: 'ca' } } };
  await objects.make('CertificateIssuer', 'ca', { acme: { ...acme, challenge: 'HTTP01' } });
  await objects.make('MailExchanger', 'mx', hosts, 'mail');
  await objects.make('MailDomain', 'example', domain, 'mail');
  await objects.grantZone(zone, at.ns1, bind.tsig);
}

beforeAll(async () => {
  for (const address of [...Object.values(at), ...podAddresses]) await addAddress(address);
  const zones = [{ name: zone, records: `@ MX 10 mx1\nmx1 A 10.53.28.20` }];
  bind = await startBind({ dir: `${dir}/bind`, primary: { v4: at.ns1 }, secondary: { v4: at.ns2 }, zones });
  unbound = await startUnbound({
    dir: `${dir}/unbound`,
    addresses: [at.resolver],
    trustAnchors: bind.trustAnchors,
    stubs: [{ zone: 'test', servers: [at.ns1, at.ns2] }],
  });
  const binary = toolPath('pebble');
  pebble = await startPebble({ dir: `${dir}/pebble`, binary, address: at.pebble, dnsServer: at.resolver });
  resolver = createResolver({ view: 'outside', servers: [`udp://${at.resolver}:53`] });
  const log = createLog(() => undefined, 'error', clock);
  pods = await Promise.all(
    podAddresses.map((address) => {
      mkdirSync(join(folderOf(address), '0'), { recursive: true });
      const limits = { lameDuckMs: 0, drainMs: 500, pollMs: 200 };
      const httpsAddress = `${address}:443`;
      const [httpAddress, challengeAddress] = [`${address}:9090`, `${address}:80`];
      const addresses = { httpsAddress, httpAddress, challengeAddress };
      return startPolicyServer({ shardsDir: folderOf(address), ...addresses, log, clock, limits });
    }),
  );
  await give();
  const flags = ['--policy-port=443', '--challenge-port=80', '--shards=1', '--shard-secret-prefix=shard-'];
  world = createLabWorld(objects, {
    id: 'http01-lab',
    outside: resolver,
    flags: [...flags, '--allow-addresses=10.53.28.0/24'],
  });
});
afterAll(async () => {
  await Promise.all((pods ?? []).map((pod) => pod.close()));
  resolver?.close();
  await pebble?.stop();
  await unbound?.stop();
  await bind?.stop();
});

const stateOf = async (): Promise<DomainState | undefined> =>
  (await world.store.load('domain', zone, clock.now()))?.state;
const told = (): boolean => pebble.requests().some((request) => request.includes('/chalZ/'));

/** Looks, with what kubelets do in between, until it is so. */
async function lookUntil(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const look = async (): Promise<boolean> => {
    await reconcileDomain(world, 'mail', 'example');
    mount();
    return isSo();
  };
  await waitFor(what, look, { everyMs: 200, timeoutMs: 60_000 });
}

const txtEver = (): boolean => readFileSync(`${dir}/bind/primary/update.log`, 'utf8').includes('_acme-challenge');

describe('the policy host', () => {
  test('is not proven while one pod does not answer', async () => {
    const [first = '', second = ''] = podAddresses;
    stuck.add(second);
    const ask = (address: string, token: string) => world.challenges.ask({ host, address, port: 80, token });
    let proof: HttpAuthorization | undefined;
    await lookUntil('the other pod answers', async () => {
      proof = (await stateOf())?.order?.http?.[0];
      return proof !== undefined && 'answer' in (await ask(first, proof.token));
    });
    let looks = 0;
    await lookUntil('it is looked at again and again', () => ++looks > 5);
    expect(await ask(first, proof?.token ?? '')).toEqual({ answer: proof?.keyAuthorization });
    expect(await ask(second, proof?.token ?? '')).toEqual({ problem: 'answers 404, not 200' });
    expect(told()).toBe(false);
  });

  test('gets its certificate when all of them answer, and no TXT record is written for it', async () => {
    stuck.clear();
    await lookUntil('there is a certificate', async () => (await stateOf())?.certificate !== undefined);
    expect(told()).toBe(true);
    const state = await stateOf();
    expect(parseChain(state?.certificate?.chain ?? '')[0]?.names).toEqual([host]);
    expect(readFileSync(pebble.part.log, 'utf8')).toMatch(new RegExp(`http://${host}.*acme-challenge`, 'u'));
    expect(txtEver()).toBe(false);
  });

  test('answers the CA no longer, and serves its policy with that certificate', async () => {
    const entry = () => world.shards.read(host);
    await lookUntil('the answers are gone', async () => {
      const now = await entry();
      return now?.certificate !== null && now?.http01 === undefined && now?.policy !== null;
    });
    expect((await stateOf())?.order).toBeUndefined();
  });
});

test('an MX host is proven in the DNS, whatever the issuer says', async () => {
  const look = async (): Promise<boolean> => {
    await reconcileExchanger(world, 'mail', 'mx');
    return (await world.store.load('exchanger', 'mail/mx', clock.now()))?.state.certificate !== undefined;
  };
  await waitFor('the MX host has its certificate', look, { everyMs: 200, timeoutMs: 60_000 });
  expect(txtEver()).toBe(true);
});
