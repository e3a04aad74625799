import { expect, test } from 'vitest';
import { newFolder } from '../lab/namespace.ts';
import { runCampaign } from './campaign.ts';

test('an operator that is killed around some of its writes ends where an undisturbed one does', async () => {
  const said: string[] = [];
  const say = (line: string): void => void said.push(line);
  const { shortcomings } = await runCampaign({ dir: newFolder('faults'), sample: 1, lanes: 2, say });
  expect(shortcomings, said.join('\n')).toEqual([]);
}, 400_000);
