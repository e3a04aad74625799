/** `npm run prove -- kube-faults` runs many such rounds. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createKube, type KubeClient } from '../../src/kube/client.ts';
import { loadKubeConfig } from '../../src/kube/config.ts';
import { type ControlPlane, startControlPlane } from '../lab/controlplane.ts';
import { leaseRound, reflectorRound } from './chaos.ts';

let dir: string;
let plane: ControlPlane;
let direct: KubeClient;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'mailseal-chaos-'));
  plane = await startControlPlane({ dir });
  direct = createKube(await loadKubeConfig({ from: 'file', file: plane.kubeconfig }), { userAgent: 'test' });
});

afterAll(async () => {
  direct?.close();
  await plane?.stop();
  rmSync(dir, { recursive: true, force: true });
});

test('a cache behind faults of every kind ends in the truth', async () => {
  const figures = await reflectorRound({ direct, upstream: plane, name: 'chaos', seed: 1 });
  expect(figures['faults']).toBeGreaterThan(0);
});

test('of three candidates whose ways to the API fail by turns never two lead', async () => {
  const figures = await leaseRound({ upstream: plane, name: 'chaos', seed: 1 }, 8);
  expect(figures['takeovers']).toBeGreaterThan(1);
});
