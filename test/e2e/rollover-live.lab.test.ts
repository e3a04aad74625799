/** A key is rotated under a DANE sender that never stops; `prove -- rollover-live` changes keys in every way there is. */
import { expect, test } from 'vitest';
import { newFolder } from '../lab/namespace.ts';
import { chosenActs, playActs } from '../rollover-live/play.ts';

test('a rotation defers no mail of a DANE sender although the operator is killed on the way, and a naive swap does', async () => {
  const { figures, shortcomings } = await playActs(newFolder('rollover'), chosenActs({ quick: true }), () => undefined);
  expect(shortcomings).toEqual([]);
  expect(figures).toMatchObject({ rotations: 1, deferred: 0, unverified: 0 });
  expect(figures['deferred by the control']).toBeGreaterThan(0);
}, 240_000);
