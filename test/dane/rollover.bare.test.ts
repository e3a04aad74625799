import { expect, test } from 'vitest';
import { step } from '../../src/dane/rollover.ts';
import { type Case, c, check, day, everywhere, facts, hour, n, now, state, tlsa } from './cases.ts';

/** No next key is known in advance. */
const bare = { next: c } as const;
const alone = { live: [{ ...facts.live[0], values: tlsa(c) }], relied: tlsa(c) } as Partial<typeof facts>;
const retiring: Case['state'] = { phase: 'Retiring', spare: n, presentedSince: now - 3 * hour };

test.each<readonly [string, Case]>([
  [
    'nothing is to do, and its only key alone is published',
    { state: bare, facts: alone, want: { phase: 'Steady', publish: tlsa(c), deliver: c } },
  ],
  [
    'no wish rotates it to itself',
    { state: bare, facts: { ...alone, wanted: 'RotateNow' }, want: { phase: 'Steady', publish: tlsa(c), deliver: c } },
  ],
  [
    'not even that of age',
    { state: bare, facts: { ...alone, wanted: 'Rotate' }, want: { phase: 'Steady', publish: tlsa(c) } },
  ],
  [
    'a rotation that knows no key after the next ends with the next alone',
    {
      state: retiring,
      facts: { ...everywhere(n), delivered: n, certificates: [n] },
      want: { phase: 'Steady', publish: tlsa(n), deliver: n },
    },
  ],
])('without a next key %s', (_, one) => check(one));

test('a key that is known later stands for the gate like any other', () => {
  const known = { ...state, ...bare, next: n };
  const young = { ...facts, wanted: 'RotateNow', standing: { [c]: now, [n]: now }, certificates: [c, n] } as const;
  expect(step(known, young).state.phase).toBe('Steady');
  expect(step(known, { ...young, now: now + day }).state.phase).toBe('Armed');
});
