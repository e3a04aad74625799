import { describe, expect, test } from 'vitest';
import { mxHosts, type ObservedDomain, planDomain } from '../../src/plan/domain.ts';
import type { DomainState } from '../../src/plan/state.ts';
import { revisionOf } from '../../src/policyshard/shard.ts';
import { answer, day, desired, key, now, publication, seen, txt } from './cases.ts';
import {
  address,
  bodyOf,
  entryOf,
  fetched,
  live,
  mark,
  planOf as plan,
  sets,
  settled,
  unready,
  viewsOf,
  world,
} from './domain-world.ts';
import { steps, written } from './steps.ts';

test('a domain that is as it should be changes nothing, today and in a week', () => {
  expect(plan().changes).toEqual([]);
  expect(plan({}, desired, now + 7 * day).changes).toEqual([]);
  expect(plan().waits).toEqual([]);
});

test('what is planned from a stored plan is the same plan', () => {
  const first = plan({}, { ...desired, hosts: ['mx1.example.com', 'mx2.example.com'] });
  const second = plan({ state: first.state }, { ...desired, hosts: ['mx1.example.com', 'mx2.example.com'] });
  expect(second.state).toEqual(first.state);
  expect(steps(second)).toEqual(steps(first).filter((step) => step !== 'SaveState'));
});

describe('a changed policy', () => {
  const wish = { ...desired, hosts: ['mx1.example.com', 'mx2.example.com'] };
  const first = plan({}, wish);
  const body = bodyOf('enforce', 2_419_200, 'mx1.example.com', 'mx2.example.com');
  const state = first.state;
  const pods = (...bodies: readonly string[]): ObservedDomain['pods'] =>
    bodies.map((one, n) => ({ pod: `p${n}`, served: fetched(one) }));
  const entry = entryOf(body, state.publications.at(-1)?.id);

  test('gets its id stored before its body is served, and neither before its record', () => {
    expect(steps(first)).toEqual(['SaveState', 'Serve']);
    expect(first.state.publications.at(-1)).toMatchObject({ body, mode: 'enforce' });
    expect(first.state.publications.at(-1)?.shownSince).toBeUndefined();
  });

  test.each<readonly [string, Partial<ObservedDomain>]>([
    ['a pod shows the old body', { pods: pods(body, live.body), outsideFetch: fetched(body) }],
    ['a pod has no address', { pods: [...pods(body), { pod: 'p9', served: undefined }], outsideFetch: fetched(body) }],
    [
      'a pod does not answer',
      {
        pods: [{ pod: 'p1', served: { address: '', at: now, outcome: 'Failed', detail: 'refused' } }],
        outsideFetch: fetched(body),
      },
    ],
    [
      'a pod shows the old certificate',
      { pods: [{ pod: 'p1', served: fetched(body, { spkiSha256: '0'.repeat(64) }) }], outsideFetch: fetched(body) },
    ],
    [
      'a pod shows an earlier publication that says the same',
      {
        pods: [{ pod: 'p1', served: fetched(body, { revision: revisionOf(body, '', 'earlier') }) }],
        outsideFetch: fetched(body),
      },
    ],
    ['there is no pod', { pods: [], outsideFetch: fetched(body) }],
    ['the published address shows the old body', { pods: pods(body, body), outsideFetch: fetched(live.body) }],
    ['the published address was not reached', { pods: pods(body, body), outsideFetch: undefined }],
  ])('is not announced while %s', (_, change) => {
    const held = plan({ state, entry, ...change }, wish);
    expect(written(held)).toEqual([]);
    expect(held.state.publications.at(-1)?.shownSince).toBeUndefined();
    expect(held.records.pending.map(({ record }) => record)).toContain('_mta-sts.example.com TXT');
    expect(held.serving.everywhere).toBe(false);
  });

  test('is announced when all show it, and that is stored first', () => {
    const open = plan({ state, entry, pods: pods(body, body), outsideFetch: fetched(body) }, wish);
    expect(steps(open)).toEqual(['SaveState', 'Records']);
    expect(written(open)).toEqual(['_mta-sts.example.com TXT']);
    expect(open.state.publications.at(-1)?.shownSince).toBe(now);
  });

  test('is not announced where a foreign record stands, and does not count as announced', () => {
    const foreign = new Map([
      ...viewsOf(...sets),
      ['_mta-sts.example.com TXT', seen(txt('_mta-sts.example.com', 'v=STSv1; id=theirs;'))],
    ]);
    const bare = { ...state, applied: state.applied.filter(({ name }) => name !== '_mta-sts.example.com') };
    const refused = plan(
      { state: bare, entry, pods: pods(body, body), outsideFetch: fetched(body), views: foreign },
      wish,
    );
    expect(refused.records.refused).toMatchObject([{ reason: 'ForeignRecord' }]);
    expect(refused.state.publications.at(-1)?.shownSince).toBeUndefined();
    expect(written(refused)).toEqual([]);
  });

  test('that is reverted before it was announced gets a new id all the same', () => {
    const short = { ...desired, mtaSts: { ...desired.mtaSts, maxAgeSeconds: 604_800 } };
    const reverted = plan({ state: plan({}, short).state });
    const ids = reverted.state.publications.map(({ id }) => id);
    expect(ids).toHaveLength(3);
    expect(new Set(ids).size).toBe(3);
    expect(reverted.publication.body).toBe(live.body);
  });

  test('waits while the object is suspended; the certificate is renewed all the same', () => {
    const suspended = { ...wish, suspended: true };
    expect(steps(plan({}, suspended))).toEqual(['SaveState']);
    expect(steps(plan({ state: plan({}, suspended).state }, suspended, now + 31 * day))).toEqual(['Order']);
  });
});

