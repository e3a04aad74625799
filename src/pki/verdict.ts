/** What a sender that checks certificates the way of the web (RFC 8461 §4.2) makes of a chain. */
import { X509Certificate } from 'node:crypto';
import type { ChainVerdict, SentCertificate } from './observed.ts';
import { matchesHost } from './names.ts';

/** OpenSSL's codes for a path that does not reach a root that is known here. */
const noIssuer = new Set([
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

function selfIssued(certificate: SentCertificate): boolean {
  return certificate.issuer !== '' && certificate.issuer === certificate.subject;
}

/** Whether a certificate that was sent is not signed by any other that was, and none above the gap was sent. */
function pathProblem(chain: readonly SentCertificate[]): ChainVerdict {
  const [leaf] = chain;
  if (leaf === undefined) return { verdict: 'Untrusted', detail: 'the server sent no certificate' };
  if (selfIssued(leaf)) return { verdict: 'Untrusted', detail: 'the certificate is self-signed' };
  const parsed = chain.map((certificate) => new X509Certificate(certificate.pem));
  let at = parsed[0];
  for (let hops = 0; at !== undefined && hops < chain.length; hops++) {
    const child: X509Certificate = at;
    const parent = parsed.find((other) => other !== child && child.checkIssued(other));
    if (parent === undefined) break;
    at = parent;
  }
  const top = chain[at === undefined ? 0 : parsed.indexOf(at)] ?? leaf;
  if (top === leaf) {
    const detail = `the server sends its own certificate, but not that of its issuer (${leaf.issuer})`;
    return { verdict: 'IncompleteChain', detail };
  }
  const missing = selfIssued(top) ? top.subject : top.issuer;
  return { verdict: 'Untrusted', detail: `the chain ends at ${missing}, which is not a root that is trusted here` };
}

function datesProblem(chain: readonly SentCertificate[], now: number): ChainVerdict | undefined {
  const time = (at: number): string => new Date(at).toISOString();
  const [leaf] = chain;
  if (leaf === undefined) return undefined;
  if (leaf.notAfter <= now) return { verdict: 'Expired', detail: `the certificate expired at ${time(leaf.notAfter)}` };
  if (leaf.notBefore > now) {
    return { verdict: 'NotYetValid', detail: `the certificate is valid only from ${time(leaf.notBefore)}` };
  }
  return undefined;
}

export interface VerdictInput {
  /** As sent, leaf first. */
  readonly chain: readonly SentCertificate[];
  /** OpenSSL's code of the first thing wrong with the path; undefined where it found a trusted one. */
  readonly pathError: string | undefined;
  readonly host: string;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/**
 * Judges a chain as it was sent: path first, then dates, then names, as senders do. OpenSSL has walked the path (it
 * knows constraints and key usage); dates of the leaf are judged by `now`.
 */
export function judgeChain(input: VerdictInput): ChainVerdict {
  const { chain, pathError, host, now } = input;
  const dates = datesProblem(chain, now);
  switch (pathError) {
    case undefined:
      break;
    case 'CERT_HAS_EXPIRED':
      return dates ?? { verdict: 'Expired', detail: 'a certificate of the chain has expired' };
    case 'CERT_NOT_YET_VALID':
      return dates ?? { verdict: 'NotYetValid', detail: 'a certificate of the chain is not yet valid' };
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
      return { verdict: 'Untrusted', detail: 'the certificate is self-signed' };
    case 'SELF_SIGNED_CERT_IN_CHAIN':
      return pathProblem(chain);
    default:
      if (noIssuer.has(pathError)) return pathProblem(chain);
      return { verdict: 'Untrusted', detail: `the chain does not verify (${pathError})` };
  }
  if (dates !== undefined) return dates;
  const names = chain[0]?.names ?? [];
  if (matchesHost(names, host)) return { verdict: 'Verified' };
  const shown = names.length === 0 ? 'no host at all' : names.slice(0, 5).join(', ');
  return { verdict: 'NameMismatch', detail: `the certificate names ${shown}, not ${host}` };
}
