import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { createKube, type KubeClient } from '../../src/kube/client.ts';
import { loadKubeConfig } from '../../src/kube/config.ts';
import { hasReason } from '../../src/kube/error.ts';
import { createReflector, type Reflector } from '../../src/kube/reflector.ts';
import type { ConfigMapObject, KubeObject } from '../../src/kube/types.ts';
import { type ControlPlane, startControlPlane } from '../lab/controlplane.ts';
import { waitFor } from '../lab/process.ts';
import { type Fault, type Proxy, startProxy } from './proxy.ts';

let dir: string;
let plane: ControlPlane;
let direct: KubeClient;
let proxy: Proxy;
let through: KubeClient;
let reflector: Reflector<string>;
let told: string[];
let missed: number;
let namespace: string;
let round = 0;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'mailseal-reflector-'));
  plane = await startControlPlane({ dir });
  direct = createKube(await loadKubeConfig({ from: 'file', file: plane.kubeconfig }), { userAgent: 'test' });
}, 120_000);

afterAll(async () => {
  direct?.close();
  await plane?.stop();
  rmSync(dir, { recursive: true, force: true });
});

beforeEach(async () => {
  namespace = `reflector-${round++}`;
  const made: KubeObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } };
  await direct.create(made);
  proxy = await startProxy(plane);
  through = createKube(proxy.access, { userAgent: 'test', timeoutSeconds: 1 });
  told = [];
  missed = 0;
  reflector = createReflector<ConfigMapObject, string>({
    kube: through,
    query: { apiVersion: 'v1', kind: 'ConfigMap', namespace },
    pageSize: 3,
    silenceSeconds: 3,
    relistSeconds: [4, 6],
    select: (object) => object.data?.['value'],
    onChange: (key, entry) => void told.push(`${key.split('/')[1]}=${entry ?? ''}`),
    onMissed: (count) => {
      missed += count;
    },
  });
});

afterEach(async () => {
  await reflector.stop();
  through.close();
  await proxy.stop();
});

async function put(name: string, value: string): Promise<void> {
  const object: ConfigMapObject = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace },
    data: { value },
  };
  await direct.apply(object, { fieldManager: 'test' });
}

function remove(name: string): Promise<void> {
  return direct.remove({ apiVersion: 'v1', kind: 'ConfigMap', namespace, name });
}

async function converged(): Promise<void> {
  await waitFor('the cache holds what the server holds', async () => {
    const all = await direct.list<ConfigMapObject>({ apiVersion: 'v1', kind: 'ConfigMap', namespace });
    const want = all.map((object) => `${namespace}/${object.metadata.name}=${object.data?.['value']}`);
    const have = [...reflector.entries()].map(([key, value]) => `${key}=${value}`);
    return want.sort().join() === have.sort().join();
  });
}

async function watching(): Promise<void> {
  await waitFor('the watch is open', () => reflector.problem() === undefined && proxy.openWatches() > 0);
}

test('what is listed in pages and then watched is the truth', async () => {
  for (let index = 0; index < 10; index++) await put(`m${index}`, '1');
  reflector.start();
  await reflector.synced;
  expect(reflector.size()).toBe(10);
  await watching();
  await put('m0', '2');
  await remove('m1');
  await converged();
  expect(told.slice(10)).toEqual(['m0=2', 'm1=']);
  expect(proxy.seen.filter(({ path }) => path.includes('limit=3'))).toHaveLength(4);
});

test('a server set to 429 and 500 for a while is waited for', async () => {
  let refused = 0;
  proxy.setFault(() => (refused++ < 9 ? { do: 'answer', status: refused % 2 === 0 ? 500 : 429 } : undefined));
  reflector.start();
  await put('a', '1');
  await reflector.synced;
  await converged();
}, 30_000);

test.each<[string, () => void]>([
  ['is cut', () => proxy.cutWatches()],
  ['goes silent while its connection stands', () => proxy.freezeWatches()],
])(
  'nothing is lost when a watch %s',
  async (_, harm) => {
    await put('a', '1');
    reflector.start();
    await reflector.synced;
    await watching();
    harm();
    await put('a', '2');
    await put('b', '1');
    await converged();
  },
  30_000,
);

test('nothing is lost when the history is gone: 410', async () => {
  await put('a', '1');
  reflector.start();
  await reflector.synced;
  await watching();
  let gone = true;
  proxy.setFault((request): Fault | undefined => {
    if (!gone || !request.watch) return undefined;
    gone = false;
    return { do: 'answer', status: 410, reason: 'Expired' };
  });
  proxy.cutWatches();
  await put('b', '1');
  await remove('a');
  await converged();
  expect(gone).toBe(false);
}, 30_000);

test('dropped events are found by the next list, and counted', async () => {
  await put('a', '1');
  reflector.start();
  await reflector.synced;
  await watching();
  proxy.setLines((line) => (line.includes('"name":"a"') ? [] : [line]));
  await put('a', '2');
  await put('b', '1');
  await waitFor('the other event', () => reflector.get(`${namespace}/b`));
  expect(reflector.get(`${namespace}/a`)).toBe('1');
  await converged();
  await waitFor('a count', () => missed > 0);
}, 30_000);

test('repeated and swapped events change nothing twice and end in the truth', async () => {
  reflector.start();
  await reflector.synced;
  await watching();
  proxy.setLines((line) => [line, line]);
  for (const value of ['1', '2', '3']) await put('a', value);
  await remove('a');
  await put('b', '1');
  await converged();
  expect(told).toEqual(['a=1', 'a=2', 'a=3', 'a=', 'b=1']);
  let held: string | undefined;
  proxy.setLines((line) => {
    if (held === undefined) {
      held = line;
      return [];
    }
    const lines = [line, held];
    held = undefined;
    return lines;
  });
  for (const value of ['2', '3', '4', '5']) await put('b', value);
  await converged();
}, 30_000);

test('a right to list without the right to watch is said, and lists still come', async () => {
  const account = { namespace, name: 'lister' };
  const grant = { apiVersion: 'rbac.authorization.k8s.io/v1', metadata: { namespace, name: 'lister' } };
  const rules = [{ apiGroups: [''], resources: ['configmaps'], verbs: ['list'] }];
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'lister' };
  const subjects = [{ kind: 'ServiceAccount', ...account }];
  const parts: (KubeObject & Record<string, unknown>)[] = [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: account },
    { ...grant, kind: 'Role', rules },
    { ...grant, kind: 'RoleBinding', roleRef, subjects },
  ];
  for (const part of parts) await direct.create(part);
  const { token } = await direct.createToken(account);
  const { server } = proxy.access;
  const headers = { Authorization: `Bearer ${token}` };
  const theirs = createKube(
    { ...proxy.access, server, credentials: () => Promise.resolve({ headers, tls: {}, fingerprint: 'lister' }) },
    { userAgent: 'test' },
  );
  const errors: unknown[] = [];
  const denied = createReflector<ConfigMapObject, string>({
    kube: theirs,
    query: { apiVersion: 'v1', kind: 'ConfigMap', namespace },
    relistSeconds: [1, 1],
    select: () => 'x',
    onChange: () => undefined,
    onError: (error) => void errors.push(error),
  });
  denied.start();
  await denied.synced;
  await waitFor('it is said', () => denied.problem()?.includes('grant the verb watch'));
  expect(errors.every((error) => hasReason(error, 'Forbidden'))).toBe(true);
  await put('a', '1');
  await waitFor('it is listed', () => denied.get(`${namespace}/a`));
  await denied.stop();
  theirs.close();
}, 30_000);
