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

/** More are never open for long; of those forgotten the CA is asked once more. */
const mostRemembered = 10_000;

export function createOrders(): Orders {
  const known = new Map<string, 'opened' | 'answered'>();
  const note = (url: string, what: 'opened' | 'answered'): void => {
    known.delete(url);
    known.set(url, what);
    const [oldest] = known.keys();
    if (known.size > mostRemembered && oldest !== undefined) known.delete(oldest);
  };
  return {
    opened: (url) => note(url, 'opened'),
    answered: (url) => note(url, 'answered'),
    forget: (url) => void known.delete(url),
    view: async (issuer, order) => {
      const what = known.get(order.url);
      if (what === 'opened') return { status: 'created' };
      if (issuer.kind !== 'acme') {
        known.delete(order.url);
        return { status: 'gone', answered: false, detail: 'the issuer is no ACME server any more' };
      }
      const seen = await issuer.acme.poll(order);
      // The plan drops what has failed, and nobody asks for it again.
      if (seen.status === 'invalid' || seen.status === 'gone') known.delete(order.url);
      return { ...seen, answered: what === 'answered' };
    },
  };
}
