import { expect, test } from 'vitest';
import { createRest } from '../../src/cli/rest.ts';

/** The questions, from 0, at which memory is given back. */
function collectedAt(looks: readonly number[]): readonly number[] {
  const collected: number[] = [];
  let question = 0;
  const ask = createRest(() => void collected.push(question));
  for (const count of looks) {
    ask(count);
    question += 1;
  }
  return collected;
}

const calm = (looks: number, intervals: number): readonly number[] => Array.from({ length: intervals }, () => looks);

test.each<readonly [string, readonly number[], readonly number[]]>([
  ['after a burst, and not while it lasts', [0, 900, 4000, 8000, 8010, 8010, 8010], [4]],
  ['once more when what was kept for a minute is forgotten', [0, 900, ...calm(910, 40)], [2, 21]],
  ['after each of two bursts', [1000, 1000, 3000, 3010, 3010], [1, 3]],
  ['never where little goes on', [3, 6, 9, 12, 15], []],
  ['never for the looks of thousands of objects at rest', Array.from({ length: 100 }, (_, n) => n * 28), []],
  ['after a start with all objects at once, all looked at before the first question', [5000, 5000], [1]],
])('memory is given back %s', (_, looks, expected) => {
  expect(collectedAt(looks)).toEqual(expected);
});
