import { describe, expect, test } from 'vitest';
import type { CertificateInput } from '../../src/plan/certificate.ts';
import type { Lead } from '../../src/plan/leads.ts';
import type { State } from '../../src/plan/state.ts';
import { now, order, txt } from './cases.ts';
import { challenge, open, planOf, standing, txtName } from './certificate-world.ts';

describe('proofs that do not depend on name servers alone', () => {
  const target = { ok: true, name: txtName, provider: 'main', zone: 'example.com' } as const;
  const settling = challenge({
    live: txt(txtName, 'proof-1'),
    shownEverywhere: true,
    target: { ...target, settleSeconds: 30 },
  });
  const created = { status: 'created' } as const;
  const at = (shownAt: number | undefined): State => ({
    ...open,
    order: { ...order(), ...(shownAt === undefined ? {} : { shownAt }) },
  });

  test.each<readonly [string, number | undefined, readonly string[], number | undefined]>([
    ['is dated when all servers show it', undefined, ['SaveState'], 30_000],
    ['waits for the time that the provider needs', now - 10_000, [], 20_000],
    ['is answered when that has passed', now - 30_000, ['AnswerChallenges'], undefined],
  ])('a challenge behind an anycast address %s', (_, shownAt, steps, forMs) => {
    const plan = planOf({ state: at(shownAt), order: created, challenges: [settling] });
    expect(plan.changes.map((change) => change.do)).toEqual(steps);
    expect(plan.waits[0]?.forMs).toBe(forMs);
  });

  test('what a human publishes is asked for, and written by nobody else', () => {
    const byHand = challenge({ target: { ...target, byHand: true } });
    const plan = planOf({ state: open, order: created, challenges: [byHand] });
    expect(plan).toMatchObject({ changes: [], problem: { reason: 'AwaitingHuman' } });
    expect(plan.required).toEqual([{ name: txtName, type: 'TXT', values: ['proof-1'], seen: false }]);
    const seen = challenge({
      target: { ...target, byHand: true },
      live: txt(txtName, 'proof-1'),
      shownEverywhere: true,
    });
    expect(planOf({ state: open, order: created, challenges: [seen] }).changes[0]?.do).toBe('AnswerChallenges');
  });

  const lead = (shown: Lead['shown']): CertificateInput['leads'] =>
    new Map([[txtName, { name: txtName, target: `${txtName}.keys.example.net`, shown, synthesised: false }]]);

  test('no order is opened that could not be proven: a CNAME comes first', () => {
    const missing = lead({ ok: false, why: 'ns1 does not show it yet' });
    expect(planOf({ leads: missing })).toMatchObject({ changes: [], problem: { reason: 'DelegationMissing' } });
    expect(planOf({ leads: lead({ ok: true }) }).changes[0]?.do).toBe('Order');
  });

  test('an order is not answered where the CNAME has gone meanwhile', () => {
    const missing = lead({ ok: false, why: 'ns1 does not show it yet' });
    const plan = planOf({ state: open, order: created, challenges: [standing], leads: missing });
    expect(plan).toMatchObject({ changes: [], problem: { reason: 'DelegationMissing' } });
  });

  test('where nothing may be removed the next proof takes the place of the last', () => {
    const spent = [{ name: txtName, txtName, value: 'old', provider: 'main', zone: 'example.com' }];
    const live = txt(txtName, 'old', 'of another');
    const bare = challenge({ live, target });
    const leftover = { spentLive: new Map([[txtName, live]]), kept: new Set([txtName]) };
    const plan = planOf({ state: { ...open, spent }, order: created, challenges: [bare], ...leftover });
    const [change] = plan.changes;
    expect(plan.changes).toHaveLength(1);
    expect(change?.do === 'Records' ? change.changes[0]?.after?.values : undefined).toEqual(['of another', 'proof-1']);
    expect(plan.state.spent).toEqual(spent);
  });

  test('a provider with a shortest TTL gets no shorter one', () => {
    const bare = challenge({ target: { ...target, shortestTtl: 60 } });
    const [change] = planOf({ state: open, order: created, challenges: [bare] }).changes;
    expect(change?.do === 'Records' ? change.changes[0]?.after?.ttl : undefined).toBe(60);
  });
});
