import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { equalSets, type RecordSet } from '../../src/dns/rrset.ts';
import { owned } from '../../src/plan/ownership.ts';
import { planRecords } from '../../src/plan/records.ts';
import { type RecordView } from '../../src/plan/record-view.ts';
import type { AppliedSet } from '../../src/plan/state.ts';
import { applied, now, seen, txt, wanted } from './cases.ts';

const names = ['_mta-sts.example.com', '_smtp._tls.example.com', '_mailseal.example.com'];
const value = fc.constantFrom('a', 'b', 'c');
const set = (name: string): fc.Arbitrary<RecordSet> =>
  fc
    .record({ values: fc.uniqueArray(value, { minLength: 1, maxLength: 2 }), ttl: fc.constantFrom(60, 300, 86_400) })
    .map(({ values, ttl }) => ({ ...txt(name, ...values), ttl }));
const entry = (name: string): fc.Arbitrary<AppliedSet> =>
  fc
    .record({
      set: set(name),
      standing: fc.constantFrom('Intended', 'Ours', 'Found'),
      since: fc.option(fc.constant(now - 1000), { nil: undefined }),
    })
    .map(({ set: of, standing, since }) => {
      const { since: _, ...rest } = applied(of, { standing });
      return since === undefined ? rest : { ...rest, since };
    });
const place = (name: string) =>
  fc.record({
    name: fc.constant(name),
    wanted: fc.option(set(name), { nil: undefined }),
    hold: fc.boolean(),
    applied: fc.option(entry(name), { nil: undefined }),
    live: fc.option(set(name), { nil: undefined }),
    synthesised: fc.constantFrom(true, false, 'Unknown' as const),
    marked: fc.boolean(),
    looked: fc.boolean(),
  });

type Place = typeof place extends (name: string) => fc.Arbitrary<infer P> ? P : never;

function planOf(places: readonly Place[], given?: readonly AppliedSet[]): ReturnType<typeof planRecords> {
  const view = ({ live, synthesised }: Place): RecordView => seen(live, { synthesised });
  return planRecords({
    wanted: places.flatMap((one) =>
      one.wanted === undefined ? [] : [wanted(one.wanted, one.hold ? { hold: 'waits' } : {})],
    ),
    applied: given ?? places.flatMap((one) => one.applied ?? []),
    views: new Map(places.flatMap((one) => (one.looked ? [[`${one.name} TXT`, view(one)] as const] : []))),
    marked: ({ name }) => places.some((one) => one.name === name && one.marked),
    stranger: () => undefined,
    traits: {},
    leads: undefined,
    adopt: new Set(),
    now,
  });
}

const world = fc.tuple(...names.map(place));

test('no change ever touches a set that is not ours, and none is made blindly', () => {
  fc.assert(
    fc.property(world, (places) => {
      for (const { change } of planOf(places).changes) {
        const at = places.find(({ name }) => name === change.name);
        expect(at?.looked).toBe(true);
        expect(change.before).toEqual(at?.live);
        if (at?.live === undefined) expect(at?.synthesised).toBe(false);
        else expect(owned(at.live, at.applied, at.marked)).toBe(true);
      }
    }),
    { numRuns: 2000 },
  );
});

test('whoever made a set that stands before us keeps it for ever, whatever is wanted later', () => {
  fc.assert(
    fc.property(world, world, (first, second) => {
      const found = first.map((one) => ({ ...one, applied: undefined, marked: false, looked: true }));
      const strange = new Map(found.flatMap(({ name, live }) => (live === undefined ? [] : [[name, live] as const])));
      const memory = planOf(found).applied;
      const later = second.map((one) => ({ ...one, live: strange.get(one.name), marked: false, looked: true }));
      for (const { change } of planOf(later, memory).changes) expect(strange.has(change.name)).toBe(false);
    }),
    { numRuns: 2000 },
  );
});

test('when all changes are made and seen, the next plan changes nothing', () => {
  fc.assert(
    fc.property(world, (places) => {
      const first = planOf(places);
      const after = places.map((one) => {
        const made = first.changes.find(({ change }) => change.name === one.name);
        return made === undefined ? one : { ...one, live: made.change.after };
      });
      const second = planOf(after, first.applied);
      expect(second.changes).toEqual([]);
      const third = planOf(after, second.applied);
      expect(third).toEqual({ ...second, refused: third.refused, pending: third.pending });
      expect(third.changes).toEqual([]);
    }),
    { numRuns: 2000 },
  );
});

test('a change that was made and whose answer was lost is known as ours after a crash', () => {
  fc.assert(
    fc.property(world, set(names[0] ?? ''), (places, other) => {
      const fresh = places.map((one) => ({
        ...one,
        live: undefined,
        applied: undefined,
        synthesised: false,
        looked: true,
      }));
      const first = planOf(fresh);
      const written = fresh.map((one) => ({
        ...one,
        live: first.changes.find(({ change }) => change.name === one.name)?.change.after,
        wanted: one.name === other.name && one.wanted !== undefined ? other : one.wanted,
        hold: false,
        marked: false,
      }));
      const second = planOf(written, first.applied);
      expect(second.refused).toEqual([]);
      for (const one of written) {
        if (one.live === undefined || one.wanted === undefined || equalSets(one.live, one.wanted, { ttl: true }))
          continue;
        expect(second.changes.map(({ change }) => change.name)).toContain(one.name);
      }
    }),
    { numRuns: 1000 },
  );
});
