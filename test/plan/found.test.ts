/** A domain whose history was lost or put back to an older one, while the DNS and the policy pods went on. */
import { describe, expect, test } from 'vitest';
import { mintedTime, mintId, promisedUntil, type Publication } from '../../src/mtasts/lifecycle.ts';
import type { DomainPlan, ObservedDomain } from '../../src/plan/domain.ts';
import type { DomainState } from '../../src/plan/state.ts';
import { applied, certificate, day, desired, domainState, key, minute, now, publication, txt } from './cases.ts';
import { address, bodyOf, fetched, live, mark, planOf, settled, sets, viewsOf } from './domain-world.ts';

const enforced = bodyOf('enforce', 2_419_200, 'mx1.example.com', 'old.example.com');
const foundId = mintId(now - day, 'a body that nobody knows', []);
const found = txt('_mta-sts.example.com', `v=STSv1; id=${foundId};`);
const entryOf = (policy: string): NonNullable<ObservedDomain['entry']> => ({
  policy,
  revision: 'r',
  certificate: certificate().chain,
  key: key('c').pem,
});
const showing = (body: string): Partial<ObservedDomain> => ({
  entry: entryOf(body),
  pods: [{ pod: 'p1', served: fetched(body) }],
  outsideFetch: fetched(body),
});
const standing = (sts = found): Partial<ObservedDomain> => ({ views: viewsOf(mark, address, sts) });
const written = ({ changes }: DomainPlan): readonly string[] =>
  changes.flatMap((change) => (change.do === 'Records' ? change.changes.map(({ name }) => name) : []));
const again = (made: DomainPlan, change: Partial<ObservedDomain>): DomainPlan =>
  planOf({ ...change, state: made.state, ...showing(made.publication.body) });

test('an id tells when it was minted, and no other text does', () => {
  expect(mintedTime(mintId(now, 'body', []))).toBe(now);
  for (const id of ['theirs', '20261122000000', '20261122000000aaaaaaaaa', 'x'.repeat(22)])
    expect(mintedTime(id)).toBeUndefined();
});

describe('a live id of ours that the history does not know', () => {
  const lost: Partial<ObservedDomain> = { state: undefined, freshKey: key('c'), ...standing() };
  const older: Partial<ObservedDomain> = { state: settled, ...standing() };

  test.each<readonly [string, Partial<ObservedDomain>]>([
    ['lost, and another policy is served', { ...lost, ...showing(enforced) }],
    ['lost, and the same policy is served', { ...lost, ...showing(bodyOf('testing', 86_400)) }],
    ['lost, and none is served any more', { ...lost, entry: undefined, pods: [], outsideFetch: undefined }],
    ['older, and the same policy is served', older],
    ['older, and another policy is served', { ...older, ...showing(enforced) }],
  ])('is never announced again: %s', (_, change) => {
    const made = planOf(change);
    expect([live.id, foundId]).not.toContain(made.publication.id);
    expect(made.state.publications.find(({ id }) => id === foundId)).toMatchObject({ adopted: true });
    const served = again({ ...made, state: { ...made.state, certificate: certificate() } }, standing());
    expect(written(served)).toEqual(['_mta-sts.example.com']);
    // What is written depends on what was stored before.
    for (const { changes } of [made, served]) {
      const at = changes.findIndex((change) => change.do === 'Records');
      if (at >= 0) expect(changes.slice(0, at).some((change) => 'state' in change)).toBe(true);
    }
  });

  test('stands for the longest promise that may be made, from when it has gone', () => {
    const { state } = planOf({ ...older, ...showing(bodyOf('testing', 86_400)) });
    const gone = state.publications.map((one): Publication => ({ ...one, goneSince: now }));
    expect(promisedUntil(gone, { txtTtlSeconds: 300 })).toEqual({ until: now + (300 + 31_557_600) * 1000 });
  });

  test('goes on in the mode of the policy that is served, with the hosts that it names', () => {
    const { publication: next, state } = planOf({ ...lost, ...showing(enforced) });
    expect(next).toMatchObject({ mode: 'enforce', mxs: ['mx1.example.com', 'old.example.com'] });
    expect(state.removedHosts).toMatchObject([{ host: 'old.example.com' }]);
  });

  test('begins in testing where nobody knows what it stood for', () => {
    const made = planOf({ ...lost, entry: undefined, pods: [], outsideFetch: undefined });
    expect(made.publication).toMatchObject({ mode: 'testing', mxs: ['mx1.example.com'] });
  });

  test.each<readonly [string, Partial<ObservedDomain>]>([
    ['it is no id of ours', standing(txt('_mta-sts.example.com', 'v=STSv1; id=20261121;'))],
    ['it stands beside another text', standing({ ...found, values: [...found.values, 'v=spf1 -all'] })],
  ])('is a stranger’s where the state is lost and %s', (_, change) => {
    const made = planOf({ ...lost, ...showing(enforced), ...change });
    expect(made.records.refused).toMatchObject(
      [{ record: '_mta-sts.example.com TXT', reason: 'ForeignRecord' }, {}].slice(0, 1),
    );
    expect(written(made)).not.toContain('_mta-sts.example.com');
  });
});

