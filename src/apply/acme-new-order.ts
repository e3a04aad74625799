/** Asking for an order (RFC 8555 §7.4), in the pace of the account. */
import type { OrderRank } from '../plan/change.ts';
import type { WireAnswer } from './acme-answer.ts';
import { titleOf } from './acme-order.ts';
import type { OrderPace } from './acme-pace.ts';
import { problemTypeOf } from './acme-problem.ts';
import type { Wire } from './acme-wire.ts';

export interface OrderWish {
  readonly names: readonly string[];
  /** The `renewalId` of the certificate that the new one takes the place of. */
  readonly replaces: string | undefined;
  readonly rank: OrderRank;
}

/** What is said of an order because of the certificate that it replaces. */
const refusesReplacing: ReadonlySet<string> = new Set(['alreadyReplaced', 'conflict', 'malformed', 'unauthorized']);

export async function requestOrder(
  wire: Wire,
  { names, replaces, rank }: OrderWish,
  { profile, pace }: { readonly profile?: string | undefined; readonly pace?: OrderPace | undefined },
): Promise<WireAnswer> {
  const identifiers = names.map((value) => ({ type: 'dns', value }));
  const plain = { identifiers, ...(profile === undefined ? {} : { profile }) };
  const ask = { resource: 'newOrder', asked: `the order for ${titleOf(names)}` } as const;
  // RFC 9773 §5: only a CA with renewal information is told what is replaced.
  const told = replaces !== undefined && (await wire.offers('renewalInfo'));
  pace?.admit(names, rank);
  const create = async (payload: object): Promise<WireAnswer> => {
    try {
      return await wire.post({ directory: 'newOrder' }, { ...ask, payload });
    } catch (error) {
      pace?.refused(names, error);
      throw error;
    }
  };
  if (!told) return create(plain);
  return create({ ...plain, replaces }).catch((error: unknown) => {
    // RFC 9773 §5: a certificate is replaced once, by the account that it was made for; the order is wanted all the same.
    if (!refusesReplacing.has(problemTypeOf(error) ?? '')) throw error;
    return create(plain);
  });
}
