import { beforeEach, describe, expect, test } from 'vitest';
import { createOrderPace, limitsOf, type OrderPace } from '../../src/apply/acme-pace.ts';
import { MailsealError } from '../../src/errors.ts';
import type { OrderRank } from '../../src/plan/change.ts';

const limit = { count: 300, perSeconds: 10_800 };
let now: number;
let pace: OrderPace;
const create = (of: typeof limit | undefined): OrderPace => createOrderPace(of, { now: () => now });
beforeEach(() => {
  now = Date.UTC(2026, 10, 22);
  pace = create(limit);
});

/** Seconds that the order is told to wait; 0 where it may go. */
function waitFor(name: string, rank: OrderRank = 'First'): number {
  try {
    pace.admit([name], rank);
    return 0;
  } catch (error) {
    expect(error).toMatchObject({ reason: 'ACMEThrottled', kind: 'Retry' });
    return (error as MailsealError).retryAfterSeconds ?? 0;
  }
}
const admitted = (many: number, rank: OrderRank, label: string): number =>
  Array.from({ length: many }, (_, at) => waitFor(`${label}${at}`, rank)).filter((wait) => wait === 0).length;
const throttled = (detail: string, retryAfterSeconds?: number) => {
  const cause = { type: 'rateLimited', detail, status: 429 };
  return new MailsealError('ACMEThrottled', `The CA asks us to wait: ${detail}`, { retryAfterSeconds, cause });
};

describe('the orders of an account', () => {
  test('are as many as the CA publishes, a third of them kept for renewals', () => {
    expect(admitted(500, 'First', 'new')).toBe(200);
    expect(admitted(500, 'Renewal', 'old')).toBe(100);
  });

  test('that the CA suggests count for nothing', () => {
    admitted(500, 'Renewal', 'old');
    expect(admitted(500, 'Suggested', 'now')).toBe(500);
  });

  test('that must wait are told to come back one after the other, and are taken then', () => {
    admitted(200, 'First', 'new');
    expect(['a', 'b', 'c', 'a'].map((name) => waitFor(name))).toEqual([36, 72, 108, 36]);
    now += 36_000;
    expect(waitFor('a')).toBe(0);
    expect(waitFor('b')).toBe(36);
  });

  test('do not wait behind those that never came back', () => {
    admitted(200, 'First', 'new');
    ['a', 'b', 'c'].forEach((name) => waitFor(name));
    now += 30_000_000;
    admitted(200, 'First', 'more');
    expect(waitFor('d')).toBe(36);
  });

  test('are no more where the clock was set back', () => {
    admitted(500, 'First', 'new');
    now -= 86_400_000;
    expect(waitFor('a')).toBeGreaterThan(0);
  });

  test('say which limit it is', () => {
    admitted(200, 'First', 'new');
    expect(() => pace.admit(['x'], 'First')).toThrow(
      'The CA takes 300 new orders in 3 h from an account, a third of them kept for renewals; the order is made in 36 s',
    );
  });

  test('have no limit at a CA that publishes none', () => {
    pace = create(undefined);
    expect(admitted(5000, 'First', 'new')).toBe(5000);
  });
});

describe('a CA that asks us to wait', () => {
  beforeEach(() => {
    pace = create(undefined);
  });

  test('is left alone with that order until then, and with no other', () => {
    pace.refused(['a'], throttled('too many certificates for account.example.com', 3600));
    expect([waitFor('a'), waitFor('b'), waitFor('a', 'Suggested')]).toEqual([3600, 0, 3600]);
    now += 3_600_000;
    expect(waitFor('a')).toBe(0);
  });

  test('because of the account, is left alone with every order', () => {
    pace.refused(['a'], throttled('too many new orders (300) from this account in the last 3h0m0s', 60));
    expect([waitFor('a'), waitFor('b', 'Renewal')]).toEqual([60, 60]);
  });

  test.each([
    ['without a time', throttled('too many'), 0],
    ['for years', throttled('too many', 999_999_999), 7 * 86_400],
    ['in another matter', new MailsealError('ACMERefused', 'no', { retryAfterSeconds: 60 }), 0],
  ])('%s is heeded within reason', (_, error, seconds) => {
    pace.refused(['a'], error);
    expect(waitFor('a')).toBe(seconds);
  });
});

test.each([
  ['https://acme-v02.api.letsencrypt.org/directory', 300],
  ['https://ca.example/directory', undefined],
])('the limits of %s', (url, count) => {
  expect(limitsOf(url)?.newOrders.count).toBe(count);
});
