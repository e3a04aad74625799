import { afterAll, beforeAll, expect, test } from 'vitest';
import { domainOf, startGround } from '../faults/ground.ts';
import { type Ground, type Lane, startLane } from '../faults/lane.ts';
import { newFolder } from '../lab/namespace.ts';
import { playTrial } from './play.ts';
import { scenarios } from './scenarios.ts';

let ground: (Ground & { readonly stop: () => Promise<void> }) | undefined;
let lane: Lane | undefined;

beforeAll(async () => {
  ground = await startGround(newFolder('observer'), { lanes: 1, runs: 3 });
  lane = await startLane(ground, 0);
});
afterAll(async () => {
  await lane?.stop();
  await ground?.stop();
});

test('the observer has nothing to say of a domain that comes, changes and rests', async () => {
  if (ground === undefined || lane === undefined) throw new Error('the lab did not start');
  const trial = { scenario: scenarios['spec-change'], index: 0, domain: domainOf(0, 0) };
  expect(await playTrial(ground, lane, trial)).toEqual([]);
});
