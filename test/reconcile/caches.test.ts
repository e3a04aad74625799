import { afterEach, beforeEach, expect, test } from 'vitest';
import { KubeError } from '../../src/kube/error.ts';
import type { KubeObject } from '../../src/kube/types.ts';
import { createLog } from '../../src/log.ts';
import { type Caches, createCaches } from '../../src/reconcile/caches.ts';
import { createFakeKube, type FakeKube } from '../fakes/kube.ts';

let kube: FakeKube;
let caches: Caches;
let told: string[];

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
    log: createLog(() => undefined),
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
