import { describe, expect, test } from 'vitest';
import { type HostEntry, revisionOf } from '../../src/policyshard/shard.ts';
import type { PolicyFetch } from '../../src/pki/observed.ts';
import { planServe, renewedEntry, servingOf } from '../../src/plan/serving.ts';
import { certificate, domainState, key, order } from './cases.ts';
import { httpOrder } from './certificate-world.ts';
import { bodyOf, fetched, live, settled, world } from './domain-world.ts';

const state = domainState({ certificate: certificate({ chain: 'new chain' }) });
const entry = (change: Partial<HostEntry> = {}): HostEntry => ({
  policy: 'version: STSv1\n',
  certificate: 'old chain',
  key: key('c').pem,
  revision: revisionOf('version: STSv1\n', 'old chain'),
  ...change,
});

describe('what the published address shows', () => {
  const html = { contentType: 'text/html; charset=utf-8' };
  const shown = (outsideFetch: PolicyFetch) => servingOf({ ...world(), outsideFetch }, live, settled);
  test.each<readonly [string, PolicyFetch, string | undefined]>([
    ['with a charset', fetched(live.body, { contentType: 'Text/Plain; charset=us-ascii' }), undefined],
    ['as a page', fetched(live.body, html), 'as text/html'],
    ['as nothing', fetched(live.body, { contentType: '' }), 'without a media type'],
  ])('counts and is warned of by its media type: the policy %s', (_, fetch, odd) => {
    const want = odd === undefined ? undefined : expect.stringContaining(odd);
    expect(shown(fetch)).toEqual({ everywhere: true, lagging: [], odd: want });
  });
  test.each<readonly [string, PolicyFetch, string]>([
    ['a page', fetched('It works!\n', html), 'shows what is no policy, as text/html'],
    ['a text', fetched('It works!\n'), 'shows what is no policy'],
    ['a stranger’s policy', fetched(bodyOf('testing', 86_400)), 'shows another policy'],
  ])('is said: %s', (_, fetch, want) => {
    expect(shown(fetch).lagging).toEqual([`by its published address: ${want}`]);
  });
});

describe('a renewed certificate of the policy host', () => {
  test('goes to the pods with the policy that they show, also while the spec can’t be followed', () => {
    expect(renewedEntry(state, entry())).toEqual([
      {
        do: 'Serve',
        why: 'the certificate was renewed',
        host: 'mta-sts.example.com',
        entry: entry({ certificate: 'new chain', revision: revisionOf('version: STSv1\n', 'new chain') }),
      },
    ]);
  });
  test.each<readonly [string, HostEntry | undefined]>([
    ['nothing is served yet', undefined],
    ['another key is served', entry({ key: key('f').pem })],
    ['it is served already', entry({ certificate: 'new chain' })],
  ])('changes nothing where %s', (_, given) => {
    expect(renewedEntry(state, given)).toEqual([]);
  });
});

describe('the answers to a CA', () => {
  const http01 = { 'token-1': 'token-1.print' };
  const [host, answering] = ['mta-sts.example.com', domainState({ order: httpOrder() })];
  const { certificate: _, ...first } = answering;
  const bare: HostEntry = { policy: null, revision: revisionOf(null, null), certificate: null, key: null };

  test('are all that the pods are given before the first certificate', () => {
    const [change, ...more] = planServe(host, undefined, first, live);
    expect(change).toMatchObject({ do: 'Serve', host, entry: { ...bare, http01 } });
    expect(more).toEqual([]);
    expect(planServe(host, { ...bare, http01 }, first, live)).toEqual([]);
  });

  test('stand beside the policy while a renewal wants them, and go afterwards', () => {
    const [without] = planServe(host, undefined, state, live);
    const [change] = planServe(host, undefined, { ...state, order: httpOrder() }, live);
    if (without?.do !== 'Serve' || change?.do !== 'Serve') throw new Error('nothing is served');
    expect(change.entry).toEqual({ ...without.entry, http01 });
    expect(planServe(host, change.entry, state, live)).toMatchObject([{ do: 'Serve', entry: without.entry }]);
    expect(planServe(host, without.entry, state, live)).toEqual([]);
  });

  test('reach the pods, and leave them, also while the spec can’t be followed', () => {
    const shown = entry({ certificate: 'new chain' });
    const [change] = renewedEntry({ ...state, order: httpOrder() }, shown);
    expect(change).toMatchObject({ do: 'Serve', entry: { ...shown, http01 } });
    expect(renewedEntry(state, { ...shown, http01 })).toMatchObject([{ do: 'Serve', entry: shown }]);
  });

  test.each([
    ['the order is proven in the DNS', order()],
    ['every name is proven from before', httpOrder({ status: 'valid' })],
  ])('are none where %s', (_what, open) => {
    expect(planServe(host, undefined, { ...first, order: open }, live)).toEqual([]);
  });
});
