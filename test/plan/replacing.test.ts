import { beforeAll, describe, expect, test } from 'vitest';
import { renewalIdOfChain, renewalTime } from '../../src/pki/renewal.ts';
import type { StoredCertificate } from '../../src/plan/state.ts';
import { makeCa } from '../pki/certificates.ts';
import { certificate, day, digest, exchangerState, now } from './cases.ts';
import { fresh, planOf } from './certificate-world.ts';

let stored: StoredCertificate;
beforeAll(async () => {
  const ca = await makeCa();
  const dates = { notBefore: now - 10 * day, notAfter: now + 80 * day };
  const { cert: chain } = await ca.issue({ names: ['mx1.example.com'], ...dates });
  stored = certificate({ chain, ...dates, spkiSha256: digest('c'), renewAt: renewalTime(chain) });
});
const state = (change: Partial<StoredCertificate> = {}) => exchangerState({ certificate: { ...stored, ...change } });
const ahead = { start: now + 20 * day, end: now + 21 * day };
const past = { start: now - 2 * day, end: now - day, explanationUrl: 'https://ca.example/why' };

describe('a window that the CA suggests', () => {
  test('moves the stored time of renewal, once', () => {
    const plan = planOf({ state: state(), suggested: ahead });
    expect(plan.changes).toEqual([]);
    expect(plan.state.certificate?.renewAt).toBe(renewalTime(stored.chain, ahead));
    expect(planOf({ state: plan.state, suggested: ahead }).state).toEqual(plan.state);
  });

  test('that is unknown moves nothing', () => {
    const before = state({ renewAt: now + 5 * day });
    expect(planOf({ state: before }).state).toEqual(before);
  });

  test('that has passed opens an order that names what it replaces, with the reason of the CA', () => {
    const { changes, problem } = planOf({ state: state(), suggested: past });
    const why = 'the CA wants the certificate to be renewed before its time; it says why at https://ca.example/why';
    expect(changes).toMatchObject([
      { do: 'Order', why, replaces: renewalIdOfChain(stored.chain), hurried: 1, rank: 'Suggested' },
    ]);
    expect(problem?.message).toContain(why);
  });

  test('that has passed for each new certificate too is followed ever more slowly', () => {
    const pauses = [1, 2, 3, 4, 20].map((hurried) => {
      const { certificate: next } = planOf({ state: state({ hurried, notBefore: now }), suggested: past }).state;
      return ((next?.renewAt ?? 0) - now) / 3_600_000;
    });
    expect(pauses.slice(0, 4)).toEqual([4, 8, 16, 32]);
    expect(now + (pauses[4] ?? 0) * 3_600_000).toBe(renewalTime(stored.chain));
  });
});

describe('an order for the next certificate', () => {
  const due = () => state({ renewAt: now - 1, notAfter: now + 20 * day });

  test('that is due by itself names what it replaces and is in no hurry', () => {
    const [change] = planOf({ state: due() }).changes;
    expect(change).toMatchObject({ do: 'Order', replaces: renewalIdOfChain(stored.chain), rank: 'Renewal' });
    expect(change).not.toHaveProperty('hurried');
  });

  test.each([
    ['the first', () => fresh],
    ['one of another issuer', () => state({ issuer: 'other', renewAt: now - 1 })],
    ['one whose predecessor can not be read', () => state({ chain: 'no chain', renewAt: now - 1 })],
  ])('replaces nothing if it is %s', (_, before) => {
    const [change] = planOf({ state: before() }).changes;
    expect(change).toMatchObject({ do: 'Order' });
    expect(change).not.toHaveProperty('replaces');
  });
});
