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

/** @param limit contexts held at most; one takes some 40 KiB outside of V8's heap. */
export function createContexts(limit: number): Contexts {
  const held = new Map<string, SecureContext>();
  const dropOldest = (): void => {
    for (const [host, context] of held) {
      held.delete(host);
      release(context);
      return;
    }
  };
  return {
    of: (host, served) => {
      const known = held.get(host);
      held.delete(host);
      const context = known ?? contextOf(served);
      held.set(host, context);
      if (held.size > limit) dropOldest();
      return context;
    },
    forget: (hosts) => {
      for (const host of hosts) {
        const context = held.get(host);
        held.delete(host);
        if (context !== undefined) release(context);
      }
    },
    size: () => held.size,
  };
}

function contextOf({ entry }: ServedHost): SecureContext {
  return createSecureContext({
    // No client certificate is ever asked for: without this every context refers to all of Node's roots.
    ca: [],
    cert: entry.certificate ?? undefined,
    key: entry.key ?? undefined,
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.3',
    secureOptions,
    honorCipherOrder: true,
  });
}

/**
 * Gives OpenSSL's part back at once: V8 sees only a small object and would leave hundreds of megabytes to a later
 * collection. Connections that were set up with it hold a reference of their own.
 */
function release(context: SecureContext): void {
  (context.context as { readonly close?: () => void }).close?.();
}