describe('enforcing at once', () => {
  const wish = { ...desired, mtaSts: { ...desired.mtaSts, immediately: true } };
  const minted = publication({
    id: '20261122000000cccccccc',
    mode: 'enforce',
    body: live.body,
    maxAgeSeconds: 2_419_200,
    mintedAt: now,
  });
  const { shownSince: _, ...unannounced } = minted;
  const state: DomainState = { ...settled, publications: [unannounced], applied: settled.applied.slice(0, 2) };
  const observed = (change: Partial<ObservedDomain>): Partial<ObservedDomain> => ({
    state,
    views: viewsOf(mark, address),
    ...change,
  });
  test.each<readonly [string, Partial<ObservedDomain>]>([
    ['a host is not verified', { exchangers: [unready('mx', 'mx1: no STARTTLS')] }],
    [
      'a stranger is in the MX set',
      {
        mx: {
          outside: answer('example.com', 'MX', { values: ['10 mx1.example.com', '20 evil.example'] }),
          servers: undefined,
        },
      },
    ],
    [
      'the MX set was not seen',
      { mx: { outside: answer('example.com', 'MX', { outcome: 'ServFail' }), servers: undefined } },
    ],
    ['there is no MX set', { mx: { outside: answer('example.com', 'MX'), servers: undefined } }],
  ])('waits while %s', (_name, change) => {
    const held = plan(observed(change), wish);
    expect(held.publication.mode).toBe('enforce');
    expect(written(held)).toEqual([]);
    expect(held.records.pending[0]?.message).toContain('waits until enforcing is safe');
  });
  test('is announced when it is safe', () => {
    expect(written(plan(observed({}), wish))).toEqual(['_mta-sts.example.com TXT']);
  });
});

describe('the MX set', () => {
  const mx = (...values: readonly string[]) => ({
    outside: answer('example.com', 'MX', { values }),
    servers: undefined,
  });
  test('never adds a host to the policy', () => {
    const made = plan({ mx: mx('10 mx1.example.com', '20 evil.example') });
    expect(made.publication).toBe(live);
    expect(made).toMatchObject({ unlisted: ['evil.example'], lingering: [], changes: [] });
  });
  test('a host that was taken out and still stands there is no stranger, but blocks promotion', () => {
    const state = {
      ...settled,
      removedHosts: [{ host: 'old.example.com', ttl: 300 }],
      publications: [publication()],
      testingSince: now - 99 * day,
    };
    const made = plan({ state, mx: mx('10 mx1.example.com', '20 old.example.com') });
    expect(made).toMatchObject({ unlisted: [], lingering: ['old.example.com'], publication: { mode: 'testing' } });
    expect(made.publication.mxs).toContain('old.example.com');
    expect(made.promotion?.doubts.join()).toContain('old.example.com is still in the MX set');
  });
  test('a failing host never demotes a policy that enforces', () => {
    const made = plan({ exchangers: [unready('mx', 'down')] });
    expect(made.publication).toBe(live);
    expect(made.changes).toEqual([]);
  });
});

describe('the first look', () => {
  const first = (change: Partial<ObservedDomain> = {}) =>
    plan({ state: undefined, freshKey: key('c'), views: viewsOf(), entry: undefined, pods: [], ...change });
  test('orders a certificate, with everything stored, and writes nothing else', () => {
    const made = first();
    expect(steps(made)).toEqual(['Order']);
    expect(made.publication.mode).toBe('testing');
    expect(made.changes[0]).toMatchObject({ state: { publications: [made.publication], key: key('c') } });
  });
  test('has no plan without a key', () => {
    expect(planDomain(desired, world({ state: undefined }), now)).toBeUndefined();
  });
});

test('MX hosts are named in an order that does not turn with the answers', () => {
  expect(mxHosts(['20 mx2.example.com', '10 mx1.example.com'])).toEqual(['mx1.example.com', 'mx2.example.com']);
});
