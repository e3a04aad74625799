import { expect, test } from 'vitest';
import { newFolder } from '../lab/namespace.ts';
import { playTable } from './table/play.ts';

test('an operator survives a sample of the faults that `npm run prove -- faults` plays', async () => {
  const said: string[] = [];
  const say = (line: string): void => void said.push(line);
  const played = await playTable({ dir: newFolder('table'), quick: true, lanes: 1, say });
  expect(
    played.filter(({ problems }) => problems.length > 0),
    said.join('\n'),
  ).toEqual([]);
}, 240_000);
