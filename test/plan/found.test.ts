/** A domain whose history was lost or put back to an older one, while the DNS and the policy pods went on. */
import { describe, expect, test } from 'vitest';
import { mintedTime, mintId, promisedUntil, type Publication } from '../../src/mtasts/lifecycle.ts';
import type { DesiredDomain } from '../../src/desired/domain.ts';
import type { DomainPlan, ObservedDomain } from '../../src/plan/domain.ts';
import type { DomainState } from '../../src/plan/state.ts';
import { formatTlsRptRecord } from '../../src/tlsrpt/record.ts';
import { applied, certificate, desired, domainState, key, minute, now, txt } from './cases.ts';
import type { RecordSet } from '../../src/dns/rrset.ts';
import { address, bodyOf, fetched, live, mark, planOf, settled, sets, stsOf, viewsOf } from './domain-world.ts';
import { enforced, found, foundId, showing, standing, strayEntry } from './found-world.ts';
import { recordChanges } from './steps.ts';

const written = (made: DomainPlan): readonly string[] => recordChanges(made).map(({ name }) => name);
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
    expect(made.records.refused).toMatchObject([{ record: '_mta-sts.example.com TXT', reason: 'ForeignRecord' }]);
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

describe('a record that was first made after the backup that the state was restored from', () => {
  const reporting = { ...desired, rua: ['mailto:tls@example.com'] };
  const report = txt('_smtp._tls.example.com', formatTlsRptRecord(reporting));
  const ofReport = ({ state }: DomainPlan): unknown => state.applied.find(({ name }) => name === report.name)?.standing;
  const outrun = planOf({ state: settled, ...standing() }).state;

  test('is ours where the world has an id of ours that the state did not know, and goes when it is not wanted', () => {
    const views = viewsOf(mark, address, found, report);
    const made = planOf({ state: outrun, views }, reporting);
    expect(ofReport(made)).toBe('Ours');
    const { records } = planOf({ state: made.state, views }, desired);
    const removed = records.changes.filter(({ change }) => change.after === undefined);
    expect(removed).toMatchObject([{ change: { name: report.name } }]);
  });

  test.each<readonly [string, DomainState, RecordSet[]]>([
    ['stands where the state lacks nothing', settled, [mark, address, stsOf(live.id), report]],
    ['stands without our mark', outrun, [address, found, report]],
  ])('is a stranger’s, and stays, where the same %s', (_, state, records) => {
    const views = viewsOf(...records);
    const made = planOf({ state, views }, reporting);
    expect(ofReport(made)).toBe('Found');
    const { records: planned } = planOf({ state: made.state, views }, desired);
    expect(planned.changes.map(({ change }) => change.name)).not.toContain(report.name);
  });

  test('is a stranger’s where it says something else', () => {
    const theirs = { ...report, values: ['v=TLSRPTv1; rua=mailto:else@example.com'] };
    const { records } = planOf({ state: outrun, views: viewsOf(mark, address, found, theirs) }, reporting);
    expect(records.refused).toMatchObject([{ reason: 'ForeignRecord' }]);
  });
});

describe('while the object is suspended', () => {
  const suspended: DesiredDomain = { ...desired, suspended: true };
  const shorter = bodyOf('enforce', 1_000_000);
  const nothing: Partial<ObservedDomain> = { entry: undefined, pods: [], outsideFetch: undefined };
  const served = ({ changes }: DomainPlan): readonly unknown[] =>
    changes.flatMap((change) => (change.do === 'Serve' ? [change.entry.policy] : []));

  test.each<readonly [string, Partial<ObservedDomain>, readonly unknown[]]>([
    ['a stranger’s policy outside', { outsideFetch: fetched(shorter) }, []],
    ['a stranger’s policy in the shard', { entry: strayEntry(shorter) }, [live.body]],
    ['nothing in the shard', { entry: undefined }, [live.body]],
    ['an id of ours that nobody knows, and a later policy', { ...standing(), ...showing(enforced) }, []],
    ['an id of ours that nobody knows, and no policy', { ...standing(), entry: undefined }, []],
    ['no state, and a later policy', { ...standing(), ...showing(enforced), state: domainState() }, []],
    ['nothing at all yet', { ...nothing, state: domainState(), views: viewsOf() }, []],
  ])('what we meant is served, and nothing else: %s', (_, change, want) => {
    const first = planOf(change, suspended);
    expect(served(first)).toEqual(want);
    const second = planOf({ ...change, state: first.state }, suspended, now + minute);
    expect([served(second), second.state]).toEqual([want, first.state]);
    expect(written(second)).toEqual([]);
  });

  test('the certificate of a policy that nobody knows is renewed', () => {
    const renewed = certificate({ chain: '-----BEGIN CERTIFICATE-----\ntwo\n-----END CERTIFICATE-----\n' });
    const state: DomainState = { ...settled, certificate: { ...renewed, names: ['mta-sts.example.com'] } };
    const made = planOf({ ...standing(), ...showing(enforced), state }, suspended);
    expect(made.changes.filter((change) => change.do === 'Serve')).toMatchObject([
      { entry: { policy: enforced, certificate: renewed.chain } },
    ]);
  });

  test.each<readonly [string, Partial<ObservedDomain>]>([
    ['a stranger’s policy', { outsideFetch: fetched(shorter) }],
    ['a policy that nobody knows', { ...standing(), ...showing(live.body) }],
  ])('%s is followed by a new id afterwards', (_, change) => {
    const { state } = planOf(change, suspended);
    const made = planOf({ ...change, outsideFetch: fetched(live.body), state });
    expect(made.publication).toMatchObject({ body: live.body });
    expect([live.id, foundId]).not.toContain(made.publication.id);
    expect(written(again(made, change))).toEqual(['_mta-sts.example.com']);
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
