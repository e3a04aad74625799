import { expect, test } from 'vitest';
import { newFolder } from '../lab/namespace.ts';
import { hunt } from './hunt.ts';

test('the observer names what two seeded defects break, and has nothing to say of the program without them', async () => {
  const said: string[] = [];
  const say = (line: string): void => void said.push(line);
  const hunted = await hunt({ dir: newFolder('observer'), only: 'I1,I7', quick: false, lanes: 1, say });
  expect(
    hunted.map(({ invariant, caught, control }) => [invariant, caught !== undefined, control]),
    said.join('\n'),
  ).toEqual([
    ['I1', true, []],
    ['I7', true, []],
  ]);
}, 240_000);
