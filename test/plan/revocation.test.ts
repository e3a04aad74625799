import { describe, expect, test } from 'vitest';
import type { ExchangerPlan } from '../../src/plan/exchanger.ts';
import { arranged, filed } from '../../src/plan/lane.ts';
import { planExchangerRetirement } from '../../src/plan/retirement.ts';
import { postponed, revoked } from '../../src/plan/revocation.ts';
import { parseState, formatState, type ExchangerState } from '../../src/plan/state.ts';
import { makeCa } from '../pki/certificates.ts';
import {
  answer,
  applied,
  certificate,
  day,
  digest,
  exchangerState,
  host,
  installationId,
  key,
  mountedSecret,
  now,
  order,
  tlsProbe,
} from './cases.ts';
import { both, mark, planOf, tlsa } from './exchanger-world.ts';

const [c, d] = [digest('c'), digest('d')];
const ofNext = certificate({ spkiSha256: d, chain: 'of next' });
const older = { chain: 'older', issuer: 'ca', spkiSha256: c, notAfter: now + day };
const compromised = 'compromised';

/** Every host presents the next key, and nothing has been made of it yet. */
function moved(change: Partial<ExchangerState> = {}, wish?: string): ExchangerPlan {
  const state = exchangerState({
    applied: [applied(mark), applied(tlsa)],
    rollover: { phase: 'Swapping', current: c, next: d, published: true },
    rotation: { since: now - day, nextSince: now - 1000, for: compromised },
    certificate: ofNext,
    otherCertificates: [certificate()],
    replaced: [older, { ...older, chain: 'ended', notAfter: now - 1 }],
    ...change,
  });
  const shown = host({ probes: [tlsProbe('192.0.2.1', d)], liveTlsa: answer(tlsa.name, 'TLSA', { values: both }) });
  const mounted = { is: 'Ours', object: mountedSecret({ chain: 'of next', letter: 'd' }) } as const;
  const held = { wish: wish === undefined ? undefined : ({ text: wish, wanted: 'Compromised' } as const), held: false };
  return planOf({ state, hosts: [shown], mounted }, { rotation: { ...held, everyDays: 90 } });
}
const revocationsOf = (plan: ExchangerPlan) => plan.changes.filter((change) => change.do === 'Revoke');
const chainsOf = ({ state }: ExchangerPlan) => state.revocations?.map(({ chain }) => chain);

describe('the certificates of a compromised key', () => {
  test('are noted with the phase in which no host presents it, those that were replaced too, and revoked one by one', () => {
    const plan = moved({}, compromised);
    expect(plan.state.rollover.phase).toBe('Retiring');
    expect(chainsOf(plan)).toEqual([certificate().chain, 'older']);
    expect([plan.state.otherCertificates, plan.state.replaced]).toEqual([undefined, undefined]);
    const [saved, ...rest] = plan.changes;
    expect(saved).toMatchObject({ do: 'SaveState', state: plan.state });
    expect(saved).not.toHaveProperty('lane');
    expect(rest.filter((change) => change.do === 'Revoke')).toMatchObject([
      { lane: 'Revocations', revocation: { chain: certificate().chain, issuer: 'ca', key: key('c') } },
    ]);
  });

  test('are revoked where the annotation was taken away on the way, and not those of a rotation for another reason', () => {
    expect(chainsOf(moved())).toEqual([certificate().chain, 'older']);
    const due = moved({ rotation: { since: now - day, nextSince: now - 1000 } });
    expect(due.state.rollover.phase).toBe('Retiring');
    expect(chainsOf(due)).toBeUndefined();
    expect(due.state.replaced?.map(({ chain }) => chain)).toContain(certificate().chain);
  });

  test('that signed themselves can be revoked by nobody', async () => {
    const ca = await makeCa();
    const chain = ca.root.cert;
    expect(chainsOf(moved({ otherCertificates: [certificate({ chain })], replaced: [] }))).toBeUndefined();
  });

  test('are forgotten when they have ended', () => {
    const ended = { ...older, notAfter: now };
    expect(chainsOf(moved({ otherCertificates: [], replaced: [], revocations: [ended] }))).toBeUndefined();
  });
});

