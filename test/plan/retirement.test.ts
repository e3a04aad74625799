import { afterEach, describe, expect, test } from 'vitest';
import type { RecordSet } from '../../src/dns/rrset.ts';
import { recordKey } from '../../src/plan/record-view.ts';
import type { GoneView } from '../../src/plan/removal.ts';
import {
  type ObservedDomainRetirement,
  planDomainRetirement,
  planExchangerRetirement,
  type RetirementPlan,
} from '../../src/plan/retirement.ts';
import type { AppliedSet, DomainState, ExchangerState, State } from '../../src/plan/state.ts';
import { revisionOf } from '../../src/policyshard/shard.ts';
import { formatPolicy } from '../../src/mtasts/policy.ts';
import {
  applied,
  certificate,
  day,
  exchangerState,
  hour,
  installationId,
  key,
  minute,
  now,
  order,
  publication,
  txt,
} from './cases.ts';
import { address, fetched, live, mark, sets, settled, viewsOf, world } from './domain-world.ts';

const steps = ({ changes }: RetirementPlan): readonly string[] => changes.map((change) => change.do);
const written = ({ changes }: RetirementPlan): readonly string[] =>
  changes.flatMap((change) =>
    change.do === 'Records'
      ? change.changes.map((one) => `${one.after === undefined ? '-' : '+'} ${recordKey(one)}`)
      : [],
  );
const body = formatPolicy({ mode: 'none', maxAgeSeconds: 86_400, mxs: [] });
const report = txt('_smtp._tls.example.com', 'v=TLSRPTv1; rua=mailto:tls@example.net');
const entryOf = (policy: string, id: string | undefined) => ({
  policy,
  revision: revisionOf(policy, certificate().chain, id),
  certificate: certificate().chain,
  key: key('c').pem,
});
const standing = (...all: readonly RecordSet[]): ReadonlyMap<string, GoneView> =>
  new Map(all.map((set) => [recordKey(set), { live: set, gone: { ok: false, why: 'ns1 still shows it' } }]));
const gone = (...all: readonly RecordSet[]): ReadonlyMap<string, GoneView> =>
  new Map(all.map((set) => [recordKey(set), { live: undefined, gone: { ok: true } }]));
const noChallenges = { challenges: [], spentLive: new Map() };

function observed(change: Partial<ObservedDomainRetirement> = {}): ObservedDomainRetirement {
  const { settling, pods, addresses, outsideFetch, entry, views, certificate: lane } = world();
  const rest = { installationId, settling, pods, addresses, outsideFetch, entry, views, certificate: lane };
  return { ...rest, state: settled, gone: standing(...sets), challenges: noChallenges, ...change };
}
const plan = (change: Partial<ObservedDomainRetirement> = {}, at: number = now): RetirementPlan =>
  planDomainRetirement(observed(change), at);
const domain = (state: State): DomainState => {
  if (state.kind !== 'domain') throw new Error('it is of no domain');
  return state;
};

