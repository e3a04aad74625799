/** What our own mail server presents after STARTTLS, as a sender sees it. */
import { X509Certificate } from 'node:crypto';
import type { Attestation } from '../api/attestation.ts';
import type { Clock } from '../clock.ts';
import { messageOf } from '../errors.ts';
import { probeSmtp } from '../observe/smtp.ts';
import type { AgentFile } from './agent-file.ts';
import { ownAddress, type Postfix } from './postfix.ts';

export type Presented =
  | {
      readonly seen: 'Leaf';
      readonly leaf: NonNullable<Attestation['presents']>;
      /** As `X509Certificate.fingerprint256` has it. */
      readonly fingerprint: string;
    }
  /** It answered, and a sender gets no TLS. */
  | { readonly seen: 'NoTls'; readonly detail: string }
  /** It could not be asked: nothing is proven either way. */
  | { readonly seen: 'Unknown'; readonly detail: string };

export type Look = () => Promise<Presented>;

const probeMs = 20_000;

/** Each call makes one connection to the mail server's own port; it never rejects. */
export function createLook(file: () => AgentFile, postfix: Postfix, clock: Clock): Look {
  let known: string | undefined;
  return async () => {
    const { host, smtp } = file();
    try {
      known = smtp?.address ?? (await ownAddress(postfix));
    } catch (error) {
      // A configuration that is broken now does not hide what still runs.
      if (known === undefined) return { seen: 'Unknown', detail: messageOf(error) };
    }
    const address = known;
    const port = smtp?.port ?? 25;
    const probe = await probeSmtp({ host, address, port, ehloName: host, timeoutMs: probeMs, idleMs: probeMs, clock });
    const { result } = probe;
    switch (result.outcome) {
      case 'Tls': {
        const [sent] = result.chain;
        if (sent === undefined) return { seen: 'NoTls', detail: 'the server sent no certificate' };
        const certificate = new X509Certificate(sent.pem);
        const serial = certificate.serialNumber.toLowerCase();
        const leaf = { spkiSha256: sent.spkiSha256, notAfter: sent.notAfter, serial };
        return { seen: 'Leaf', leaf, fingerprint: certificate.fingerprint256 };
      }
      case 'NoStartTls':
      case 'TlsFailed':
      case 'NotSmtp':
        return { seen: 'NoTls', detail: `${address} port ${port}: ${result.detail}` };
      case 'Temporary':
      case 'Blocked':
      case 'Unknown':
        return { seen: 'Unknown', detail: `${address} port ${port}: ${result.detail}` };
    }
  };
}
