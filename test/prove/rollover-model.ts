import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { longCases, shortCases } from '../dane/model/cases.ts';
import { type Explored, explore, type Model } from '../dane/model/explore.ts';
import { keysModel } from '../dane/model/keys-model.ts';
import { mutants } from '../dane/model/mutants.ts';
import { certificateModel } from '../plan/certificate-model.ts';
import { certificateMutants } from '../plan/certificate-mutants.ts';
import { runWorlds } from '../dane/rollover-model.ts';

const batch = 500;

/**
 * Every state of each bounded case, which must break nothing; every mutant, which must; and then thirty thousand random
 * worlds, each with its own weather.
 */
export async function proveRolloverModel(quick: boolean): Promise<Readonly<Record<string, number>>> {
  const started = performance.now();
  const explored = { cases: 0, states: 0, transitions: 0 };
  for (const bounds of quick ? shortCases : [...shortCases, ...longCases]) {
    const { states, transitions } = exploreWhole(bounds.name, keysModel(bounds));
    explored.cases += 1;
    explored.states += states;
    explored.transitions += transitions;
    await setImmediate();
  }
  const certificates = exploreWhole('certificates', certificateModel());
  for (const { defect, breaks, machine, in: bounds } of mutants)
    expectCaught(defect, breaks, keysModel(bounds, machine));
  for (const { defect, breaks, machine } of certificateMutants) expectCaught(defect, breaks, certificateModel(machine));
  const sum = await randomWorlds(quick ? 1000 : 30_000);
  const defects = mutants.length + certificateMutants.length;
  return {
    ...explored,
    ofCertificates: certificates.states,
    mutants: defects,
    ...sum,
    seconds: Math.round((performance.now() - started) / 1000),
  };
}

function exploreWhole<W>(name: string, model: Model<W>): Explored {
  const found = explore(model);
  const { states, transitions, depth, broken, whole } = found;
  process.stderr.write(`${name}: ${states} states, ${transitions} transitions, at most ${depth} steps\n`);
  assert(broken === undefined, `${name}: ${broken?.what}\n${broken?.trace.join('\n')}`);
  assert(whole, `${name}: not all states were visited`);
  return found;
}

function expectCaught<W>(defect: string, breaks: string, model: Model<W>): void {
  const { broken } = explore(model);
  assert(broken?.what.startsWith(`${breaks}: `), `not caught: ${defect}; what was found is ${broken?.what}`);
  process.stderr.write(`caught: ${defect}\n`);
}

async function randomWorlds(wanted: number): Promise<Readonly<Record<string, number>>> {
  const sum = { worlds: 0, steps: 0, rotations: 0, restores: 0 };
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
  return sum;
}
