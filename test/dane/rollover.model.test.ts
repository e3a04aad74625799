import { expect, test } from 'vitest';
import { step } from '../../src/dane/rollover.ts';
import { checkI1, factsOf, hour, letTimePass, newWorld, reconcile, runWorlds, type Tick } from './rollover-model.ts';

// `npm run prove -- rollover-model` does the same for tens of thousands of worlds.
test('I1: whatever happens, every cached set holds every key that is served', { timeout: 60_000 }, () => {
  const { worlds, rotations } = runWorlds(150);
  // Else the weather was too bad to prove anything.
  expect(rotations).toBeGreaterThan(worlds / 2);
});

test('in a calm world a rotation ends, and the next one too', () => {
  const world = newWorld();
  const calm: Tick = {
    after: hour,
    wanted: 'RotateNow',
    held: false,
    dane: 'Auto',
    zone: 'Secure',
    certified: true,
    serversUpdate: [true, true],
    hostsRestart: [true, true],
    seen: [true, true],
    writesDns: true,
    writesSecret: true,
    loss: 'Nothing',
    older: 0,
  };
  for (let count = 0; count < 40; count += 1) {
    letTimePass(world, calm);
    reconcile(world, calm);
    checkI1(world);
  }
  expect(world.rotations).toBeGreaterThanOrEqual(2);
});

test('while nothing changes the state stays the same', () => {
  const world = newWorld();
  const facts = factsOf(world, {
    ...({} as Tick),
    wanted: 'Nothing',
    held: false,
    dane: 'Auto',
    zone: 'Secure',
    certified: true,
    seen: [true, true],
  });
  const first = step(world.state, facts);
  expect(step(first.state, facts)).toEqual(first);
});
