import { describe, expect, test } from 'vitest';
import { type CertificateInput, type OrderView, planCertificate } from '../../src/plan/certificate.ts';
import type { ChallengeView } from '../../src/plan/challenges.ts';
import type { State } from '../../src/plan/state.ts';
import { certificate, day, digest, exchangerState, hour, key, minute, now, order, second, txt } from './cases.ts';

const txtName = '_acme-challenge.mx1.example.com';
const { certificate: held, ...bare } = exchangerState();
/** Nothing issued yet. */
const fresh = bare as State;
const open: State = { ...bare, order: order() };

function input(change: Partial<CertificateInput> = {}): CertificateInput {
  return {
    state: fresh,
    key: key('c'),
    names: ['mx1.example.com'],
    issuer: { name: 'ca', kind: 'acme' },
    order: undefined,
    challenges: [],
    spentLive: new Map(),
    now,
    ...change,
  };
}

function challenge(change: Partial<ChallengeView> = {}): ChallengeView {
  return {
    txtName,
    txtValue: 'proof-1',
    target: { ok: true, name: txtName, provider: 'main', zone: 'example.com' },
    live: undefined,
    synthesised: false,
    shownEverywhere: false,
    ...change,
  };
}

const standing = challenge({ live: txt(txtName, 'proof-1'), shownEverywhere: true });
const steps = (one: CertificateInput): readonly string[] => planCertificate(one).changes.map((change) => change.do);

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
    expect(steps(input(change))).toEqual(want);
  });

  test('a renewal keeps the key, so that no record changes with it', () => {
    const [change] = planCertificate(input({ state: exchangerState(), now: now + 31 * day })).changes;
    expect(change).toMatchObject({ do: 'Order', key: { spkiSha256: digest('c') }, names: ['mx1.example.com'] });
  });

  test('the state that is stored with an order is the whole state, keys included', () => {
    const [change] = planCertificate(input()).changes;
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
    expect(steps(input({ state: open, order: view, challenges }))).toEqual(want);
  });

  test('as long as it is open no second one is opened, even where what is held has expired', () => {
    const state = exchangerState({
      order: order(),
      certificate: certificate({ renewAt: now - day, notAfter: now - 1 }),
    });
    for (const status of ['pending', 'ready', 'processing', 'valid'] as const)
      expect(steps(input({ state, order: { status, answered: true } }))).not.toContain('Order');
  });

  test('the CA is not asked again before it wants to be', () => {
    const view: OrderView = { status: 'processing', answered: true, retryAfterSeconds: 30 };
    expect(planCertificate(input({ state: open, order: view })).waits).toEqual([
      { why: 'the CA is making the certificate', forMs: 30 * second },
    ]);
  });

  test('a challenge name that leads into no zone of ours is said, and nothing is written', () => {
    const target = { ok: false, reason: 'ZoneNotGranted', message: 'x.example.net lies in no zone' } as const;
    const plan = planCertificate(
      input({ state: open, order: { status: 'created' }, challenges: [challenge(), challenge({ target })] }),
    );
    expect(plan).toMatchObject({ changes: [], problem: { reason: 'ZoneNotGranted', message: target.message } });
  });
});

describe('a challenge below a name that may come from a wildcard', () => {
  test.each<readonly [string, Partial<ChallengeView>, string | undefined]>([
    ['the host has records of its own: published', { synthesised: false }, undefined],
    ['the host comes from a wildcard: never published', { synthesised: true }, 'WildcardSynthesised'],
    ['nobody can tell: not published', { synthesised: 'Unknown' }, 'DNSUnknown'],
    ['something stands there already: published', { synthesised: true, live: txt(txtName, 'other') }, undefined],
  ])('%s', (_, change, refused) => {
    const plan = planCertificate(input({ state: open, order: { status: 'created' }, challenges: [challenge(change)] }));
    expect(plan.changes.map((one) => one.do)).toEqual(refused === undefined ? ['Records'] : []);
    if (refused !== undefined) expect(plan).toMatchObject({ problem: { reason: refused }, waits: [{ forMs: 5000 }] });
  });

  test('holds back those of all other names of the order too, for the order can only fail', () => {
    const challenges = [
      challenge(),
      challenge({ txtName: '_acme-challenge.mx2.example.com', synthesised: true, txtValue: 'proof-2' }),
    ];
    expect(steps(input({ state: open, order: { status: 'pending', answered: false }, challenges }))).toEqual([]);
  });
});

describe('challenge records', () => {
  const made = (challenges: readonly ChallengeView[]) =>
    planCertificate(input({ state: open, order: { status: 'created' }, challenges })).changes.map((change) => {
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
        after: { name: 'all.acme.example.net', type: 'TXT', ttl: 5, values: ['proof-1', 'proof-2'] },
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
    const plan = planCertificate(input({ state, spentLive: new Map([[txtName, txt(txtName, ...live)]]) }));
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
    const [change] = planCertificate(
      input({ state: open, order: { status: 'valid', answered: true }, challenges: [standing] }),
    ).changes;
    expect(change).toMatchObject({ do: 'FetchCertificate', state: { spent: [spent] } });
  });
});

describe('an order that failed', () => {
  const fail = (state: State): State => {
    const view: OrderView = { status: 'invalid', answered: true, detail: 'CAA forbids' };
    const [change] = planCertificate(
      input({ state: { ...state, order: order() }, order: view, challenges: [standing] }),
    ).changes;
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
    const { problem, waits } = planCertificate(input({ state: fail(fresh), now: now + second }));
    expect(problem).toMatchObject({ reason: 'OrderInvalid', message: expect.stringContaining('CAA forbids') });
    expect(waits).toMatchObject([{ forMs: minute - second }]);
  });

  test('does not take the certificate that still serves', () => {
    expect(fail(exchangerState()).certificate).toEqual(held);
  });
});
