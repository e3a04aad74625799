/** The pace of new orders of one account: what its CA publishes as its limits, and what it asks for when it refuses. */
import type { Clock } from '../clock.ts';
import { MailsealError } from '../errors.ts';
import type { OrderRank } from '../plan/change.ts';
import { problemDetailOf } from './acme-problem.ts';
import type { CallRate } from './providers/provider.ts';

interface CaLimits {
  /** New orders of an account. */
  readonly newOrders: { readonly count: number; readonly perSeconds: number };
  /** Nonces that are asked for, of all accounts together. */
  readonly nonces: CallRate;
}

const nonces: CallRate = { atOnce: 20, perSecond: 20, burst: 20 };

/** By the host of the directory. A CA that is not named publishes none that we know: its refusals alone are heeded. */
const published: Readonly<Record<string, CaLimits>> = {
  // https://letsencrypt.org/docs/rate-limits/
  'acme-v02.api.letsencrypt.org': { newOrders: { count: 300, perSeconds: 10_800 }, nonces },
  'acme-staging-v02.api.letsencrypt.org': { newOrders: { count: 1500, perSeconds: 10_800 }, nonces },
};

/** The published limits of the CA with this directory, where we know them. */
export const limitsOf = (directoryUrl: string): CaLimits | undefined => published[new URL(directoryUrl).host];

export interface OrderPace {
  /** Takes a place for an order of these names. @throws MailsealError ACMEThrottled, which says when there is one. */
  readonly admit: (names: readonly string[], rank: OrderRank) => void;
  /** What the CA said to an order; a wish to be left alone is kept. */
  readonly refused: (names: readonly string[], error: unknown) => void;
}

/** The part of the orders that first issuances leave to renewals. */
const keptForRenewals = 1 / 3;
/** Seconds after which one that was told to come back does so no more. */
const patience = 600;
const mostRemembered = 10_000;
const longestPause = 7 * 86_400;

/** "too many new orders (300) from this account in the last 3h0m0s": all its orders share that. */
const isOfAccount = /\btoo many new orders\b|\b(?:from|for|by) (?:this|your) account\b/iu;

interface Turn {
  readonly rank: OrderRank;
  readonly dueAt: number;
}

export function createOrderPace(limit: CaLimits['newOrders'] | undefined, clock: Clock): OrderPace {
  const { count, perSeconds } = limit ?? { count: Number.POSITIVE_INFINITY, perSeconds: 1 };
  const seconds = (): number => clock.now() / 1000;
  let left = count;
  let filledAt = seconds();
  /** Those that were told to come back, in their order. */
  const turns = new Map<string, Turn>();
  /** Of single orders: CAs limit domains and sets of names too. */
  const pauses = new Map<string, number>();
  let pausedUntil = 0;

  const throttled = (forSeconds: number, why: string): MailsealError => {
    const retryAfterSeconds = Math.ceil(forSeconds);
    const message = `${why}; the order is made in ${retryAfterSeconds} s at the earliest.`;
    return new MailsealError('ACMEThrottled', message, { retryAfterSeconds });
  };
  const heed = (wish: string, now: number): void => {
    const until = Math.max(pausedUntil, pauses.get(wish) ?? 0);
    if (until > now) throw throttled(until - now, 'The CA asked us to wait before this order');
    pauses.delete(wish);
  };
  const refill = (now: number): void => {
    // A clock that was set back gives nothing and takes nothing.
    if (count !== Number.POSITIVE_INFINITY) {
      left = Math.min(count, left + (Math.max(0, now - filledAt) * count) / perSeconds);
    }
    filledAt = now;
  };
  /** How many of the same rank were told to come back before this one. */
  const aheadOf = (wish: string, rank: OrderRank, now: number): number => {
    let ahead = 0;
    for (const [other, turn] of turns) {
      if (other === wish) return ahead;
      if (turn.dueAt + patience < now) turns.delete(other);
      else if (turn.rank === rank) ahead += 1;
    }
    return ahead;
  };

  return {
    admit: (names, rank) => {
      const [wish, now] = [JSON.stringify(names), seconds()];
      heed(wish, now);
      // In its window a renewal that the CA suggests counts against no limit of Let's Encrypt.
      if (rank === 'Suggested') return;
      refill(now);
      const needed = 1 + (rank === 'First' && limit !== undefined ? count * keptForRenewals : 0);
      if (left >= needed) {
        left -= 1;
        turns.delete(wish);
        return;
      }
      const forSeconds = ((needed - left + aheadOf(wish, rank, now)) * perSeconds) / count;
      if (turns.size < mostRemembered || turns.has(wish)) turns.set(wish, { rank, dueAt: now + forSeconds });
      const kept = rank === 'First' ? ', a third of them kept for renewals' : '';
      throw throttled(forSeconds, `The CA takes ${count} new orders in ${perSeconds / 3600} h from an account${kept}`);
    },
    refused: (names, error) => {
      if (!(error instanceof MailsealError) || error.reason !== 'ACMEThrottled') return;
      if (error.retryAfterSeconds === undefined) return;
      const until = seconds() + Math.min(error.retryAfterSeconds, longestPause);
      if (isOfAccount.test(problemDetailOf(error) ?? '')) pausedUntil = Math.max(pausedUntil, until);
      if (pauses.size >= mostRemembered) for (const [old] of [...pauses].slice(0, 1)) pauses.delete(old);
      pauses.set(JSON.stringify(names), until);
    },
  };
}
