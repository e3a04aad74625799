import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  agentName,
  attestationDataKey,
  attestationLabel,
  exchangerLabel,
  formatAttestation,
} from '../../src/api/attestation.ts';
import { apiVersion, type MailDomain, type MailExchanger } from '../../src/api/types.ts';
import { KubeError } from '../../src/kube/error.ts';
import type { KubeObject } from '../../src/kube/types.ts';
import { createLog, type Log } from '../../src/log.ts';
import { type Caches, createCaches } from '../../src/reconcile/caches.ts';
import { createFakeKube, type FakeKube } from '../fakes/kube.ts';

let kube: FakeKube;
let caches: Caches;
let told: string[];
let log: Log;

function create(): Caches {
  const tell = (what: string) => (name: string) => void told.push(`${what} ${name}`);
  return createCaches({
    kube,
    namespace: 'mailseal',
    tenantNamespaces: ['mail'],
    policyService: 'policy',
    policySelector: 'component=policy',
    notify: {
      domain: tell('domain'),
      exchanger: tell('exchanger'),
      retirement: tell('retirement'),
      provider: tell('provider'),
      issuer: tell('issuer'),
      policy: () => void told.push('policy'),
    },
    log,
  });
}

function pod(name: string, phase: string): KubeObject {
  const metadata = { name, namespace: 'mailseal', labels: { component: 'policy' } };
  const status = { phase, podIP: '10.0.0.1' };
  return { apiVersion: 'v1', kind: 'Pod', metadata, status } as KubeObject;
}

beforeEach(() => {
  kube = createFakeKube();
  told = [];
  log = createLog(() => undefined);
  caches = create();
});
afterEach(() => caches.stop());

const podNames = (): readonly string[] => caches.cache.policyPods().map(({ name }) => name);

test.each([
  ['Pending', ['one']],
  ['Running', ['one']],
  ['Unknown', ['one']],
  ['Failed', []],
  ['Succeeded', []],
])('of a pod that is %s these count: %j', async (phase, want) => {
  await kube.create(pod('one', phase));
  caches.start();
  await caches.synced;
  expect(podNames()).toEqual(want);
});

test('a policy pod that is evicted is one less, and every domain hears of it', async () => {
  await kube.create(pod('one', 'Running'));
  await kube.create(pod('two', 'Running'));
  caches.start();
  await caches.synced;
  await expect.poll(() => caches.problems()).toEqual([]);
  told = [];
  const now = await kube.get<KubeObject>({ apiVersion: 'v1', kind: 'Pod', namespace: 'mailseal', name: 'one' });
  await kube.replace({ ...pod('one', 'Failed'), metadata: now?.metadata ?? { name: 'one' } });
  await expect.poll(podNames).toEqual(['two']);
  expect(told).toEqual(['policy']);
});

test.each([
  ['MailDomain', 'maildomains may be listed but not watched'],
  ['Pod', 'pods may be listed but not watched'],
  // Of a tenant's namespace: it must not make the operator restart for everybody.
  ['ConfigMap', undefined],
])('a watch of %s that is denied, where a list is allowed: %s', async (kind, want) => {
  kube.setFault((call) => {
    if (call.verb === 'watch' && call.kind === kind) throw new KubeError(403, 'Forbidden', 'cannot watch');
  });
  caches.start();
  await caches.synced;
  await expect.poll(() => caches.problems()).toEqual([expect.stringContaining('grant the verb watch')]);
  if (want === undefined) expect(caches.watchDenied()).toBeUndefined();
  else expect(caches.watchDenied()).toContain(want);
});

test('a domain hears of its exchanger when that looks different to it, and not of every word', async () => {
  const metadata = { name: 'mx', namespace: 'mail' };
  const exchanger = await kube.create<MailExchanger>({
    apiVersion,
    kind: 'MailExchanger',
    metadata,
    spec: { hosts: ['mx.example.com'] },
  });
  const spec = { domain: 'example.com', exchangerRefs: [{ name: 'mx' }] };
  await kube.create<MailDomain>({ apiVersion, kind: 'MailDomain', metadata, spec });
  caches.start();
  await caches.synced;
  const say = async (secretName: string, reason: 'Waiting' | 'Ready'): Promise<void> => {
    told = [];
    const time = '2026-11-22T00:00:00Z';
    const ready = { type: 'Ready', status: reason === 'Ready' ? 'True' : 'False', reason, message: reason } as const;
    const conditions = [{ ...ready, lastTransitionTime: time, observedGeneration: 1 }];
    const status = { secretName, observedGeneration: exchanger.metadata.generation ?? 0, conditions };
    const options = { fieldManager: 'test', subresource: 'status' } as const;
    await kube.apply({ apiVersion, kind: 'MailExchanger', metadata, status } as unknown as MailExchanger, options);
    await expect.poll(() => caches.cache.exchanger('mail', 'mx')?.status?.secretName).toBe(secretName);
  };
  await say('one', 'Waiting');
  expect(told).toEqual(['domain mail/mx']);
  await say('two', 'Waiting');
  expect(told).toEqual([]);
  await say('three', 'Ready');
  expect(told).toEqual(['domain mail/mx']);
});

describe('what an agent attests', () => {
  const host = 'mx1.example.com';
  const good = { host, at: Date.UTC(2026, 10, 22), error: 'the mail server is down' };
  const labels = { [attestationLabel]: 'true', [exchangerLabel]: 'mx' };
  const report = (change: { readonly name?: string; readonly namespace?: string; readonly text?: string }) => {
    const { name = agentName(host), namespace = 'mail', text = formatAttestation(good) } = change;
    const data = { [attestationDataKey]: text };
    return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace, labels }, data } as KubeObject;
  };
  const evil = '\u001b[31m\n{"level":"error"}';

  test.each<readonly [string, Parameters<typeof report>[0], boolean]>([
    ['of its own host counts', {}, true],
    ['of another host does not count: that has an agent of its own', { name: agentName('mx2.example.com') }, false],
    ['under a name that was made by hand does not count', { name: 'mailseal-agent-x' }, false],
    ['in a namespace that is no tenant’s does not count', { namespace: 'elsewhere' }, false],
    ['that is no JSON does not count', { text: evil }, false],
    ['of a host that forges lines does not count', { text: formatAttestation({ ...good, host: `mx1${evil}` }) }, false],
    ['of a megabyte does not count', { text: formatAttestation({ ...good, error: 'x'.repeat(1_000_000) }) }, false],
    ['that is deep does not count', { text: '['.repeat(100_000) }, false],
  ])('%s', async (_, change, counts) => {
    const lines: string[] = [];
    log = createLog((line) => void lines.push(line));
    caches = create();
    await kube.create(report(change));
    caches.start();
    await caches.synced;
    expect(caches.cache.attestation('mail', 'mx', host)?.error).toBe(counts ? good.error : undefined);
    expect(lines.every((line) => line.length < 3000 && /^[^\p{Cc}]+\n$/u.test(line))).toBe(true);
  });
});
