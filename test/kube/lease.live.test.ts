import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createKube, type KubeClient } from '../../src/kube/client.ts';
import { loadKubeConfig } from '../../src/kube/config.ts';
import { createEventRecorder } from '../../src/kube/events.ts';
import { addFinalizer, removeFinalizer } from '../../src/kube/finalizers.ts';
import { createElection, type Election } from '../../src/kube/lease.ts';
import type { ConfigMapObject } from '../../src/kube/types.ts';
import { type ControlPlane, startControlPlane } from '../lab/controlplane.ts';
import { waitFor } from '../lab/process.ts';
import { startProxy } from './proxy.ts';

let dir: string;
let plane: ControlPlane;
let kube: KubeClient;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'mailseal-lease-'));
  plane = await startControlPlane({ dir });
  kube = createKube(await loadKubeConfig({ from: 'file', file: plane.kubeconfig }), { userAgent: 'test' });
}, 120_000);

afterAll(async () => {
  kube?.close();
  await plane?.stop();
  rmSync(dir, { recursive: true, force: true });
});

interface Candidate {
  readonly election: Election;
  readonly ended: Promise<void>;
}

function candidate(through: KubeClient, name: string, identity: string, seconds: [number, number, number]): Candidate {
  const [durationSeconds, renewDeadlineSeconds, retrySeconds] = seconds;
  const election = createElection({
    kube: through,
    namespace: 'default',
    name,
    identity,
    durationSeconds,
    renewDeadlineSeconds,
    retrySeconds,
    onStarted: (signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve())),
  });
  return { election, ended: election.run() };
}

test('a leader that stops is followed within a second', async () => {
  const one = candidate(kube, 'graceful', 'one', [15, 10, 2]);
  await waitFor('one leads', one.election.isLeader);
  const two = candidate(kube, 'graceful', 'two', [15, 10, 2]);
  await waitFor('two knows', () => two.election.holder() === 'one');
  const before = performance.now();
  await one.election.stop();
  expect(one.election.isLeader()).toBe(false);
  await waitFor('two leads', two.election.isLeader, { everyMs: 5 });
  expect(performance.now() - before).toBeLessThanOrEqual(1000);
  await two.election.stop();
  await Promise.all([one.ended, two.ended]);
});

test('a leader cut off from the API gives up before another takes over, and never two lead', async () => {
  const proxy = await startProxy(plane);
  const through = createKube(proxy.access, { userAgent: 'test', timeoutSeconds: 1 });
  const one = candidate(through, 'cut-off', 'one', [3, 2, 0.4]);
  await waitFor('one leads', one.election.isLeader);
  const two = candidate(kube, 'cut-off', 'two', [3, 2, 0.4]);
  proxy.setFault(() => ({ do: 'hang' }));
  let both = 0;
  let neither = 0;
  await waitFor(
    'two leads',
    () => {
      const [first, second] = [one.election.isLeader(), two.election.isLeader()];
      if (first && second) both += 1;
      if (!first && !second) neither += 1;
      return second;
    },
    { everyMs: 5 },
  );
  expect(both).toBe(0);
  expect(neither).toBeGreaterThan(0);
  proxy.setFault(() => undefined);
  await waitFor('one sees it', () => one.election.holder() === 'two');
  await Promise.all([one.election.stop(), two.election.stop()]);
  through.close();
  await proxy.stop();
}, 30_000);

test('an Event is taken by the API server, its repetition an hour later with a count', async () => {
  const errors: unknown[] = [];
  let now = Date.now();
  const recorder = createEventRecorder({
    kube,
    controller: 'mailseal.dev/operator',
    instance: 'test',
    onError: (error) => void errors.push(error),
    clock: { now: () => now },
  });
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'example', namespace: 'default', uid: 'u' } };
  const note = { type: 'Warning', reason: 'Conflict', action: 'Reconcile', message: 'Someone else has it.' } as const;
  await recorder.record(object, note);
  await recorder.record(object, note);
  now += 3_600_000;
  await recorder.record(object, note);
  expect(errors).toEqual([]);
  const events = await kube.list({ apiVersion: 'events.k8s.io/v1', kind: 'Event', namespace: 'default' });
  const ours = events.filter(({ metadata }) => metadata.name.startsWith('example.'));
  expect(ours).toHaveLength(2);
  expect(ours).toContainEqual(expect.objectContaining({ series: expect.objectContaining({ count: 2 }) as unknown }));
});

test('a finalizer of ours comes and goes without touching those of others', async () => {
  const ours = 'mailseal.dev/retire';
  const metadata = { name: 'finalized', namespace: 'default', finalizers: ['example.com/other'] };
  const made = await kube.create<ConfigMapObject>({ apiVersion: 'v1', kind: 'ConfigMap', metadata });
  const added = await addFinalizer(kube, made, ours);
  expect(added.metadata.finalizers).toEqual(['example.com/other', ours]);
  expect(await addFinalizer(kube, added, ours)).toBe(added);
  const removed = await removeFinalizer(kube, added, ours);
  expect(removed?.metadata.finalizers).toEqual(['example.com/other']);
  expect(await removeFinalizer(kube, made, ours)).toBe(made);
  const ref = { apiVersion: 'v1', kind: 'ConfigMap', name: 'finalized', namespace: 'default' };
  await addFinalizer(kube, made, ours);
  await kube.remove(ref);
  const dying = await kube.get<ConfigMapObject>(ref);
  expect(dying?.metadata.deletionTimestamp).toBeDefined();
  await kube.replace({ ...dying, metadata: { ...dying?.metadata, finalizers: [ours] } } as ConfigMapObject);
  const last = await kube.get<ConfigMapObject>(ref);
  expect(last === undefined ? last : await removeFinalizer(kube, last, ours)).toBeUndefined();
  expect(await kube.get(ref)).toBeUndefined();
  await expect(addFinalizer(kube, made, ours)).rejects.toMatchObject({ reason: 'Conflict' });
});
