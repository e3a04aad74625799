/** What is shown in place of the policy that we meant: other bodies, pages, a stranger's policy. */
import { describe, expect, test } from 'vitest';
import { formatPolicy } from '../../src/mtasts/policy.ts';
import type { DomainPlan, ObservedDomain } from '../../src/plan/domain.ts';
import type { DomainState } from '../../src/plan/state.ts';
import { day, desired, minute, now, publication, txt } from './cases.ts';
import { bodyOf, fetched, live, planOf, settled, world } from './domain-world.ts';
import { found, showing, standing, strayEntry } from './found-world.ts';

describe('a body that is not the one of the live id', () => {
  const shorter = bodyOf('enforce', 1_000_000);
  test.each<readonly [string, Partial<ObservedDomain>]>([
    ['a pod', { pods: [{ pod: 'p1', served: fetched(shorter) }] }],
    ['the public address', { outsideFetch: fetched(shorter) }],
    ['the shard', { entry: strayEntry(shorter) }],
  ])('burns it when %s shows it, and what it promised is remembered', (_, change) => {
    const made = planOf(change);
    expect(made.publication).toMatchObject({ body: live.body });
    expect(made.publication.id).not.toBe(live.id);
    const kept = made.state.publications.find(({ body }) => body === shorter);
    expect(kept).toMatchObject({ maxAgeSeconds: 1_000_000 });
    expect(kept?.shownSince).toBeUndefined();
  });

  test('is counted once, however long a pod shows it', () => {
    const stuck: Partial<ObservedDomain> = { pods: [{ pod: 'p1', served: fetched(shorter) }] };
    const first = planOf(stuck);
    for (const later of [minute, 10 * minute, day]) {
      const next = planOf({ ...stuck, state: first.state }, desired, now + later);
      expect(next.state.publications).toEqual(first.state.publications);
    }
  });

  test('an older one of ours on its way out burns nothing', () => {
    const before = publication({ ...live, body: shorter, id: '20261001000000bbbbbbbb' });
    const { shownSince: _, ...minted } = { ...live, mintedAt: now };
    const state: DomainState = { ...settled, publications: [before, minted] };
    const made = planOf({ state, ...showing(shorter), ...standing(txt(found.name, `v=STSv1; id=${before.id};`)) });
    expect(made.publication.id).toBe(live.id);
  });
});

describe('a page that is no policy', () => {
  test.each(['', 'It works!\n', '<!doctype html><p>mode: none', 'version: STSv1\r\nmode: none\r\n'])(
    'binds nobody, and changes nothing: %j',
    (page) => {
      const stuck = [{ pod: 'p1', served: fetched(page) }];
      for (const change of [{ outsideFetch: fetched(page) }, { pods: stuck }])
        expect(planOf(change)).toMatchObject({ changes: [], state: settled, serving: { everywhere: false } });
    },
  );

  test('is written over where the pods were given it, though its revision says that it is ours', () => {
    const { entry } = world();
    if (entry === undefined) throw new Error('the pods were given nothing');
    const made = planOf({ entry: { ...entry, policy: 'It works!\n' } });
    expect(made.changes).toMatchObject([{ do: 'Serve', entry: { policy: live.body } }]);
  });
});

describe('a stranger’s policy at the public address', () => {
  const stray = formatPolicy({ mode: 'none', maxAgeSeconds: 86_400, mxs: [] });
  test('that asks for nothing does not throw back what enforces', () => {
    const first = planOf({ outsideFetch: fetched(stray) });
    expect(first.publication).toMatchObject({ mode: 'enforce', maxAgeSeconds: 2_419_200 });
    const later = planOf({ state: first.state, outsideFetch: fetched(stray) }, desired, now + day);
    expect(later.publication).toEqual(first.publication);
  });

  test('that differs at each look is remembered while it promises more, and then nothing is written', () => {
    const look = (state: DomainState, n: number, maxAge: number): DomainPlan =>
      planOf({ state, outsideFetch: fetched(`${bodyOf('enforce', maxAge)}look: ${n}\r\n`) }, desired, now + n * minute);
    let { state } = look(settled, 0, 3_000_000);
    const first = state.publications.at(-1);
    for (let n = 1; n < 100; n += 1) ({ state } = look(state, n, 2_000_000 + n));
    expect(state.publications.at(-1)).toEqual(first);
    expect(state.publications).toHaveLength(3);
    const longer = look(state, 100, 4_000_000);
    expect(longer.state.publications.map(({ maxAgeSeconds }) => maxAgeSeconds)).toContain(4_000_000);
  });
});
