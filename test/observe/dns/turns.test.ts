import { expect, test } from 'vitest';
import { createTurns } from '../../../src/observe/dns/turns.ts';

test('so many work at a time, the others in the order in which they came, and what fails makes room', async () => {
  const turns = createTurns(2);
  const begun: number[] = [];
  const ends = Array.from({ length: 5 }, () => Promise.withResolvers<void>());
  const all = ends.map(({ promise }, n) =>
    turns.take('192.0.2.1', () => {
      begun.push(n);
      return promise;
    }),
  );
  const outcomes = Promise.allSettled(all);
  await Promise.resolve();
  expect(begun).toEqual([0, 1]);
  ends[1]?.reject(new Error('no answer'));
  await expect(all[1]).rejects.toThrow('no answer');
  expect(begun).toEqual([0, 1, 2]);
  for (const { resolve } of ends) resolve();
  await outcomes;
  expect(begun).toEqual([0, 1, 2, 3, 4]);
});

test('whoever wants something else does not wait', async () => {
  const turns = createTurns(1);
  const never = Promise.withResolvers<void>();
  void turns.take('192.0.2.1', () => never.promise);
  expect(await turns.take('192.0.2.2', async () => 'asked')).toBe('asked');
});
