import { describe, expect, test } from 'vitest';
import type { DesiredDomain } from '../../src/desired/domain.ts';
import type { Publication } from '../../src/mtasts/lifecycle.ts';
import { datePublications, decideMode, followHosts, publish, slop } from '../../src/plan/publication.ts';
import type { RecordsPlan } from '../../src/plan/records.ts';
import type { RemovedHost } from '../../src/plan/state.ts';
import { applied, day, desired, domainState, now, publication, second, txt } from './cases.ts';

const sts = (change: Partial<DesiredDomain['mtaSts']>): DesiredDomain => ({
  ...desired,
  mtaSts: { ...desired.mtaSts, ...change },
});

describe('a host that the administrator took out', () => {
  const ttl = 600;
  const end = (ttl + slop) * second;
  const entry = (change: Partial<RemovedHost> = {}): RemovedHost => ({ host: 'old.example.com', ttl, ...change });
  type Servers = Parameters<typeof followHosts>[1];
  test.each<readonly [string, readonly RemovedHost[], readonly string[], Servers, readonly RemovedHost[]]>([
    ['is remembered from then on', [], ['mx1.example.com', 'old.example.com'], undefined, [entry({ ttl: 0 })]],
    ['stays while a server names it', [entry()], ['mx1.example.com'], { hosts: ['old.example.com'], ttl }, [entry()]],
    ['keeps the longest TTL that it was seen with', [entry()], [], { hosts: ['old.example.com'], ttl: 60 }, [entry()]],
    ['stays while not all servers answer', [entry({ leftMxAt: 0 })], [], undefined, [entry({ leftMxAt: 0 })]],
    ['has left when no server names it any more', [entry()], [], { hosts: [], ttl: 60 }, [entry({ leftMxAt: now })]],
    [
      'stays until caches have let go',
      [entry({ leftMxAt: now - end })],
      [],
      { hosts: [], ttl },
      [entry({ leftMxAt: now - end })],
    ],
    ['goes after that', [entry({ leftMxAt: now - end - 1 })], [], { hosts: [], ttl }, []],
    [
      'counts anew where it came back to the MX set',
      [entry({ leftMxAt: now - 1 })],
      [],
      { hosts: ['old.example.com'], ttl },
      [entry()],
    ],
  ])('%s', (_, removedHosts, listedHosts, servers, want) => {
    const stored = domainState({ removedHosts, listedHosts });
    expect(followHosts(desired, servers, stored, now).removedHosts).toEqual(want);
  });

  test('is forgotten when it is listed again', () => {
    const stored = domainState({ removedHosts: [entry()], listedHosts: ['mx1.example.com'] });
    const back = { ...desired, hosts: ['mx1.example.com', 'old.example.com'] };
    expect(followHosts(back, undefined, stored, now)).toMatchObject({ removedHosts: [], listedHosts: back.hosts });
  });

  test('is in the policy until it is forgotten; nothing else gets in', () => {
    const state = domainState({ removedHosts: [entry({ leftMxAt: now })] });
    expect(publish(desired, state, 'testing', now).mxs).toEqual(['mx1.example.com', 'old.example.com']);
    expect(publish(desired, state, 'testing', now + end).mxs).toEqual(['mx1.example.com']);
  });
});

describe('the mode', () => {
  const testing = publication();
  const enforcing = publication({ mode: 'enforce' });
  const doubt = ['mx1 offers no STARTTLS'];
  type State = Parameters<typeof domainState>[0];
  test.each<readonly [string, DesiredDomain, State, readonly string[], string]>([
    ['a new domain begins in testing', desired, {}, [], 'testing'],
    [
      'a domain in testing stays there its days',
      desired,
      { publications: [testing], testingSince: now - 14 * day + 1 },
      [],
      'testing',
    ],
    ['it is promoted after them', desired, { publications: [testing], testingSince: now - 14 * day }, [], 'enforce'],
    [
      'not while anything is wrong or unknown',
      desired,
      { publications: [testing], testingSince: now - 99 * day },
      doubt,
      'testing',
    ],
    ['what enforces is never demoted', desired, { publications: [enforcing] }, doubt, 'enforce'],
    ['but by a wish', sts({ mode: 'testing' }), { publications: [enforcing] }, [], 'testing'],
    ['at once where that is wanted and nothing was ever announced', sts({ immediately: true }), {}, doubt, 'enforce'],
    [
      'at once where that is wanted, and all is right',
      sts({ immediately: true }),
      { publications: [testing] },
      [],
      'enforce',
    ],
    ['not at once while something is wrong', sts({ immediately: true }), { publications: [testing] }, doubt, 'testing'],
    [
      'what was minted and never announced enforces nothing',
      desired,
      { publications: [{ ...enforcing, shownSince: undefined as never }] },
      doubt,
      'testing',
    ],
  ])('%s', (_, wish, state, doubts, want) => {
    expect(decideMode(wish, domainState(state), doubts, now).mode).toBe(want);
  });
});

