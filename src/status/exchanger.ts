import { statusTimeOf, type WantedCondition } from '../api/conditions.ts';
import type { Reason } from '../api/reasons.ts';
import { plainText } from '../api/text.ts';
import type { HostStatus, MailExchangerStatus } from '../api/types.ts';
import type { DesiredExchanger } from '../desired/exchanger.ts';
import type { SmtpProbe } from '../pki/observed.ts';
import type { RecordProblem } from '../plan/record-view.ts';
import type { ExchangerPlan, ObservedExchanger, ObservedHost } from '../plan/exchanger.ts';
import {
  longestSentence,
  nextFails,
  nextSteps,
  notDone,
  publishedRecords,
  refusedTrouble,
  summarise,
  type Trouble,
} from './findings.ts';

type Judgement = Omit<WantedCondition, 'type'>;

function certificateReady(plan: ExchangerPlan): Judgement {
  const { certificate } = plan.state;
  const { problem } = plan.certificate;
  if (certificate === undefined) {
    const { reason, message } = problem ?? { reason: 'OrderPending', message: 'there is no certificate yet' };
    return { status: 'False', reason, message };
  }
  const until = statusTimeOf(certificate.notAfter);
  if (plan.expired) {
    const why = problem === undefined ? '' : `: ${problem.message}`;
    const message = `the certificate ended at ${until} and is not renewed yet${why}. Senders that follow MTA-STS defer mail`;
    return { status: 'False', reason: 'CertificateExpired', message };
  }
  return {
    status: 'True',
    reason: 'CertificateIssued',
    message: `valid for ${certificate.names.join(', ')} until ${until}, renewed after ${statusTimeOf(certificate.renewAt)}${nextFails(plan.certificate)}`,
  };
}

function deployed(plan: ExchangerPlan, observed: ObservedExchanger): Judgement {
  const { delivery, lagging, unpinned } = plan;
  const agents = observed.hosts.flatMap(({ host, attestation }) =>
    attestation?.error === undefined ? [] : [`the agent of ${host} says: ${attestation.error}`],
  );
  if (unpinned.length > 0) {
    const where = unpinned.join(', ');
    const message = `${where} still shows another key, which no TLSA record names, and DANE senders defer mail to it. A key that only a probe saw is not published: reload the mail server there with the certificate of the Secret`;
    return { status: 'False', reason: 'KeyMismatch', message: [message, ...agents].join('; ') };
  }
  if (delivery.status === 'Blocked') return { status: 'False', reason: delivery.reason, message: delivery.message };
  if (delivery.status === 'NoCertificate')
    return { status: 'False', reason: 'AwaitingDelivery', message: delivery.message };
  if (lagging.length === 0) {
    return { status: 'True', reason: 'Deployed', message: 'every address of every host presents the current key' };
  }
  return { status: 'False', reason: 'AwaitingDelivery', message: [...lagging, ...agents].join('; ') };
}

function security(observed: ObservedExchanger): Judgement {
  const worst = (['Bogus', 'Unknown', 'Insecure'] as const).find((verdict) =>
    observed.hosts.some((host) => host.security.verdict === verdict),
  );
  const of = (verdict: string): string =>
    observed.hosts
      .filter((host) => host.security.verdict === verdict)
      .map(({ host, security: { detail } }) => `${host}: ${detail}`)
      .join('; ');
  switch (worst) {
    case undefined:
      return { status: 'True', reason: 'ZoneSecure', message: 'the zones of all hosts are signed and validate' };
    case 'Bogus':
      return {
        status: 'False',
        reason: 'ZoneBogus',
        message: `DNSSEC is broken, and validating senders can't reach these hosts at all: ${of('Bogus')}. Mend the zone's signatures or its DS record`,
      };
    case 'Unknown':
      return { status: 'Unknown', reason: 'DNSUnknown', message: of('Unknown') };
    case 'Insecure':
      return {
        status: 'False',
        reason: 'ZoneInsecure',
        message: `not signed, so DANE does not apply: ${of('Insecure')}`,
      };
  }
}

