import { expect, test } from 'vitest';
import { newer } from '../faults/table/midway.ts';
import { type Edit, edited, mutants } from './mutants.ts';

test.each<readonly [string, readonly Edit[]]>([
  ...mutants.map(({ invariant, edits }) => [`the mutant that breaks ${invariant}`, edits] as const),
  ['the version that is to come', newer],
])('%s is still made of what the program says', (_, edits) => {
  const files = new Set(edits.map(({ file }) => file));
  expect(edited(edits).size).toBe(files.size);
});
