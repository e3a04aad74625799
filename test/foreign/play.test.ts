/** A sample of `npm run prove -- foreign-records`, and what it rests on. */
import { expect, test } from 'vitest';
import { edited } from '../observer/mutants.ts';
import { inMemory, playMany, seedsFrom } from './campaign.ts';
import { mutants } from './mutants.ts';
import { told } from './play.ts';
import { drawSequence } from './steps.ts';

test('in some hundred sequences no record of others is written over, and all comes to rest', async () => {
  const { failed, sequences, writes } = await playMany(seedsFrom(1, 250), inMemory);
  expect(failed.map(told)).toEqual([]);
  expect(writes).toBeGreaterThan(sequences);
}, 180_000);

test('a number stands for one sequence', () => {
  expect(drawSequence(17)).toEqual(drawSequence(17));
  expect(drawSequence(17)).not.toEqual({ ...drawSequence(18), seed: 17 });
});

test.each(mutants.map(({ defect, edits }) => [defect, edits] as const))(
  'the mutant in which %s is still made of what the program says',
  (_, edits) => {
    expect(edited(edits).size).toBe(new Set(edits.map(({ file }) => file)).size);
  },
);
