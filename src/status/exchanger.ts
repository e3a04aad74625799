import { statusTimeOf, type WantedCondition } from '../api/conditions.ts';
import type { Reason } from '../api/reasons.ts';
import { plainText } from '../api/text.ts';
import type { HostStatus, MailExchangerStatus } from '../api/types.ts';
import { tlsaName } from '../dane/tlsa.ts';
import type { DesiredExchanger } from '../desired/exchanger.ts';
import type { RecordProblem } from '../plan/record-view.ts';
import type { ExchangerPlan, ObservedExchanger, ObservedHost } from '../plan/exchanger.ts';
import {
  type Judgement,
  longestSentence,
  nextFails,
  nextSteps,
  notDone,
  publishedRecords,
  refusedTrouble,
  requiredRecords,
  summarise,
  type Trouble,
} from './findings.ts';
import { startTls } from './starttls.ts';

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
  const worst = (['Bogus', 'Unknown', 'InMotion', 'Insecure'] as const).find((verdict) =>
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
    case 'InMotion':
      return inMotion(observed, of('InMotion'));
    case 'Insecure':
      return {
        status: 'False',
        reason: 'ZoneInsecure',
        message: `not signed, so DANE does not apply: ${of('Insecure')}`,
      };
  }
}

/** What stands in the way of TLSA records, and the two ways to have them all the same. */
function unsupported(hosts: DesiredExchanger['hosts']): string {
  const which = hosts.map(({ host, grant }) => `${host} (DNSProvider ${grant.provider})`).join(', ');
  const names = hosts.map(({ host }) => tlsaName(host, 25)).join(', ');
  return `no TLSA record is published: the API that writes the zone of ${which} knows none. Name a DNSProvider that writes it by another API, or one with spec.delegated, and have a CNAME set at ${names} once`;
}

/** What is in motion as it should be validates all the while: only what someone must mend is not secure. */
function inMotion({ hosts }: ObservedExchanger, what: string): Judgement {
  const moving = hosts.flatMap(({ security }) => (security.verdict === 'InMotion' ? [security] : []));
  const first = moving.find(({ urgent }) => urgent) ?? moving[0];
  const kept = 'No key is swapped, and no TLSA record added or removed, until it is over';
  const reason = first?.reason ?? 'DNSSECInMotion';
  return first?.urgent === true
    ? {
        status: 'False',
        reason,
        message: `DNSSEC does not hold at every server, or will not for long: ${what}. ${kept}`,
      }
    : { status: 'True', reason, message: `DNSSEC validates, and is being changed: ${what}. ${kept}` };
}

/** A zone in motion keeps what stands there, and gets nothing new. */
const awaitsStill = (desired: DesiredExchanger, { state }: ExchangerPlan): boolean =>
  desired.hosts.some(({ host }) => {
    const entry = state.applied.find(({ name, type }) => type === 'TLSA' && name === tlsaName(host, 25));
    return entry?.since === undefined;
  });

function dane(
  desired: DesiredExchanger,
  observed: ObservedExchanger,
  plan: ExchangerPlan,
  secure: Judgement,
): Judgement {
  if (desired.dane.mode === 'Off')
    return { status: 'False', reason: 'DANEOff', message: 'spec.dane.mode is Off: no TLSA record is published' };
  const about = ({ record }: RecordProblem): boolean => record.endsWith(' TLSA');
  const refused = plan.records.refused.find(about);
  if (refused !== undefined) return notDone(refused);
  const unable = desired.hosts.filter(({ grant }) => observed.traits[grant.provider]?.tlsa === false);
  if (secure.status === 'True' && unable.length > 0)
    return { status: 'False', reason: 'TLSAUnsupported', message: unsupported(unable) };
  if (secure.reason === 'DNSSECInMotion' || secure.reason === 'SignatureExpiring') {
    const missing = awaitsStill(desired, plan);
    const what = missing ? 'no TLSA record is published yet' : 'TLSA records stand, and may not validate everywhere';
    if (missing || secure.status !== 'True')
      return { status: 'False', reason: secure.reason, message: `${what}: ${secure.message}` };
  } else if (secure.status !== 'True')
    return { status: secure.status, reason: secure.reason, message: `no TLSA record is published: ${secure.message}` };
  const pending = plan.records.pending.find(about);
  if (pending !== undefined) return notDone(pending);
  return {
    status: 'True',
    reason: 'DANEPublished',
    message: 'TLSA records of the current and the next key stand at all name servers and validate',
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
  const optional = new Set<Reason>(['ZoneInsecure', 'DANEOff', 'TLSAUnsupported']);
  const daneReady = dane(desired, observed, plan, secure);
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
    requiredRecords: requiredRecords(plan.required),
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
