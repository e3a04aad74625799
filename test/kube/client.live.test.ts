import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createKube, type KubeClient } from '../../src/kube/client.ts';
import { type KubeAccess, loadKubeConfig } from '../../src/kube/config.ts';
import type { ConfigMapObject, KubeObject } from '../../src/kube/types.ts';
import { type ControlPlane, startControlPlane } from '../lab/controlplane.ts';
import { scenarios } from './contract.ts';
import { type Fault, type Proxy, type Seen, startProxy } from './proxy.ts';

let dir: string;
let plane: ControlPlane;
let kube: KubeClient;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'mailseal-client-'));
  plane = await startControlPlane({ dir });
  kube = createKube(await loadKubeConfig({ from: 'file', file: plane.kubeconfig }), { userAgent: 'test' });
}, 120_000);

afterAll(async () => {
  kube?.close();
  await plane?.stop();
  rmSync(dir, { recursive: true, force: true });
});

function configMap(name: string, data: Record<string, string> = {}): ConfigMapObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' }, data };
}

function ref(name: string): { apiVersion: string; kind: string; name: string; namespace: string } {
  return { apiVersion: 'v1', kind: 'ConfigMap', name, namespace: 'default' };
}

describe('against the real API server', () => {
  test('an object is created, read, replaced, applied, annotated, and removed', async () => {
    expect(await kube.get(ref('one'))).toBeUndefined();
    const made = await kube.create(configMap('one', { a: '1' }));
    expect(made.metadata.uid).toMatch(/-/);
    await expect(kube.create(configMap('one'))).rejects.toMatchObject({ status: 409, reason: 'AlreadyExists' });
    const replaced = await kube.replace({ ...made, data: { a: '2' } });
    await expect(kube.replace({ ...made, data: { a: '3' } })).rejects.toMatchObject({
      status: 409,
      reason: 'Conflict',
    });
    const applied = await kube.apply(configMap('one', { b: '1' }), { fieldManager: 'mailseal/test' });
    expect(applied.data).toEqual({ a: '2', b: '1' });
    const noted = await kube.annotate(ref('one'), { 'mailseal.dev/x': 'y' });
    expect(noted?.metadata.annotations).toEqual({ 'mailseal.dev/x': 'y' });
    expect(await kube.annotate(ref('none'), { 'mailseal.dev/x': null })).toBeUndefined();
    const stale = { resourceVersion: replaced.metadata.resourceVersion ?? '' };
    await expect(kube.remove(ref('one'), stale)).rejects.toMatchObject({ reason: 'Conflict' });
    await kube.remove(ref('one'), { uid: made.metadata.uid ?? '' });
    await kube.remove(ref('one'));
    expect(await kube.get(ref('one'))).toBeUndefined();
  });

  test('what one field manager no longer applies goes away, and what another applies stays', async () => {
    await kube.apply(configMap('two', { a: '1', b: '1' }), { fieldManager: 'mailseal/a' });
    await kube.apply(configMap('two', { c: '1' }), { fieldManager: 'mailseal/b' });
    const after = await kube.apply(configMap('two', { a: '1' }), { fieldManager: 'mailseal/a' });
    expect(after.data).toEqual({ a: '1', c: '1' });
  });

  test('a list of several pages comes whole, with kind and apiVersion on each item', async () => {
    const names = Array.from({ length: 7 }, (_, index) => `page-${index}`);
    await Promise.all(
      names.map((name) =>
        kube.create({ ...configMap(name), metadata: { ...configMap(name).metadata, labels: { l: 'page' } } }),
      ),
    );
    const query = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'default', labelSelector: 'l=page' };
    expect((await kube.list(query)).map((item) => [item.kind, item.metadata.name])).toEqual(
      names.map((name) => ['ConfigMap', name]),
    );
    const first = await kube.listPage(query, { limit: 3 });
    const second = await kube.listPage(query, { limit: 3, continue: first.continue ?? '' });
    expect([...first.items, ...second.items].map((item) => item.metadata.name)).toEqual(names.slice(0, 6));
  });

  test('a service account token is made, and questions of access are answered', async () => {
    const account: KubeObject = {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'someone', namespace: 'default' },
    };
    await kube.create(account);
    const { token, expires } = await kube.createToken({ namespace: 'default', name: 'someone' });
    expect(expires).toBeGreaterThan(Date.now() + 3_000_000);
    const theirs = createKube(
      {
        ...(await access()),
        credentials: async () => ({
          ...(await (await access()).credentials()),
          headers: { Authorization: `Bearer ${token}` },
        }),
      },
      { userAgent: 'test' },
    );
    const question = { verb: 'list', group: '', resource: 'secrets', namespace: 'default' };
    expect([await kube.mayI(question), await theirs.mayI(question)]).toEqual([true, false]);
    await expect(theirs.list({ apiVersion: 'v1', kind: 'Secret' })).rejects.toMatchObject({
      status: 403,
      reason: 'Forbidden',
      message: expect.stringContaining('cannot list resource "secrets"') as string,
    });
    theirs.close();
  });

  test.each(scenarios)('$sentence', async ({ run, want }) => {
    expect(await run(kube, `contract-${scenarios.findIndex((scenario) => scenario.run === run)}`)).toEqual(want);
  });

  test('200 calls at once and 200 in a row use six connections at most', async () => {
    let connections = 0;
    const { hostname, port } = new URL(plane.server);
    const counter = createServer((socket) => {
      connections += 1;
      const onward = connect(Number(port), hostname);
      socket.pipe(onward).pipe(socket);
      socket.on('error', () => onward.destroy());
      onward.on('error', () => socket.destroy());
    });
    await new Promise<void>((resolve) => counter.listen(0, '127.0.0.1', resolve));
    const counted = await access();
    const server = new URL(`https://127.0.0.1:${(counter.address() as AddressInfo).port}`);
    const through = createKube({ ...counted, server }, { userAgent: 'test' });
    await Promise.all(Array.from({ length: 200 }, () => through.get(ref('none'))));
    for (let index = 0; index < 200; index++) await through.get(ref('none'));
    expect(connections).toBeLessThanOrEqual(6);
    through.close();
    counter.close();
  });
});

