/** What is left of an object in the DNS, where nobody can ask the provider any more. */
import { describe, expect, test } from 'vitest';
import type { Resolver } from '../../src/dns/answer.ts';
import { MailsealError } from '../../src/errors.ts';
import { observeRemoval } from '../../src/observe/retirement.ts';
import { recordKey } from '../../src/plan/record-view.ts';
import type { DomainState, SpentChallenge } from '../../src/plan/state.ts';
import { fakeAuthorities, fakeResolver, type FakeWorld } from '../fakes/resolver.ts';
import { applied, domainState, order, publication, txt } from '../plan/cases.ts';
import { createScene } from '../reconcile/scene.ts';

type Servers = Parameters<typeof fakeAuthorities>[0];

const ns = { 'example.com NS': ['ns1.example.com.', 'ns2.example.com.'] };
const proof = '_acme-challenge.mta-sts.example.com';
const at = { provider: 'main', zone: 'example.com' };
const spent: SpentChallenge = { name: proof, txtName: proof, value: 'proof-1', ...at };
const empty: FakeWorld = { records: ns };
const showing: FakeWorld = { records: { ...ns, [`${proof} TXT`]: ['proof-1'] } };
const both = (one: Servers[string], other: Servers[string]): Servers => ({
  'ns1.example.com 192.0.2.53': one,
  'ns2.example.com 192.0.2.54': other,
});

async function seen(state: DomainState, outside: Resolver, servers: Servers) {
  const lost = new MailsealError('CredentialsMissing', 'the credentials have gone', { kind: 'Stalled' });
  const world = {
    ...(await createScene()).start(),
    outside,
    authorities: fakeAuthorities(servers),
    providerOf: () => Promise.reject(lost),
  };
  return (await observeRemoval(world, state, { namespace: 'mail', askedAt: 0 })).observed;
}

describe('challenges that were left over', () => {
  const states = { spent: domainState({ spent: [spent] }), 'of an open order': domainState({ order: openOrder() }) };
  const alias: FakeWorld = { records: { ...ns, [`${proof} CNAME`]: ['proofs.example.com'] } };
  const through: FakeWorld = { records: { ...alias.records, 'proofs.example.com TXT': ['proof-1'] } };
  const cases: readonly (readonly [string, Resolver, Servers, boolean])[] = [
    ['no server shows them', fakeResolver(empty), both(empty, empty), true],
    ['a server shows them', fakeResolver(empty), both(empty, showing), false],
    ['a server is silent', fakeResolver(empty), both(empty, 'Unreachable'), false],
    ['only the resolver remembers them', fakeResolver(showing), both(empty, empty), false],
    ['the resolver fails', fakeResolver({ ...empty, failing: { [proof]: 'ServFail' } }), both(empty, empty), false],
    ['the zone can’t be found', fakeResolver({ records: {} }), both(empty, empty), false],
    ['their alias leads nowhere', fakeResolver(alias), both(alias, alias), true],
    ['a server shows them behind an alias', fakeResolver(alias), both(alias, through), false],
  ];
  for (const [which, state] of Object.entries(states)) {
    test.each(cases)(`${which}: have they gone where %s`, async (_, outside, servers, want) => {
      const { challenges } = await seen(state, outside, servers);
      expect(challenges).toEqual(want ? { challenges: [], spentLive: new Map() } : undefined);
    });
  }
});

test('an older id that a server shows has not gone, though a newer one was to take its place', async () => {
  const [older, newer] = [publication(), publication({ id: '20261122000000bbbbbbbb' })];
  const say = (id: string): string => `v=STSv1; id=${id};`;
  const record = txt('_mta-sts.example.com', say(newer.id));
  const state = domainState({ publications: [older, newer], applied: [applied(record, { standing: 'Intended' })] });
  const lagging: FakeWorld = { records: { ...ns, '_mta-sts.example.com TXT': [say(older.id)] } };
  const { gone } = await seen(state, fakeResolver(empty), both(empty, lagging));
  expect(gone.get(recordKey(record))).toMatchObject({ byHand: true, gone: { ok: false, shown: [say(older.id)] } });
});

function openOrder() {
  const [authorization] = order().authorizations;
  if (authorization === undefined) throw new Error('the order has no authorization');
  return order({ authorizations: [{ ...authorization, txtName: proof }] });
}
