import { afterEach, describe, expect, test } from 'vitest';
import type { RecordSet } from '../../src/dns/rrset.ts';
import { recordKey } from '../../src/plan/record-view.ts';
import type { GoneView } from '../../src/plan/removal.ts';
import {
  type ObservedDomainRetirement,
  planExchangerRetirement,
  type RetirementPlan,
} from '../../src/plan/retirement.ts';
import type { DomainState, ExchangerState } from '../../src/plan/state.ts';
import { applied, day, exchangerState, hour, installationId, minute, now, order, txt } from './cases.ts';
import { standing as challenge, txtName } from './certificate-world.ts';
import { address, fetched, live, mark, settled } from './domain-world.ts';
import { body, domain, everywhere, gone, noChallenges, planOf, standing, written } from './retirement-world.ts';
import { steps } from './steps.ts';

describe('a policy that senders hold', () => {
  const first = planOf();
  const withdrawn = domain(first.state);
  const shown = everywhere(withdrawn.publications.at(-1)?.id);

  test('is followed by one that asks for nothing, stored before it is served, and not announced before', () => {
    expect(steps(first)).toEqual(['SaveState', 'Serve']);
    expect(withdrawn.publications.at(-1)).toMatchObject({ mode: 'none', body, mxs: [] });
    expect(withdrawn.publications.at(-1)?.id).not.toBe(live.id);
    expect(first).toMatchObject({ phase: 'Withdrawing', due: undefined });
  });

  test.each<readonly [string, Partial<ObservedDomainRetirement>]>([
    ['a pod shows the old one', { ...shown, pods: [{ pod: 'p1', served: fetched(live.body) }] }],
    ['there is no pod', { ...shown, pods: [] }],
    ['the published address shows the old one', { ...shown, outsideFetch: fetched(live.body) }],
  ])('is not announced as withdrawn while %s', (_, change) => {
    expect(written(planOf({ state: withdrawn, ...change }))).toEqual([]);
  });

  test('is announced as withdrawn when all show it, and that is stored first', () => {
    const open = planOf({ state: withdrawn, ...shown });
    expect(steps(open)).toEqual(['SaveState', 'Records']);
    expect(written(open)).toEqual(['+ _mta-sts.example.com TXT']);
  });

  test.each<readonly [string, string]>([
    ['a page that is no policy', 'It works!\n'],
    ['a policy of a stranger that asks for nothing', body.replace('86400', '60')],
  ])('is withdrawn by a policy of ours, where %s is shown', (_, page) => {
    let state = settled;
    for (let n = 0; n < 3; n += 1) {
      const made = planOf({ state, outsideFetch: fetched(page) }, now + n * minute);
      expect(made.changes.flatMap((change) => (change.do === 'Serve' ? [change.entry.policy] : []))).toEqual([body]);
      expect(written(made)).toEqual([]);
      state = domain(made.state);
    }
    const { id: given } = state.publications.at(-1) ?? {};
    expect(written(planOf({ state, ...everywhere(given) }))).toEqual(['+ _mta-sts.example.com TXT']);
  });

  test('counts its testing anew when it comes back', () => {
    expect(domain(planOf({ state: { ...settled, testingSince: now - 99 * day } }).state).testingSince).toBeUndefined();
  });
});

describe('a domain that never announced a policy', () => {
  const { shownSince: _, ...unannounced } = live;
  const state: DomainState = { ...settled, publications: [unannounced], applied: [applied(mark), applied(address)] };
  test('removes what stands at once', () => {
    const made = planOf({ state, gone: standing(mark, address) });
    expect([made.phase, written(made)]).toEqual([
      'Removing',
      ['- _mailseal.example.com TXT', '- mta-sts.example.com A'],
    ]);
  });
  test('is done when nothing stands', () => {
    expect(planOf({ state, gone: gone(mark, address) }).phase).toBe('Done');
  });
  test('takes the challenges of an order that is under way with it', () => {
    const open = { ...state, order: order(), applied: [] };
    const left = planOf({ state: open, challenges: { challenges: [challenge], spentLive: new Map() } });
    expect([left.phase, steps(left)]).toEqual(['Removing', ['SaveState']]);
    const spentLive = new Map([[txtName, txt(txtName, challenge.txtValue)]]);
    const cleaned = planOf({ state: domain(left.state), challenges: { challenges: [], spentLive } });
    expect([cleaned.phase, written(cleaned)]).toEqual(['Removing', [`- ${txtName} TXT`]]);
    expect(planOf({ state: domain(left.state), challenges: noChallenges }).phase).toBe('Done');
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
  let moving: string | undefined;
  afterEach(() => {
    neededBy = undefined;
    moving = undefined;
  });
  const of = (at: ExchangerState, seen: ReadonlyMap<string, GoneView>, time: number = now): RetirementPlan =>
    planExchangerRetirement(
      { state: at, installationId, gone: seen, challenges: noChallenges, traits: {}, neededBy, moving },
      time,
    );
  const exchanger = (made: RetirementPlan): ExchangerState => {
    if (made.state.kind !== 'exchanger') throw new Error('it is of no exchanger');
    return made.state;
  };

  test('waits while DNSSEC of the zone is being changed, and goes on when only marks are left', () => {
    moving = 'example.com: DNSKEY sets differ';
    const waiting = of(state, standing(tlsa, hostMark));
    expect(written(waiting)).toEqual([]);
    expect(waiting.waits[0]?.why).toContain('DNSKEY sets differ');
    const marked = exchangerState({ applied: [applied(hostMark)] });
    expect(written(of(marked, standing(hostMark)))).toEqual(['- _mailseal.mx1.example.com TXT']);
  });
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
