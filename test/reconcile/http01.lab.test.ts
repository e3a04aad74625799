/**
 * HTTP-01: looks at a MailDomain with the API in memory and all else real: BIND holds the zone, Unbound shows it, two
 * policy servers answer at port 80, and Pebble asks them.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { apiVersion } from '../../src/api/types.ts';
import { systemClock as clock } from '../../src/clock.ts';
import { operatorConfig } from '../../src/config.ts';
import type { KubeObject, SecretObject } from '../../src/kube/types.ts';
import { createLog } from '../../src/log.ts';
import { createMetrics } from '../../src/metrics.ts';
import { createResolver, type TestedResolver } from '../../src/observe/dns/resolver.ts';
import { parseChain } from '../../src/pki/certificate.ts';
import type { DomainState, HttpAuthorization } from '../../src/plan/state.ts';
import { reconcileDomain } from '../../src/reconcile/domain.ts';
import { reconcileExchanger } from '../../src/reconcile/exchanger.ts';
import { createWorld } from '../../src/reconcile/world.ts';
import { type PolicyServer, startPolicyServer } from '../../src/server/policy-server.ts';
import type { Cache, World } from '../../src/world.ts';
import { createFakeKube } from '../fakes/kube.ts';
import { type Bind, startBind } from '../lab/dns.ts';
import { startUnbound, type Unbound } from '../lab/dns-unbound.ts';
import { addAddress, newFolder } from '../lab/namespace.ts';
import { type Pebble, startPebble } from '../lab/pebble.ts';
import { waitFor } from '../lab/process.ts';
import { toolPath } from '../lab/tools.ts';
import { mountSecret } from '../server/volume.ts';

const at = { ns1: '10.53.28.1', ns2: '10.53.28.2', resolver: '10.53.28.3', pebble: '10.53.28.5' };
const podAddresses = ['10.53.28.11', '10.53.28.12'];
const zone = 'example.test';
const host = `mta-sts.${zone}`;
const operator = 'mailseal';
const dir = newFolder('http01');
const kube = createFakeKube(clock);
let bind: Bind;
let unbound: Unbound;
let pebble: Pebble;
let resolver: TestedResolver;
let pods: readonly PolicyServer[];
let world: World;
/** Addresses of pods whose volumes are stuck. */
const stuck = new Set<string>();

const all = <T extends KubeObject>(kind: string): readonly T[] =>
  kube.dump().filter((object): object is T => object.kind === kind);
const one = <T extends KubeObject>(kind: string, name: string): T | undefined =>
  all<T>(kind).find(({ metadata }) => metadata.name === name);
const cache: Cache = {
  domain: (_, name) => one('MailDomain', name),
  exchanger: (_, name) => one('MailExchanger', name),
  retirement: (name) => one('Retirement', name),
  retirements: () => all('Retirement'),
  domains: () => all('MailDomain'),
  exchangers: () => all('MailExchanger'),
  providers: () => all('DNSProvider'),
  issuers: () => all('CertificateIssuer'),
  policyPods: () => podAddresses.map((ip, index) => ({ name: `policy-${index}`, uid: ip, ip })),
  policyAddresses: () => ({ ipv4: podAddresses, ipv6: [] }),
  attestation: () => undefined,
};

const folderOf = (address: string): string => join(dir, address);

/** What kubelets do: a changed shard turns up in the volumes. */
function mount(): void {
  const secret = one<SecretObject>('Secret', 'shard-0');
  if (secret === undefined) return;
  const files = Object.entries(secret.data ?? {}).map(([name, value]) => [name, Buffer.from(value, 'base64')] as const);
  for (const address of podAddresses)
    if (!stuck.has(address)) mountSecret(join(folderOf(address), '0'), Object.fromEntries(files));
}

async function objects(): Promise<void> {
  const acme = { server: pebble.directoryUrl, caBundle: readFileSync(pebble.caFile, 'utf8') };
  const hosts = { hosts: [`mx1.${zone}`], certificate: { issuerRef: { name: 'ca' }, secretName: 'mx-tls' } };
  const domain = { domain: zone, exchangerRefs: [{ name: 'mx' }], mtaSts: { issuerRef: { name: 'ca' } } };
  const server = { server: at.ns1, tsigKeyName: bind.tsig.name };
  const made = (kind: string, name: string, namespace: string | undefined, spec: object): Promise<KubeObject> =>
    kube.create({ apiVersion, kind, metadata: { name, ...(namespace && { namespace }) }, spec } as KubeObject);
  await made('CertificateIssuer', 'ca', undefined, { acme: { ...acme, challenge: 'HTTP01' } });
  await made('MailExchanger', 'mx', 'mail', hosts);
  await made('MailDomain', 'example', 'mail', domain);
  const grant = { zones: [zone], allowedNamespaces: { names: ['mail'] }, credentialsSecretRef: { name: 'tsig' } };
  await made('DNSProvider', 'main', undefined, { ...grant, rfc2136: server });
  await kube.create<SecretObject>({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'tsig', namespace: operator },
    data: { 'tsig-secret': Buffer.from(bind.tsig.secret).toString('base64') },
  });
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
  await objects();
  const flags = [`--namespace=${operator}`, '--policy-port=443', '--challenge-port=80', '--shards=1'];
  const config = operatorConfig([...flags, '--shard-secret-prefix=shard-', '--allow-addresses=10.53.28.0/24']);
  world = createWorld({
    config,
    clock,
    log,
    metrics: createMetrics(),
    kube,
    mayWrite: () => true,
    cache,
    outside: resolver,
    inside: undefined,
    installationId: 'http01-lab',
    events: { record: async () => undefined },
    onShardRebuilt: () => undefined,
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
