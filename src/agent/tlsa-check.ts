/** The check of live TLSA records with the resolvers that the agent was given. */
import type { Resolver } from '../dns/answer.ts';
import { createResolver } from '../observe/dns/resolver.ts';
import type { ResolverSettings } from './agent-file.ts';
import { type Allowed, tlsaAllows } from './tlsa.ts';

interface TlsaCheck {
  /** Rejects only for settings that can't be read. */
  readonly allows: (chain: string, ports: readonly number[], now: number) => Promise<Allowed>;
  readonly close: () => void;
}

/** Without settings an administrator has said that there is nothing to look at. */
export function createTlsaCheck(host: string, settings: ResolverSettings | undefined): TlsaCheck {
  if (settings === undefined) return { allows: () => Promise.resolve({ allowed: true }), close: () => {} };
  const { servers, ca, secureName, bogusName } = settings;
  const resolver = createResolver({ view: 'outside', servers, caBundle: ca });
  return {
    allows: async (chain, ports, now) => {
      // A resolver that validated an hour ago may not do so any more, and keys are changed seldom.
      const test = await resolver.selfTest(secureName, bogusName);
      if (test !== 'Validating') {
        return { allowed: false, why: `whether live TLSA records match the new key is not known: ${test.problem}` };
      }
      return await tlsaAllows(resolver satisfies Resolver, { host, ports, chain, now });
    },
    close: resolver.close,
  };
}
