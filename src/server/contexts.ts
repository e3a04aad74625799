/** TLS contexts, built when a client first asks for a host and dropped when it has not been asked for the longest. */
import { constants } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { ServedHost } from './served.ts';

export interface Contexts {
  /** Throws what OpenSSL says of certificate and key. */
  readonly of: (host: string, served: ServedHost) => SecureContext;
  readonly forget: (hosts: readonly string[]) => void;
  readonly size: () => number;
}

/** Senders come back after hours or days: tickets and sessions would only cost. */
export const secureOptions: number = constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION;

/** @param limit contexts held at most; one takes some 20 to 40 KiB. */
export function createContexts(limit: number): Contexts {
  const held = new Map<string, SecureContext>();
  return {
    of: (host, served) => {
      const known = held.get(host);
      held.delete(host);
      const context = known ?? contextOf(served);
      held.set(host, context);
      if (held.size > limit) held.delete(held.keys().next().value ?? '');
      return context;
    },
    forget: (hosts) => {
      for (const host of hosts) held.delete(host);
    },
    size: () => held.size,
  };
}

function contextOf({ entry }: ServedHost): SecureContext {
  return createSecureContext({
    cert: entry.certificate,
    key: entry.key,
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.3',
    secureOptions,
    honorCipherOrder: true,
  });
}
