import { expect, test } from 'vitest';
import { chosenStates } from './play.ts';

const labels = (choice: Parameters<typeof chosenStates>[0]): readonly string[] =>
  chosenStates(choice).map(({ label }) => label);

test('a state is chosen by how its words begin', () => {
  expect(labels({ only: 'announces' })).toEqual(['steady']);
  expect(labels({})).toContain('suspended');
});

test('a quick choice is a sample of all', () => {
  const quick = labels({ quick: true });
  expect(labels({})).toEqual(expect.arrayContaining([...quick]));
  expect(quick.length).toBeLessThan(labels({}).length);
});

test.each([
  ['a word that begins none', { only: 'anounces' }],
  ['one that is not of the sample', { quick: true, only: 'is suspended' }],
])('%s proves nothing, and is refused', (_, choice) => {
  expect(() => chosenStates(choice)).toThrow(/there is no state whose words begin with/u);
});
