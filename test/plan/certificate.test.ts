import { describe, expect, test } from 'vitest';
import type { CertificateInput, OrderView } from '../../src/plan/certificate.ts';
import type { ChallengeView } from '../../src/plan/challenges.ts';
import type { State } from '../../src/plan/state.ts';
import { certificate, day, digest, exchangerState, hour, key, minute, now, order, second, txt } from './cases.ts';
import { challenge, fresh, open, planOf, standing, txtName } from './certificate-world.ts';
import { steps } from './steps.ts';

describe('what is issued', () => {
  test.each<readonly [string, Partial<CertificateInput>, readonly string[]]>([
    ['nothing is held: an order', {}, ['Order']],
    ['nothing is held, and the issuer signs itself', { issuer: { name: 'ca', kind: 'selfSigned' } }, ['SelfSign']],
    ['what is held serves', { state: exchangerState() }, []],
    ['a name is new', { state: exchangerState(), names: ['mx1.example.com', 'mx2.example.com'] }, ['Order']],
    [
      'a name has gone: what is held serves on',
      { state: exchangerState({ certificate: certificate({ names: ['mx1.example.com', 'old.example.com'] }) }) },
      [],
    ],
    ['the key is another', { state: exchangerState(), key: key('d') }, ['Order']],
    ['the issuer is another', { state: exchangerState(), issuer: { name: 'other', kind: 'acme' } }, ['Order']],
    ['a moment before the renewal', { state: exchangerState(), now: now + 30 * day - 1 }, []],
    ['the renewal is due', { state: exchangerState(), now: now + 30 * day }, ['Order']],
    ['the last order failed a moment ago', { state: { ...fresh, failures: 1, orderAfter: now + 1 } }, []],
    ['the back-off is over', { state: { ...fresh, failures: 1, orderAfter: now } }, ['Order']],
    [
      'the last order failed, and the issuer is now one that can’t refuse',
      { state: { ...fresh, failures: 3, orderAfter: now + hour }, issuer: { name: 'own', kind: 'selfSigned' } },
      ['SelfSign'],
    ],
  ])('%s', (_, change, want) => {
    expect(steps(planOf(change))).toEqual(want);
  });

  test('a renewal keeps the key, so that no record changes with it', () => {
    const [change] = planOf({ state: exchangerState(), now: now + 31 * day }).changes;
    expect(change).toMatchObject({ do: 'Order', key: { spkiSha256: digest('c') }, names: ['mx1.example.com'] });
  });

  test('the state that is stored with an order is the whole state, keys included', () => {
    const [change] = planOf().changes;
    expect(change).toMatchObject({ do: 'Order', state: { keys: [key('c'), key('d')] } });
  });
});

describe('an open order', () => {
  const pending: OrderView = { status: 'pending', answered: false };
  test.each<readonly [string, OrderView | undefined, readonly ChallengeView[], readonly string[]]>([
    ['not asked for yet: wait', undefined, [challenge()], []],
    ['just made, nothing published: publish', { status: 'created' }, [challenge()], ['Records']],
    [
      'just made, published, not at all servers: wait',
      { status: 'created' },
      [challenge({ live: txt(txtName, 'proof-1') })],
      [],
    ],
    ['just made, shown everywhere: answer', { status: 'created' }, [standing], ['AnswerChallenges']],
    ['pending after a restart, nothing published: publish', pending, [challenge()], ['Records']],
    ['pending after a restart, shown everywhere: answer', pending, [standing], ['AnswerChallenges']],
    ['every authorization is valid from before: answer none, go on', pending, [], ['AnswerChallenges']],
    ['answered and pending: wait for the CA', { status: 'pending', answered: true }, [standing], []],
    ['ready: finalize', { status: 'ready', answered: true }, [standing], ['Finalize']],
    ['processing: wait', { status: 'processing', answered: true }, [standing], []],
    ['valid: fetch', { status: 'valid', answered: true }, [standing], ['FetchCertificate']],
    ['invalid: store that it failed', { status: 'invalid', answered: true }, [standing], ['SaveState']],
    ['gone at the CA: store that it failed', { status: 'gone', answered: false }, [standing], ['SaveState']],
    [
      'one of two shown everywhere: wait',
      { status: 'created' },
      [standing, challenge({ txtValue: 'p2', live: txt(txtName, 'proof-1', 'p2') })],
      [],
    ],
  ])('%s', (_, view, challenges, want) => {
    expect(steps(planOf({ state: open, order: view, challenges }))).toEqual(want);
  });

  test('as long as it is open no second one is opened, even where what is held has expired', () => {
    const state = exchangerState({
      order: order(),
      certificate: certificate({ renewAt: now - day, notAfter: now - 1 }),
    });
    for (const status of ['pending', 'ready', 'processing', 'valid'] as const)
      expect(steps(planOf({ state, order: { status, answered: true } }))).not.toContain('Order');
  });

  test('the CA is not asked again before it wants to be', () => {
    const view: OrderView = { status: 'processing', answered: true, retryAfterSeconds: 30 };
    expect(planOf({ state: open, order: view }).waits).toEqual([
      { why: 'the CA is making the certificate', forMs: 30 * second },
    ]);
  });

  test('a challenge name that leads into no zone of ours is said, and nothing is written', () => {
    const target = { ok: false, reason: 'ZoneNotGranted', message: 'x.example.net lies in no zone' } as const;
    const plan = planOf({
      state: open,
      order: { status: 'created' },
      challenges: [challenge(), challenge({ target })],
    });
    expect(plan).toMatchObject({ changes: [], problem: { reason: 'ZoneNotGranted', message: target.message } });
  });
});

describe('an order that failed', () => {
  const fail = (state: State): State => {
    const view: OrderView = { status: 'invalid', answered: true, detail: 'CAA forbids' };
    const [change] = planOf({ state: { ...state, order: order() }, order: view, challenges: [standing] }).changes;
    if (change?.do !== 'SaveState') throw new Error('the failure was not stored');
    return change.state;
  };

  test('is forgotten, its records are cleaned up, and the next waits', () => {
    const state = fail(fresh);
    expect(state).toMatchObject({
      failures: 1,
      orderAfter: now + minute,
      failure: 'CAA forbids',
      spent: [{ value: 'proof-1' }],
    });
    expect(state.order).toBeUndefined();
  });

  test('waits twice as long each time, and never more than six hours', () => {
    const waits: number[] = [];
    let state: State = fresh;
    for (let n = 0; n < 12; n += 1) {
      state = fail(state);
      waits.push((state.orderAfter ?? 0) - now);
    }
    expect(waits.slice(0, 4)).toEqual([minute, 2 * minute, 4 * minute, 8 * minute]);
    expect(waits.at(-1)).toBe(6 * hour);
  });

  test('leaves its cause in what is said until the next attempt', () => {
    const { problem, waits } = planOf({ state: fail(fresh), now: now + second });
    expect(problem).toMatchObject({ reason: 'OrderInvalid', message: expect.stringContaining('CAA forbids') });
    expect(waits).toMatchObject([{ forMs: minute - second }]);
  });

  test('does not take the certificate that still serves', () => {
    expect(fail(exchangerState()).certificate).toEqual(exchangerState().certificate);
  });
});