describe('a revocation that is due', () => {
  const retiring = { phase: 'Retiring', current: c, next: d, spare: digest('e'), published: true } as const;
  const keys = ['c', 'd', 'e'].map(key);
  const waiting = { rollover: retiring, keys, otherCertificates: [], replaced: [] };

  test('waits where the same look stores an order, and while the object is suspended', () => {
    const busy = moved({ ...waiting, revocations: [older], certificate: { ...ofNext, renewAt: now } });
    expect(busy.changes.map((change) => change.do)).toContain('Order');
    expect(revocationsOf(busy)).toEqual([]);
    const world = { state: exchangerState({ revocations: [older] }) };
    expect(revocationsOf(planOf(world))).toHaveLength(1);
    expect(revocationsOf(planOf(world, { suspended: true }))).toEqual([]);
  });

  test('is not held up by an order that fails, and stands in the way of none', () => {
    const failing = moved({ ...waiting, revocations: [older], order: order({ spkiSha256: d }) });
    expect(revocationsOf(failing)).toHaveLength(1);
  });

  test('that failed waits longer each time, and its failure is told', () => {
    let state = exchangerState({ revocations: [older] });
    for (const minutes of [1, 2, 4]) {
      state = postponed(state, older, 'the CA is away', now);
      expect(state.revocations?.[0]?.after).toBe(now + minutes * 60_000);
    }
    const plan = planOf({ state });
    expect(revocationsOf(plan)).toEqual([]);
    expect(plan.revocations.problem).toContain('CertificateIssuer ca: the CA is away');
    expect(plan.waits).toContainEqual({ why: plan.revocations.problem, forMs: 4 * 60_000 });
    expect(parseState('exchanger', formatState(state))).toEqual(state);
    expect(revoked(state, older)).toEqual(exchangerState());
  });
});

describe('an object that has gone', () => {
  const of = (revocations: ExchangerState['revocations'] = []) => {
    const state = exchangerState({ revocations, withdrawn: { goneSince: 0, ttl: 1 } });
    const removal = {
      installationId,
      state,
      gone: new Map(),
      challenges: { challenges: [], spentLive: new Map() },
      traits: {},
    };
    return planExchangerRetirement({ ...removal, neededBy: undefined, moving: undefined }, now);
  };
  const later = { ...older, after: now + 1000, failures: 1 };

  test('is forgotten only when its certificates are revoked, or the CA was asked for about an hour', () => {
    expect(of([older])).toMatchObject({ phase: 'Removing', changes: [{ do: 'Revoke' }] });
    expect(of([later])).toMatchObject({ phase: 'Removing', changes: [], waits: [{ forMs: 1000 }] });
    expect(of([{ ...later, failures: 7 }])).toMatchObject({ phase: 'Done', changes: [{ do: 'ForgetState' }] });
    expect(of([{ ...later, notAfter: now }])).toMatchObject({ phase: 'Done' });
    expect(of()).toMatchObject({ phase: 'Done' });
  });
});

describe('certificates that were replaced', () => {
  test('are kept while they last and their key is in use', () => {
    const renewed = certificate({ chain: 'renewed', notBefore: now });
    const state = filed(
      exchangerState({ replaced: [older, { ...older, chain: 'ended', notAfter: now - 1 }] }),
      renewed,
    );
    expect(state).toMatchObject({ certificate: renewed });
    expect((state as ExchangerState).replaced?.map(({ chain }) => chain)).toEqual(['older', certificate().chain]);
    const gone = {
      ...(state as ExchangerState),
      rollover: { phase: 'Steady', current: d, next: 'f', published: true } as const,
    };
    expect(arranged(gone, [d]).replaced).toBeUndefined();
  });
});