function dane(desired: DesiredExchanger, plan: ExchangerPlan, secure: Judgement): Judgement {
  if (desired.dane.mode === 'Off')
    return { status: 'False', reason: 'DANEOff', message: 'spec.dane.mode is Off: no TLSA record is published' };
  const about = ({ record }: RecordProblem): boolean => record.endsWith(' TLSA');
  const refused = plan.records.refused.find(about);
  if (refused !== undefined) return notDone(refused);
  if (secure.status !== 'True')
    return { status: secure.status, reason: secure.reason, message: `no TLSA record is published: ${secure.message}` };
  const pending = plan.records.pending.find(about);
  if (pending !== undefined) return notDone(pending);
  return {
    status: 'True',
    reason: 'DANEPublished',
    message: 'TLSA records of the current and the next key stand at all name servers and validate',
  };
}

function probeTrouble(
  probe: SmtpProbe,
  byDane: boolean,
): { readonly status: 'False' | 'Unknown'; readonly reason: Reason; readonly message: string } | undefined {
  const { result, host, address } = probe;
  const where = `${host} [${address}]`;
  switch (result.outcome) {
    case 'Tls': {
      const { pkix } = result;
      if (pkix.verdict === 'Verified' || byDane) return undefined;
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

/** `byDane`: the issuer signs for itself, and DANE senders, who ask no CA, are to find TLSA records instead. */
function startTls(observed: ObservedExchanger, byDane: boolean): Judgement {
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

function hostStatus({ host, probes }: ObservedHost): HostStatus {
  return {
    host,
    addresses: probes.map(({ address, result }) => ({
      address,
      result: plainText(
        result.outcome === 'Tls'
          ? `${result.protocol}, ${result.pkix.verdict === 'Verified' ? 'verified' : result.pkix.detail}`
          : result.detail,
        longestSentence,
      ),
    })),
  };
}

/** The conditions of an exchanger. DNSSECSecure and DANEReady count towards Ready only where DANE applies. */
export function exchangerFindings(
  desired: DesiredExchanger,
  observed: ObservedExchanger,
  plan: ExchangerPlan,
  trouble: Trouble | undefined,
): readonly WantedCondition[] {
  const secure = security(observed);
  const optional = new Set<Reason>(['ZoneInsecure', 'DANEOff']);
  const daneReady = dane(desired, plan, secure);
  const byDane = observed.certificate.issuer.kind === 'selfSigned' && !optional.has(daneReady.reason);
  const all: readonly WantedCondition[] = [
    { type: 'CertificateReady', ...certificateReady(plan) },
    { type: 'StartTLSVerified', ...startTls(observed, byDane) },
    { type: 'Deployed', ...deployed(plan, observed) },
    { type: 'DNSSECSecure', ...secure },
    { type: 'DANEReady', ...daneReady },
  ];
  const stop = trouble ?? refusedTrouble(plan.records.refused);
  return [
    ...summarise(
      all.filter(({ reason }) => !optional.has(reason)),
      stop,
      `${desired.hosts.map(({ host }) => host).join(', ')}: mail can be delivered over a verified channel`,
    ),
    ...all,
  ];
}

export function exchangerStatus(
  desired: DesiredExchanger,
  observed: ObservedExchanger,
  plan: ExchangerPlan,
): Omit<MailExchangerStatus, 'conditions'> {
  const { certificate, applied } = plan.state;
  return {
    secretName: desired.secretName,
    hosts: observed.hosts.map(hostStatus),
    records: publishedRecords(applied),
    next: nextSteps(
      plan.waits,
      certificate === undefined
        ? []
        : [{ what: 'renew the certificate with the same key', after: statusTimeOf(certificate.renewAt) }],
    ),
    ...(certificate === undefined
      ? {}
      : {
          certificate: {
            names: certificate.names,
            notAfter: statusTimeOf(certificate.notAfter),
            renewAfter: statusTimeOf(certificate.renewAt),
          },
        }),
  };
}
