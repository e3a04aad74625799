/** Whether the DNS lets a key be presented: no DANE sender must meet one that the live TLSA set does not match. */
import { tlsaName } from '../dane/tlsa.ts';
import { verifyDane } from '../dane/verify.ts';
import type { Answer, Resolver } from '../dns/answer.ts';
import type { MailServerKind } from './servers/server.ts';

export type Allowed = { readonly allowed: true } | { readonly allowed: false; readonly why: string };

interface Sought {
  /** A-label, lower case. */
  readonly host: string;
  /** At which the world meets the key. */
  readonly ports: readonly number[];
  /** PEM, leaf first: what the host would present. */
  readonly chain: string;
  readonly now: number;
}

/**
 * At which ports peers meet the key of a server that answers this agent at `port`. Other mail servers come to port 25,
 * whichever one behind it is asked here.
 */
export const portsOf = (kind: MailServerKind, port: number): readonly number[] =>
  kind === 'dovecot' ? [port] : [...new Set([25, port])];

/**
 * Asks for the TLSA sets of a host, and of the name that it is an alias of, which senders may use instead. What can't be
 * known allows nothing. Never rejects for what DNS may do.
 */
export async function tlsaAllows(resolver: Resolver, { host, ports, chain, now }: Sought): Promise<Allowed> {
  const addresses = await Promise.all([resolver.lookup(host, 'A'), resolver.lookup(host, 'AAAA')]);
  for (const address of addresses) if (!isKnown(address)) return unknown(address);
  // RFC 7672 §2.2.2: the base domain is the end of a secure chain of aliases, else the host itself.
  const bases = [...new Set([host, ...addresses.map(({ canonicalName }) => canonicalName)])];
  const certificates = chain.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/gu) ?? [];
  for (const name of bases.flatMap((base) => ports.map((port) => tlsaName(base, port)))) {
    const answer = await resolver.lookup(name, 'TLSA');
    if (!isKnown(answer)) return unknown(answer);
    if (!answer.authentic || answer.outcome !== 'Found') continue;
    const verdict = verifyDane({ records: answer.values, chain: certificates, names: bases, now });
    // RFC 7672 §2.2: where no record is usable, any certificate will do.
    if (verdict.verdict === 'NoMatch') {
      const why = `the TLSA records at ${answer.name} (${answer.values.join(', ')}) do not match the new key, and mail of senders that check DANE would wait`;
      return { allowed: false, why };
    }
  }
  return { allowed: true };
}

/** An answer without a word of doubt: data or a denial, validated, or from a zone that is not signed. */
function isKnown({ outcome, authentic, detail }: Answer): boolean {
  const answered = outcome === 'Found' || outcome === 'NoData' || outcome === 'NxDomain';
  return answered && (authentic || detail === undefined);
}

function unknown({ name, type, outcome, detail }: Answer): Allowed {
  const why = `whether live TLSA records match the new key is not known: ${name} ${type}: ${detail ?? outcome}`;
  return { allowed: false, why };
}
