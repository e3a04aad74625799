import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { runWorlds } from '../dane/rollover-model.ts';

const batch = 500;

/** Thirty thousand worlds, or a thousand, each with its own weather. */
export async function proveRolloverModel(quick: boolean): Promise<Readonly<Record<string, number>>> {
  const started = performance.now();
  const sum = { worlds: 0, steps: 0, rotations: 0, restores: 0 };
  const wanted = quick ? 1000 : 30_000;
  while (sum.worlds < wanted) {
    const { worlds, ticks, rotations, restores } = runWorlds(batch);
    sum.worlds += worlds;
    sum.steps += ticks;
    sum.rotations += rotations;
    sum.restores += restores;
    process.stderr.write(`${sum.worlds} of ${wanted} worlds, ${sum.rotations} rotations, ${sum.restores} restores\n`);
    await setImmediate();
  }
  assert(sum.rotations > sum.worlds / 2, 'too few rotations ended for this to prove anything');
  return { ...sum, seconds: Math.round((performance.now() - started) / 1000) };
}