function access(): Promise<KubeAccess> {
  return loadKubeConfig({ from: 'file', file: plane.kubeconfig });
}

describe('through a proxy that misbehaves', () => {
  let proxy: Proxy;
  let codes: number[];
  let through: KubeClient;

  const setUp = async (): Promise<void> => {
    proxy = await startProxy(plane);
    codes = [];
    const onRequest = (_verb: string, _resource: string, code: number): void => void codes.push(code);
    through = createKube(proxy.access, { userAgent: 'test', timeoutSeconds: 1, onRequest });
  };

  const tearDown = async (): Promise<void> => {
    through.close();
    await proxy.stop();
  };

  const once = (fault: Fault): ((request: Seen) => Fault | undefined) => {
    let done = false;
    return () => {
      if (done) return undefined;
      done = true;
      return fault;
    };
  };

  test.each<[string, Fault, readonly number[]]>([
    ['429 without Retry-After', { do: 'answer', status: 429 }, [429, 200]],
    ['500', { do: 'answer', status: 500 }, [500, 200]],
    ['503', { do: 'answer', status: 503 }, [503, 200]],
    ['a cut connection', { do: 'drop' }, [0, 200]],
    ['a server that says nothing', { do: 'hang' }, [0, 200]],
    ['an answer lost on its way', { do: 'lose' }, [0, 200]],
  ])('reading again helps after %s', async (_, fault, want) => {
    await setUp();
    proxy.setFault(once(fault));
    await through.list({ apiVersion: 'v1', kind: 'ConfigMap', namespace: 'default' });
    expect(codes).toEqual(want);
    await tearDown();
  });

  test('a Retry-After of one second is waited for', async () => {
    await setUp();
    proxy.setFault(once({ do: 'answer', status: 429, retryAfter: 1 }));
    const before = performance.now();
    await through.list({ apiVersion: 'v1', kind: 'ConfigMap', namespace: 'default' });
    expect(performance.now() - before).toBeGreaterThanOrEqual(1000);
    await tearDown();
  });

  test('a Retry-After beyond our patience is handed to the caller at once', async () => {
    await setUp();
    proxy.setFault(once({ do: 'answer', status: 429, retryAfter: 60 }));
    await expect(through.get(ref('x'))).rejects.toMatchObject({ status: 429, retryAfterSeconds: 60 });
    expect(codes).toEqual([429]);
    await tearDown();
  });

  test.each<[string, Fault]>([
    ['whose answer was lost', { do: 'lose' }],
    ['that the server failed at', { do: 'answer', status: 500 }],
  ])('a creation %s is not repeated, and says that it may have happened', async (_, fault) => {
    await setUp();
    proxy.setFault(once(fault));
    await expect(through.create(configMap('lost'))).rejects.toMatchObject({ mayHaveActed: true });
    expect(codes).toHaveLength(1);
    await kube.remove(ref('lost'));
    await tearDown();
  });

  test('a creation that was turned away is repeated', async () => {
    await setUp();
    proxy.setFault(once({ do: 'answer', status: 429 }));
    await through.create(configMap('turned-away'));
    expect(codes).toEqual([429, 201]);
    await tearDown();
  });

  test('a server that is down for good ends in an error within seconds', async () => {
    await setUp();
    proxy.setFault(() => ({ do: 'drop' }));
    await expect(through.get(ref('x'))).rejects.toMatchObject({ status: 0, reason: 'Unreachable' });
    expect(codes).toEqual([0, 0, 0, 0]);
    await tearDown();
  });

  test('a watch reports events from its resourceVersion on, and its end when aborted', async () => {
    await setUp();
    const query = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'default' };
    const { resourceVersion } = await through.listPage(query, { limit: 500 });
    const made = await kube.create(configMap('watched'));
    const abort = new AbortController();
    const got: string[] = [];
    const watching = through.watch(query, resourceVersion, {
      signal: abort.signal,
      timeoutSeconds: 60,
      onEvent: ({ type, object }) => {
        got.push(`${type} ${object.metadata.name}`);
        if (type === 'DELETED') abort.abort();
      },
    });
    const removed = kube.remove(ref('watched'), { uid: made.metadata.uid ?? '' });
    await expect(watching).rejects.toMatchObject({ reason: 'Aborted' });
    await removed;
    expect(got).toEqual(['ADDED watched', 'DELETED watched']);
    await tearDown();
  });

  test.each<[string, Fault, object]>([
    ['410', { do: 'answer', status: 410, reason: 'Expired' }, { status: 410, reason: 'Expired' }],
    ['403', { do: 'answer', status: 403, reason: 'Forbidden' }, { status: 403, reason: 'Forbidden' }],
    ['a cut connection', { do: 'drop' }, { status: 0, reason: 'Unreachable' }],
  ])('a watch that meets %s says so and is not repeated', async (_, fault, want) => {
    await setUp();
    proxy.setFault(once(fault));
    const { signal } = new AbortController();
    const query = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'default' };
    const watching = through.watch(query, '1', { signal, timeoutSeconds: 60, onEvent: () => undefined });
    await expect(watching).rejects.toMatchObject(want);
    expect(proxy.seen).toHaveLength(1);
    await tearDown();
  });
});