describe('a policy that senders hold', () => {
  const first = plan();
  const withdrawn = domain(first.state);
  const everywhere = {
    entry: entryOf(body, withdrawn.publications.at(-1)?.id),
    pods: [{ pod: 'p1', served: fetched(body) }],
    outsideFetch: fetched(body),
  };

  test('is followed by one that asks for nothing, stored before it is served, and not announced before', () => {
    expect(steps(first)).toEqual(['SaveState', 'Serve']);
    expect(withdrawn.publications.at(-1)).toMatchObject({ mode: 'none', body, mxs: [] });
    expect(withdrawn.publications.at(-1)?.id).not.toBe(live.id);
    expect(first).toMatchObject({ phase: 'Withdrawing', due: undefined });
  });

  test.each<readonly [string, Partial<ObservedDomainRetirement>]>([
    ['a pod shows the old one', { ...everywhere, pods: [{ pod: 'p1', served: fetched(live.body) }] }],
    ['there is no pod', { ...everywhere, pods: [] }],
    ['the published address shows the old one', { ...everywhere, outsideFetch: fetched(live.body) }],
  ])('is not announced as withdrawn while %s', (_, change) => {
    expect(written(plan({ state: withdrawn, ...change }))).toEqual([]);
  });

  test('is announced as withdrawn when all show it, and that is stored first', () => {
    const open = plan({ state: withdrawn, ...everywhere });
    expect(steps(open)).toEqual(['SaveState', 'Records']);
    expect(written(open)).toEqual(['+ _mta-sts.example.com TXT']);
  });

  test.each<readonly [string, string]>([
    ['a page that is no policy', 'It works!\n'],
    ['a policy of a stranger that asks for nothing', body.replace('86400', '60')],
  ])('is withdrawn by a policy of ours, where %s is shown', (_, page) => {
    let state = settled;
    for (let n = 0; n < 3; n += 1) {
      const made = plan({ state, outsideFetch: fetched(page) }, now + n * minute);
      expect(made.changes.flatMap((change) => (change.do === 'Serve' ? [change.entry.policy] : []))).toEqual([body]);
      expect(written(made)).toEqual([]);
      state = domain(made.state);
    }
    const { id: given } = state.publications.at(-1) ?? {};
    const shown = { ...everywhere, entry: entryOf(body, given) };
    expect(written(plan({ state, ...shown }))).toEqual(['+ _mta-sts.example.com TXT']);
  });

  test('counts its testing anew when it comes back', () => {
    expect(domain(plan({ state: { ...settled, testingSince: now - 99 * day } }).state).testingSince).toBeUndefined();
  });

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
    plan(
      {
        ...everywhere,
        entry: entryOf(body, none.id),
        state: held,
        views: new Map([...viewsOf(...heldSets), ...new Map([[recordKey(report), viewOf(report)]])]),
        gone: standing(...heldSets, report),
        ...change,
      },
      at,
    );
  const viewOf = (set: RecordSet) => {
    const view = viewsOf(set).get(recordKey(set));
    if (view === undefined) throw new Error('it was not looked for');
    return view;
  };

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
    expect(steps(holding(now + 2 * day, { state: renewal, entry: entryOf(body, none.id) }))).toEqual(['Order']);
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

describe('a domain that never announced a policy', () => {
  const { shownSince: _, ...unannounced } = live;
  const state: DomainState = { ...settled, publications: [unannounced], applied: [applied(mark), applied(address)] };
  test('removes what stands at once', () => {
    const made = plan({ state, gone: standing(mark, address) });
    expect([made.phase, written(made)]).toEqual([
      'Removing',
      ['- _mailseal.example.com TXT', '- mta-sts.example.com A'],
    ]);
  });
  test('is done when nothing stands', () => {
    expect(plan({ state, gone: gone(mark, address) }).phase).toBe('Done');
  });
  test('takes the challenges of an order that is under way with it', () => {
    const { txtName, txtValue } = order().authorizations[0] ?? { txtName: '', txtValue: '' };
    const target = { ok: true, name: txtName, provider: 'main', zone: 'example.com' } as const;
    const set = txt(txtName, txtValue);
    const challenge = { txtName, txtValue, target, live: set, shownEverywhere: true, synthesised: false };
    const open = { ...state, order: order(), applied: [] };
    const left = plan({ state: open, challenges: { challenges: [challenge], spentLive: new Map() } });
    expect([left.phase, steps(left)]).toEqual(['Removing', ['SaveState']]);
    const spentLive = new Map([[txtName, set]]);
    const cleaned = plan({ state: domain(left.state), challenges: { challenges: [], spentLive } });
    expect([cleaned.phase, written(cleaned)]).toEqual(['Removing', [`- ${txtName} TXT`]]);
    expect(plan({ state: domain(left.state), challenges: noChallenges }).phase).toBe('Done');
  });
});

describe('an exchanger', () => {
  const tlsa: RecordSet = {
    name: '_25._tcp.mx1.example.com',
    type: 'TLSA',
    ttl: 3600,
    values: ['3 1 1 cc', '3 1 1 dd'],
  };
  const hostMark = txt('_mailseal.mx1.example.com', 'heritage=mailseal,owner=cluster-1-test');
  const state: ExchangerState = exchangerState({ applied: [applied(hostMark), applied(tlsa)] });
  let neededBy: string | undefined;
  afterEach(() => {
    neededBy = undefined;
  });
  const of = (at: ExchangerState, seen: ReadonlyMap<string, GoneView>, time: number = now): RetirementPlan =>
    planExchangerRetirement({ state: at, installationId, gone: seen, challenges: noChallenges, neededBy }, time);
  const exchanger = (made: RetirementPlan): ExchangerState => {
    if (made.state.kind !== 'exchanger') throw new Error('it is of no exchanger');
    return made.state;
  };

  test('withdraws its TLSA records before their marks', () => {
    expect(written(of(state, standing(tlsa, hostMark)))).toEqual(['- _25._tcp.mx1.example.com TLSA']);
  });
  test('keeps keys and certificate, when all has gone, as long as a domain needs them', () => {
    neededBy = 'news.example.com';
    expect(written(of(state, standing(tlsa, hostMark)))).toEqual(['- _25._tcp.mx1.example.com TLSA']);
    const last = exchangerState({ applied: [applied(hostMark)] });
    const kept = of(last, gone(hostMark));
    expect([kept.phase, steps(kept)]).toEqual(['Holding', ['SaveState']]);
    const [change] = kept.changes;
    if (change?.do !== 'SaveState' || change.state.kind !== 'exchanger') throw new Error('nothing was stored');
    expect(change.state).toMatchObject({ applied: [], keys: last.keys, certificate: last.certificate });
    // An order that is open by then is a renewal.
    expect(of({ ...change.state, order: order() }, new Map())).toMatchObject({ phase: 'Holding', changes: [] });
    neededBy = undefined;
    expect(steps(of(change.state, new Map()))).toEqual(['ForgetState']);
  });
  test('leaves what another installation has taken over since', () => {
    const theirs = { ...hostMark, values: ['heritage=mailseal,owner=cluster-number-2'] };
    expect(written(of(state, standing(tlsa, theirs)))).toEqual([]);
  });
  test('waits for a server that still shows them', () => {
    const view: GoneView = { live: undefined, gone: { ok: false, why: 'ns2 still shows it' } };
    const made = of(state, new Map([...standing(hostMark), [recordKey(tlsa), view]]));
    expect([made.changes, made.waits[0]?.why]).toEqual([[], expect.stringContaining('ns2 still shows it')]);
  });
  test('keeps the marks for the TTL, then removes them, then forgets', () => {
    const seen = new Map([...gone(tlsa), ...standing(hostMark)]);
    const cleared = exchanger(of(state, seen));
    expect(cleared.withdrawn).toEqual({ goneSince: now, ttl: 3600 });
    expect(of(cleared, seen, now + hour).changes).toEqual([]);
    expect(written(of(cleared, seen, now + hour + 5 * minute))).toEqual(['- _mailseal.mx1.example.com TXT']);
    expect(steps(of(cleared, gone(hostMark), now + 2 * hour))).toEqual(['ForgetState']);
  });
  test('counts the TTL anew where records came back in between', () => {
    const again = { ...state, withdrawn: { goneSince: now - day, ttl: 3600 } };
    expect(exchanger(of(again, standing(tlsa, hostMark))).withdrawn).toBeUndefined();
    expect(exchanger(of(again, new Map([...gone(tlsa), ...standing(hostMark)]))).withdrawn?.goneSince).toBe(now);
  });
});
