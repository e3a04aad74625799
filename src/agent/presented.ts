/** What our own mail server presents, as its peers see it. */
import { X509Certificate } from 'node:crypto';
import type { Attestation } from '../api/attestation.ts';
import type { Clock } from '../clock.ts';
import { messageOf } from '../errors.ts';
import { probeSmtp } from '../observe/smtp.ts';
import type { SentCertificate } from '../pki/observed.ts';
import type { Installation } from './agent-file.ts';
import { directChain } from './direct-tls.ts';
import type { MailServer, Port } from './servers/server.ts';

export type Presented =
  | {
      readonly seen: 'Leaf';
      readonly leaf: NonNullable<Attestation['presents']>;
      /** As `X509Certificate.fingerprint256` has it. */
      readonly fingerprint: string;
    }
  /** It answered, and a peer gets no TLS. */
  | { readonly seen: 'NoTls'; readonly detail: string }
  /** It could not be asked: nothing is proven either way. */
  | { readonly seen: 'Unknown'; readonly detail: string };

export type Look = () => Promise<Presented>;

const probeMs = 20_000;

/** Each call makes one connection to the mail server's own port; it never rejects. */
export function createLook(installation: Installation, server: MailServer, clock: Clock): Look {
  let known: Port | undefined;
  return async () => {
    try {
      known = installation.port ?? (await server.port());
    } catch (error) {
      // A configuration that is broken now does not hide what still runs.
      if (known === undefined) return { seen: 'Unknown', detail: messageOf(error) };
    }
    const { address, port, tls } = known;
    const place = { host: installation.host, address, port };
    if (tls === 'StartTls') return await lookBySmtp(place, clock);
    const chain = await directChain({ ...place, timeoutMs: probeMs });
    if (chain.seen === 'Chain') return presentedOf(chain.chain[0]);
    return { seen: chain.seen, detail: `${address} port ${port}: ${chain.detail}` };
  };
}

interface Place {
  readonly host: string;
  readonly address: string;
  readonly port: number;
}

async function lookBySmtp(place: Place, clock: Clock): Promise<Presented> {
  const { result } = await probeSmtp({ ...place, ehloName: place.host, timeoutMs: probeMs, idleMs: probeMs, clock });
  switch (result.outcome) {
    case 'Tls':
      return presentedOf(result.chain[0]);
    case 'NoStartTls':
    case 'TlsFailed':
    case 'NotSmtp':
      return { seen: 'NoTls', detail: `${place.address} port ${place.port}: ${result.detail}` };
    case 'Temporary':
    case 'Blocked':
    case 'Unknown':
      return { seen: 'Unknown', detail: `${place.address} port ${place.port}: ${result.detail}` };
  }
}

function presentedOf(sent: SentCertificate | undefined): Presented {
  if (sent === undefined) return { seen: 'NoTls', detail: 'the server sent no certificate' };
  const certificate = new X509Certificate(sent.pem);
  const serial = certificate.serialNumber.toLowerCase();
  const leaf = { spkiSha256: sent.spkiSha256, notAfter: sent.notAfter, serial };
  return { seen: 'Leaf', leaf, fingerprint: certificate.fingerprint256 };
}
