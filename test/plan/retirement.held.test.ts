/** A policy that asks for nothing, served until no sender can hold to an earlier one. */
import { describe, expect, test } from 'vitest';
import { recordKey } from '../../src/plan/record-view.ts';
import type { GoneView } from '../../src/plan/removal.ts';
import type { ObservedDomainRetirement, RetirementPlan } from '../../src/plan/retirement.ts';
import type { AppliedSet, DomainState } from '../../src/plan/state.ts';
import { applied, certificate, day, hour, minute, now, publication, txt } from './cases.ts';
import { address, live, mark, settled, viewsOf } from './domain-world.ts';
import { body, domain, everywhere, gone, planOf, standing, written } from './retirement-world.ts';
import { steps } from './steps.ts';

const report = txt('_smtp._tls.example.com', 'v=TLSRPTv1; rua=mailto:tls@example.net');

describe('a policy that senders hold', () => {
  const none = publication({
    id: '20261122000000ffffffff',
    mode: 'none',
    body,
    maxAgeSeconds: 86_400,
    mxs: [],
    mintedAt: now,
    shownSince: now,
  });
  const id = txt('_mta-sts.example.com', `v=STSv1; id=${none.id};`);
  const heldSets = [mark, address, id];
  const held: DomainState = {
    ...settled,
    publications: [{ ...live, goneSince: now }, none],
    applied: [...heldSets, report].map((set) => applied(set, { since: now })),
  };
  const due = now + (2_419_200 + 300) * 1000;
  const holding = (at: number, change: Partial<ObservedDomainRetirement> = {}): RetirementPlan =>
    planOf(
      {
        ...everywhere(none.id),
        state: held,
        views: viewsOf(...heldSets, report),
        gone: standing(...heldSets, report),
        ...change,
      },
      at,
    );

  test.each([
    ['a minute later', now + minute],
    ['a week later', now + 7 * day],
    ['a second before the last sender forgets it', due - 1000],
  ])('is held to its promise: %s nothing changes', (_, at) => {
    const made = holding(at, { certificate: undefined });
    expect(made).toMatchObject({ phase: 'Holding', due, changes: [] });
  });

  test('has its certificate renewed as long as it is held', () => {
    expect(steps(holding(now + 31 * day - 7 * day))).toEqual([]);
    const renewal = { ...held, certificate: certificate({ names: ['mta-sts.example.com'], renewAt: now + day }) };
    expect(steps(holding(now + 2 * day, { state: renewal }))).toEqual(['Order']);
  });

  test('ends when the last promise has passed: all TXT records that senders ask for go, and nothing else', () => {
    const ended = holding(due);
    expect(ended.phase).toBe('Removing');
    expect(written(ended)).toEqual(['- _mta-sts.example.com TXT', '- _smtp._tls.example.com TXT']);
  });

  test('goes on holding while a server shows an older id', () => {
    const { goneSince: _, ...shown } = { ...live, goneSince: now };
    const moved = { ...held, publications: [shown, none], applied: held.applied.map(({ since: __, ...set }) => set) };
    const made = holding(due + day, { state: moved, views: new Map() });
    expect(made).toMatchObject({ phase: 'Withdrawing', due: undefined });
    expect(written(made)).toEqual([]);
  });

  describe('where only a human can change the record', () => {
    const record = txt('_mta-sts.example.com', `v=STSv1; id=${live.id};`);
    const left = {
      ...held,
      publications: [live, { ...none, shownSince: undefined as never }],
      applied: [applied(record)],
    };
    const look = (state: DomainState, seen: GoneView['gone'], at: number): RetirementPlan => {
      const views = { gone: new Map([[recordKey(record), { live: undefined, gone: seen, byHand: true } as const]]) };
      return holding(at, { state, views: new Map(), ...views });
    };
    const shown: GoneView['gone'] = { ok: false, why: 'ns1 still shows it', shown: record.values };
    const silent: GoneView['gone'] = { ok: false, why: 'ns1 gives no answer' };
    const away = look(left, { ok: true }, now);

    test('its promise is counted from when the record has gone', () => {
      expect(look(left, shown, now).due).toBeUndefined();
      expect(away.due).toBe(due);
      expect(look(domain(away.state), silent, now + hour).due).toBe(due);
    });
    test.each([
      ['while it is counted', now + hour],
      ['after it had passed', due + hour],
    ])('and anew where it comes back %s', (_, at) => {
      const back = look(domain(away.state), shown, at);
      expect(back).toMatchObject({ phase: 'Withdrawing', due: undefined });
      expect(look(domain(back.state), { ok: true }, at + hour).due).toBe(due + (at - now) + hour);
    });
  });

  describe('and that has passed', () => {
    const after = due + minute;
    const some = domain(holding(after, { gone: new Map([...gone(id, report), ...standing(mark, address)]) }).state);

    test('address and mark wait until no cache holds the TXT record', () => {
      expect(some).toMatchObject({
        withdrawn: { goneSince: after, ttl: 300 },
        applied: [{ name: mark.name }, { name: address.name }],
      });
      const early = holding(after + 10 * minute - 1000, { state: some, gone: standing(mark, address) });
      expect([early.phase, early.changes, early.waits[0]?.forMs]).toEqual(['Removing', [], 1000]);
    });
    test('then they go', () => {
      const late = holding(after + 10 * minute, { state: some, gone: standing(mark, address) });
      expect(written(late)).toEqual(['- _mailseal.example.com TXT', '- mta-sts.example.com A']);
    });
    test('then the policy is served no more, and the state is forgotten last', () => {
      const last = holding(after + 11 * minute, { state: some, gone: gone(mark, address) });
      expect([last.phase, steps(last)]).toEqual(['Done', ['Unserve', 'ForgetState']]);
    });
    test('nothing is taken for gone where the provider or a server is silent', () => {
      const silent = holding(after + hour, { state: some, gone: new Map() });
      expect([silent.phase, silent.changes]).toEqual(['Removing', []]);
    });
  });

  test('what someone else has put in the place of a record that we only meant to write is left alone', () => {
    const theirs = { ...report, values: ['v=TLSRPTv1; rua=mailto:theirs@example.net'] };
    const meant: AppliedSet = { ...applied(report), standing: 'Intended' };
    const state = { ...held, applied: [meant] };
    const view: GoneView = { live: theirs, gone: { ok: true } };
    const made = holding(due, { state, gone: new Map([[recordKey(report), view]]) });
    expect(written(made)).toEqual([]);
    expect(made.phase).toBe('Done');
  });

  test('what stood before us stays', () => {
    const state = { ...held, applied: [applied(report, { standing: 'Found' })] };
    expect(holding(due, { state })).toMatchObject({
      phase: 'Done',
      changes: [{ do: 'Unserve' }, { do: 'ForgetState' }],
    });
  });
});
