import type { OrderView } from '../plan/certificate.ts';
import type { IssuerApi } from '../apply/issuers.ts';
import type { OpenOrder } from '../plan/state.ts';

/**
 * What this run of the program did with open orders, so that the CA is asked only what it must be. It may be lost: an
 * order that is not remembered is looked up at the CA.
 */
export interface Orders {
  readonly opened: (url: string) => void;
  readonly answered: (url: string) => void;
  readonly forget: (url: string) => void;
  readonly view: (issuer: IssuerApi, order: OpenOrder) => Promise<OrderView | undefined>;
}

export function createOrders(): Orders {
  const known = new Map<string, 'opened' | 'answered'>();
  return {
    opened: (url) => void known.set(url, 'opened'),
    answered: (url) => void known.set(url, 'answered'),
    forget: (url) => void known.delete(url),
    view: async (issuer, order) => {
      const what = known.get(order.url);
      if (what === 'opened') return { status: 'created' };
      if (issuer.kind !== 'acme')
        return { status: 'gone', answered: false, detail: 'the issuer is no ACME server any more' };
      return { ...(await issuer.acme.poll(order)), answered: what === 'answered' };
    },
  };
}
