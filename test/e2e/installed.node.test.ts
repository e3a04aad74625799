/** One installed lab, in which the scenes follow each other: each finds what the ones before it left. */
import { afterAll, beforeAll, describe } from 'vitest';
import { badInputs } from './bad-inputs.ts';
import { changes } from './changes.ts';
import { crashes } from './crashes.ts';
import { deletion } from './deletion.ts';
import { firstLight } from './first-light.ts';
import { steady } from './steady.ts';
import { visitor } from './visitor.ts';
import { startWorld, type World } from './world.ts';

let world: World;
const given = (): World => world;

beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world?.stop());

describe('first light', () => firstLight(given));
describe('a world that stays as it is', () => steady(given));
describe('an operator that is killed', () => crashes(given));
describe('a world that changes', () => changes(given));
describe('the demo in an existing cluster', () => visitor(given));
describe('first bad inputs', () => badInputs(given));
describe('deletion', () => deletion(given));