describe('beside our mark, with the state lost', () => {
  const lost: Partial<ObservedDomain> = { state: undefined, freshKey: key('c') };
  const elsewhere = { ...address, values: ['198.51.100.9'] };
  test('an address that none of our ids leads to is a stranger’s', () => {
    const made = planOf({ ...lost, views: viewsOf(mark, elsewhere) });
    expect(made.records.refused).toMatchObject([{ record: 'mta-sts.example.com A', reason: 'ForeignRecord' }]);
  });
  test('one that our id leads to is ours, and moves with the policy pods', () => {
    const made = planOf({ ...lost, views: viewsOf(mark, elsewhere, found) });
    expect(made.records.refused).toEqual([]);
    expect(made.records.changes).toMatchObject([
      { change: { name: 'mta-sts.example.com', after: { values: ['192.0.2.7'] } } },
    ]);
  });
  test('what says just what we would is ours', () => {
    const made = planOf({ ...lost, views: viewsOf(mark, address) });
    expect(made.state.applied.find(({ name }) => name === address.name)).toMatchObject({ standing: 'Ours' });
  });
});

describe('a body that is not the one of the live id', () => {
  const shorter = bodyOf('enforce', 1_000_000);
  test.each<readonly [string, Partial<ObservedDomain>]>([
    ['a pod', { pods: [{ pod: 'p1', served: fetched(shorter) }] }],
    ['the public address', { outsideFetch: fetched(shorter) }],
    ['the shard', { entry: entryOf(shorter) }],
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

test('an id that comes back over ours is another installation’s: nothing is written for a while, and it is said', () => {
  const first = planOf({ state: settled, ...standing() });
  const ours = { ...first.publication, shownSince: now };
  const publications = first.state.publications.map((one) => (one.id === ours.id ? ours : one));
  const state: DomainState = { ...first.state, publications, applied: sets.map((set) => applied(set)) };
  const rival = standing(txt(found.name, `v=STSv1; id=${mintId(now + minute, 'theirs', [])};`));
  const soon = planOf({ state, ...rival, ...showing(ours.body) }, desired, now + 2 * minute);
  expect(soon.records.refused).toMatchObject([{ reason: 'Conflict' }]);
  expect([soon.publication.id, written(soon)]).toEqual([ours.id, []]);
  const late = planOf({ state, ...rival, ...showing(ours.body) }, desired, now + 11 * minute);
  expect(late.publication.id).not.toBe(ours.id);
});

test('nothing is found where all is known', () => {
  expect(planOf({ state: domainState({ ...settled }) })).toMatchObject({ changes: [], state: settled });
});
