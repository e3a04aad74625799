/** What the probes of all MX hosts say of STARTTLS. */
import type { SmtpProbe } from '../pki/observed.ts';
import type { ObservedExchanger } from '../plan/exchanger.ts';
import type { Judgement } from './findings.ts';

/** Why mail to this address may travel unencrypted, or not at all; undefined where nothing speaks against it. */
function probeTrouble(
  probe: SmtpProbe,
  byDane: boolean | 'Untrusted',
): (Judgement & { readonly status: 'False' | 'Unknown' }) | undefined {
  const { result, host, address } = probe;
  const where = `${host} [${address}]`;
  switch (result.outcome) {
    case 'Tls': {
      const { pkix } = result;
      if (pkix.verdict === 'Verified' || byDane === true || byDane === pkix.verdict) return undefined;
      const reasons = {
        NameMismatch: 'CertificateNameMismatch',
        Expired: 'CertificateExpired',
        NotYetValid: 'CertificateNotTrusted',
        Untrusted: 'CertificateNotTrusted',
        IncompleteChain: 'CertificateNotTrusted',
      } as const;
      return {
        status: 'False',
        reason: reasons[pkix.verdict],
        message: `${where}: ${pkix.detail}. Senders that follow MTA-STS will not deliver there`,
      };
    }
    case 'NoStartTls':
      return {
        status: 'False',
        reason: 'STARTTLSMissing',
        message: `${where} does not offer STARTTLS (${result.detail}): mail to it travels in the clear, and senders that follow MTA-STS or DANE will not deliver. Turn TLS on in its mail server`,
      };
    case 'TlsFailed':
      return {
        status: 'False',
        reason: 'TLSFailed',
        message: `${where} offers STARTTLS but the handshake fails: ${result.detail}`,
      };
    case 'NotSmtp':
      return {
        status: 'False',
        reason: 'MXUnreachable',
        message: `${where} does not answer as a mail server: ${result.detail}`,
      };
    case 'Temporary':
    case 'Unknown':
      return { status: 'Unknown', reason: 'MXUnreachable', message: `${where}: ${result.detail}` };
    case 'Blocked':
      return {
        status: 'Unknown',
        reason: 'PortBlocked',
        message: `${where} could not be tried from here: ${result.detail}`,
      };
  }
}

/**
 * Whether mail to every address can be encrypted to a host that the sender can tell. `byDane`: the issuer signs for
 * itself, and DANE senders, who ask no CA, are to find TLSA records instead; `Untrusted`: the certificate comes from
 * elsewhere, and its CA may be one that only DANE vouches for.
 */
export function startTls(observed: ObservedExchanger, byDane: boolean | 'Untrusted'): Judgement {
  const silent = observed.hosts.filter(({ probes }) => probes.length === 0).map(({ host }) => host);
  if (silent.length > 0)
    return { status: 'Unknown', reason: 'MXUnreachable', message: `no address to probe for ${silent.join(', ')}` };
  const probes = observed.hosts.flatMap((host) => host.probes);
  const troubles = probes.flatMap((probe) => probeTrouble(probe, byDane) ?? []);
  const first = troubles.find(({ status }) => status === 'False') ?? troubles[0];
  if (first === undefined) {
    const trusted = probes.every(({ result }) => result.outcome === 'Tls' && result.pkix.verdict === 'Verified');
    const all = 'every address of every host offers STARTTLS';
    return trusted
      ? {
          status: 'True',
          reason: 'STARTTLSVerified',
          message: `${all} with a certificate that senders can check`,
        }
      : {
          status: 'True',
          reason: 'CertificateNotTrusted',
          message: `${all} with a certificate that only DANE vouches for: senders that follow MTA-STS without DANE would not deliver there. For them name an acme issuer`,
        };
  }
  return {
    ...first,
    message: troubles
      .filter(({ reason }) => reason === first.reason)
      .map(({ message }) => message)
      .join('; '),
  };
}
