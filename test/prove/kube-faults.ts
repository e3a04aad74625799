import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createKube } from '../../src/kube/client.ts';
import { loadKubeConfig } from '../../src/kube/config.ts';
import { type ChaosRound, type Figures, leaseRound, reflectorRound } from '../kube/chaos.ts';
import { startControlPlane } from '../lab/controlplane.ts';

/** Rounds under way at once: mostly they wait. */
const atOnce = 4;

/** Fifty rounds of each kind, or four, on one control plane. */
export async function proveKubeFaults(quick: boolean): Promise<Figures> {
  const started = performance.now();
  const dir = mkdtempSync(join(tmpdir(), 'mailseal-prove-'));
  const plane = await startControlPlane({ dir });
  const access = await loadKubeConfig({ from: 'file', file: plane.kubeconfig });
  const direct = createKube(access, { userAgent: 'prove' });
  try {
    const sum: Record<string, number> = {};
    const rounds = quick ? 4 : 50;
    const todo = Array.from({ length: rounds }, (_, index) => Date.now() + index);
    const work = async (): Promise<void> => {
      for (let seed = todo.pop(); seed !== undefined; seed = todo.pop()) {
        await oneOfEach({ direct, upstream: plane, name: `round-${seed}`, seed }, sum);
        process.stderr.write(`${sum['leaseRounds']} of ${rounds} rounds\n`);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, work));
    return { ...sum, seconds: Math.round((performance.now() - started) / 1000) };
  } finally {
    direct.close();
    await plane.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function oneOfEach(round: ChaosRound, sum: Record<string, number>): Promise<void> {
  const add = (figures: Figures): void => {
    for (const [name, value] of Object.entries(figures)) sum[name] = (sum[name] ?? 0) + value;
  };
  add({ ...(await reflectorRound(round)), reflectorRounds: 1 });
  add({ ...(await leaseRound(round)), leaseRounds: 1 });
}
