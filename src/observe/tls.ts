/** Reading a TLS peer without trusting it: the chain as sent, and what the roots known here make of it. */
import { isIP } from 'node:net';
import {
  type ConnectionOptions,
  createSecureContext,
  getCACertificates,
  type SecureContext,
  type TLSSocket,
} from 'node:tls';
import { describeCertificate } from '../pki/certificate.ts';
import { judgeChain } from '../pki/verdict.ts';
import type { ChainVerdict, SentCertificate } from '../pki/observed.ts';

const longestChain = 10;
const contexts = new Map<string, SecureContext>();

/**
 * The roots of Node, of the system as Node was told (NODE_EXTRA_CA_CERTS, --use-system-ca), and `extra`, PEM. Kept,
 * because reading all roots takes milliseconds, and a context for each connection a good part of its handshake.
 */
function trustContext(extra: readonly string[]): SecureContext {
  const key = extra.join('\n');
  const known = contexts.get(key);
  if (known !== undefined) return known;
  // Without a list Node takes its own default, which it has read once for all.
  const roots = extra.length === 0 ? {} : { ca: [...getCACertificates('default'), ...extra] };
  const context = createSecureContext(roots);
  // A handful of issuers at most have roots of their own.
  if (contexts.size >= 8) contexts.clear();
  contexts.set(key, context);
  return context;
}

/** The certificates in the order in which the peer sent them, at most ten. The session must not be a resumed one. */
function sentChain(socket: TLSSocket): readonly SentCertificate[] {
  const chain: SentCertificate[] = [];
  // getPeerCertificate(true) would fill gaps from the local store; this walks what came over the wire.
  let certificate = socket.getPeerX509Certificate();
  while (certificate !== undefined && chain.length < longestChain) {
    chain.push(describeCertificate(certificate));
    certificate = certificate.issuerCertificate;
  }
  return chain;
}

/** The code of what OpenSSL found wrong with the path. */
function pathError(socket: TLSSocket): string | undefined {
  if (socket.authorized) return undefined;
  // Node's types call it an Error; OpenSSL's refusal is the bare code.
  const error: unknown = socket.authorizationError;
  return typeof error === 'string' ? error : ((error as NodeJS.ErrnoException | undefined)?.code ?? 'UNSPECIFIED');
}

/** What both the SMTP probe and the policy fetch ask of Node: look at everything, refuse nothing, judge afterwards. */
export function peerOptions(host: string, trust: readonly string[]): ConnectionOptions {
  return {
    secureContext: trustContext(trust),
    rejectUnauthorized: false,
    // Names are judged by `judgePeer`.
    checkServerIdentity: () => undefined,
    ...(isIP(host) === 0 ? { servername: host } : {}),
  };
}

/** OpenSSL's reason for a failed handshake without its file names. */
export function tlsErrorText(error: Error): string {
  const { reason, code } = error as NodeJS.ErrnoException & { reason?: string };
  return reason ?? code ?? error.message;
}

/** What a sender that checks certificates makes of this peer. `now` in milliseconds since 1970. */
export function judgePeer(
  socket: TLSSocket,
  host: string,
  now: number,
): { readonly chain: readonly SentCertificate[]; readonly pkix: ChainVerdict } {
  const chain = sentChain(socket);
  return { chain, pkix: judgeChain({ chain, pathError: pathError(socket), host, now }) };
}