describe('a publication', () => {
  const add = (publications: readonly Publication[], one: Publication): readonly Publication[] =>
    publications.includes(one) ? publications : [...publications, one];

  test('equal wishes give the same publication, at any later time', () => {
    const one = publish(desired, domainState(), 'testing', now);
    expect(publish(desired, domainState({ publications: [one] }), 'testing', now + 9 * day)).toBe(one);
  });

  test('every changed body has an id of its own, also where an old body returns within the second', () => {
    let publications: readonly Publication[] = [];
    for (const maxAgeSeconds of [86_400, 3600, 86_400, 3600, 86_400])
      publications = add(publications, publish(sts({ maxAgeSeconds }), domainState({ publications }), 'testing', now));
    expect(publications).toHaveLength(5);
    expect(new Set(publications.map(({ body }) => body)).size).toBe(2);
    expect(new Set(publications.map(({ id }) => id)).size).toBe(5);
  });

  test('a suspended domain keeps the last one', () => {
    const last = publication();
    const suspended = { ...sts({ maxAgeSeconds: 60 }), suspended: true };
    expect(publish(suspended, domainState({ publications: [last] }), 'testing', now)).toBe(last);
  });

  test.each<readonly [string, number, number]>([
    ['a day at first', 0, 86_400],
    ['a week after a day', 1, 604_800],
    ['what is wanted after that', 8, 2_419_200],
  ])('max_age grows with trust: %s', (_, days, want) => {
    const enforcing = publication({ mode: 'enforce', shownSince: now - days * day });
    expect(publish(desired, domainState({ publications: [enforcing] }), 'enforce', now).maxAgeSeconds).toBe(want);
  });
});

describe('the dates of the history', () => {
  const old = publication();
  const newest = publication({ id: '20261122000000bbbbbbbb', body: 'new' });
  const { shownSince: _, ...minted } = newest;
  const record = (id: string, since?: number): RecordsPlan => {
    const { since: _since, ...rest } = applied(txt('_mta-sts.example.com', `v=STSv1; id=${id};`));
    return {
      applied: [since === undefined ? rest : { ...rest, since }],
      changes: [],
      required: [],
      refused: [],
      pending: [],
      held: [],
    };
  };
  const state = domainState({ publications: [old, minted] });
  const date = (records: RecordsPlan, announcing: boolean) =>
    datePublications(state, records, announcing, now).publications;

  test('an id counts as shown before its record is written', () => {
    expect(date(record(newest.id), true)).toEqual([old, { ...minted, shownSince: now }]);
  });
  test('an id that is held back is not', () => {
    expect(date(record(newest.id), false)).toEqual([old, minted]);
  });
  test('nor is one whose record is refused', () => {
    expect(date({ applied: [], changes: [], required: [], refused: [], pending: [], held: [] }, true)).toEqual([
      old,
      minted,
    ]);
  });
  test('the old id is gone when all servers show the new one', () => {
    expect(date(record(newest.id, now - 5), true)[0]).toEqual({ ...old, goneSince: now - 5 });
  });
  test('not before', () => {
    expect(date(record(newest.id), true)[0]).toEqual(old);
    expect(date(record(old.id, now - 5), false)[0]).toEqual(old);
  });
  test('testing counts from when all servers show it, and is not counted anew', () => {
    const one = domainState({ publications: [old] });
    expect(datePublications(one, record(old.id), true, now).testingSince).toBeUndefined();
    const shown = datePublications(one, record(old.id, now - day), true, now);
    expect(shown.testingSince).toBe(now - day);
    expect(datePublications(shown, record(old.id, now), true, now).testingSince).toBe(now - day);
  });
});
