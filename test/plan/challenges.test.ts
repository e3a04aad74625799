import { describe, expect, test } from 'vitest';
import type { ChallengeView } from '../../src/plan/challenges.ts';
import type { State } from '../../src/plan/state.ts';
import { exchangerState, txt } from './cases.ts';
import { challenge, open, planOf, standing, txtName } from './certificate-world.ts';
import { steps } from './steps.ts';

describe('a challenge below a name that may come from a wildcard', () => {
  test.each<readonly [string, Partial<ChallengeView>, string | undefined]>([
    ['the host has records of its own: published', { synthesised: false }, undefined],
    ['the host comes from a wildcard: never published', { synthesised: true }, 'WildcardSynthesised'],
    ['nobody can tell: not published', { synthesised: 'Unknown' }, 'DNSUnknown'],
    ['something stands there already: published', { synthesised: true, live: txt(txtName, 'other') }, undefined],
  ])('%s', (_, change, refused) => {
    const plan = planOf({ state: open, order: { status: 'created' }, challenges: [challenge(change)] });
    expect(plan.changes.map((one) => one.do)).toEqual(refused === undefined ? ['Records'] : []);
    if (refused !== undefined) expect(plan).toMatchObject({ problem: { reason: refused }, waits: [{ forMs: 5000 }] });
  });

  test('holds back those of all other names of the order too, for the order can only fail', () => {
    const challenges = [
      challenge(),
      challenge({ txtName: '_acme-challenge.mx2.example.com', synthesised: true, txtValue: 'proof-2' }),
    ];
    expect(steps(planOf({ state: open, order: { status: 'pending', answered: false }, challenges }))).toEqual([]);
  });
});

describe('challenge records', () => {
  const made = (challenges: readonly ChallengeView[]) =>
    planOf({ state: open, order: { status: 'created' }, challenges }).changes.map((change) => {
      if (change.do !== 'Records') throw new Error(`not expected: ${change.do}`);
      return change;
    });

  test('values of others stay, with their TTL', () => {
    const live = { ...txt(txtName, 'someone else’s'), ttl: 3600 };
    expect(made([challenge({ live })])[0]?.changes).toEqual([
      { name: txtName, type: 'TXT', before: live, after: { ...live, values: ['someone else’s', 'proof-1'] } },
    ]);
  });

  test('where a human’s CNAME leads elsewhere, the value is written there, under the name of ours', () => {
    const target = { ok: true, name: 'mx1.acme.example.net', provider: 'second', zone: 'example.net' } as const;
    expect(made([challenge({ target })])).toMatchObject([
      {
        provider: 'second',
        zone: 'example.net',
        aliases: { 'mx1.acme.example.net': txtName },
        changes: [{ name: 'mx1.acme.example.net' }],
      },
    ]);
  });

  test('two names whose CNAMEs lead to one target share one set', () => {
    const target = { ok: true, name: 'all.acme.example.net', provider: 'main', zone: 'example.net' } as const;
    const both = made([
      challenge({ target }),
      challenge({ target, txtName: '_acme-challenge.mx2.example.com', txtValue: 'proof-2' }),
    ]);
    expect(both.flatMap(({ changes }) => changes)).toEqual([
      {
        name: 'all.acme.example.net',
        type: 'TXT',
        before: undefined,
        after: { name: 'all.acme.example.net', type: 'TXT', ttl: 1, values: ['proof-1', 'proof-2'] },
      },
    ]);
  });

  const spent = { name: txtName, txtName, value: 'proof-1', provider: 'main', zone: 'example.com' };
  test.each<readonly [string, readonly string[], readonly string[] | undefined]>([
    ['alone: the set goes', ['proof-1'], []],
    ['beside another’s: that stays', ['proof-1', 'someone else’s'], ['someone else’s']],
    ['gone already: nothing is done', ['someone else’s'], undefined],
  ])('what has served is taken away: %s', (_, live, left) => {
    const state: State = { ...exchangerState(), spent: [spent] };
    const plan = planOf({ state, spentLive: new Map([[txtName, txt(txtName, ...live)]]) });
    if (left === undefined) {
      expect(plan).toMatchObject({ changes: [], state: { spent: [] } });
      return;
    }
    const after = left.length === 0 ? undefined : txt(txtName, ...left);
    expect(plan.changes).toMatchObject([
      { do: 'Records', urgency: 'whenNext', changes: [{ before: txt(txtName, ...live), after }] },
    ]);
    expect(plan.state.spent).toEqual([spent]);
  });

  test('a fetched order hands its records to the clean-up, stored with the certificate', () => {
    const [change] = planOf({
      state: open,
      order: { status: 'valid', answered: true },
      challenges: [standing],
    }).changes;
    expect(change).toMatchObject({ do: 'FetchCertificate', state: { spent: [spent] } });
  });
});
