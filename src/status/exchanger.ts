import { statusTimeOf, type WantedCondition } from '../api/conditions.ts';
import type { Reason } from '../api/reasons.ts';
import { plainText } from '../api/text.ts';
import type { HostStatus, MailExchangerStatus, NextStep } from '../api/types.ts';
import { type DesiredExchanger, tlsaNames } from '../desired/exchanger.ts';
import { soonestRotation } from '../plan/rotation.ts';
import type { RecordProblem } from '../plan/record-view.ts';
import type { ExchangerPlan, ObservedExchanger, ObservedHost } from '../plan/exchanger.ts';
import {
  type Judgement,
  longestSentence,
  certificateRemarks,
  nextSteps,
  notDone,
  publishedRecords,
  refusedTrouble,
  requiredRecords,
  summarise,
  type Trouble,
} from './findings.ts';
import { keysWords, renewalStep, renewalWords, sourceTrouble } from './source.ts';
import { startTls } from './starttls.ts';

function certificateReady(desired: DesiredExchanger, plan: ExchangerPlan): Judgement {
  const { certificate } = plan.state;
  const { problem } = plan.certificate;
  if (certificate === undefined) {
    const { reason, message } = problem ?? { reason: 'OrderPending', message: 'there is no certificate yet' };
    return { status: 'False', reason, message };
  }
  const until = statusTimeOf(certificate.notAfter);
  if (plan.expired) {
    const cause = problem ?? plan.source?.problem;
    const why = cause === undefined ? '' : `: ${cause.message}`;
    const message = `the certificate ended at ${until} and is not renewed yet${why}. Senders that follow MTA-STS defer mail`;
    return { status: 'False', reason: 'CertificateExpired', message };
  }
  const elsewhere = sourceTrouble(plan);
  if (elsewhere !== undefined) return elsewhere;
  const unrevoked = plan.revocations.problem === undefined ? '' : `; ${plan.revocations.problem}`;
  return {
    status: 'True',
    reason: 'CertificateIssued',
    message: `valid for ${certificate.names.join(', ')} until ${until}, ${renewalWords(desired, certificate)}${certificateRemarks(plan.certificate)}${unrevoked}`,
  };
}

function deployed(plan: ExchangerPlan, observed: ObservedExchanger): Judgement {
  const { delivery, lagging, restarts, unpinned } = plan;
  const agents = observed.hosts.flatMap(({ host, attestation }) =>
    attestation?.error === undefined ? [] : [`the agent of ${host} says: ${attestation.error}`],
  );
  if (unpinned.length > 0) {
    const where = unpinned.join(', ');
    const message = `${where} still shows another key, which no TLSA record names, and DANE senders defer mail to it. A key that only a probe saw is not published: reload the mail server there with the certificate of the Secret`;
    return { status: 'False', reason: 'KeyMismatch', message: [message, ...agents].join('; ') };
  }
  if (delivery.status === 'Blocked') return { status: 'False', reason: delivery.reason, message: delivery.message };
  if (restarts.problem !== undefined) return { status: 'False', ...restarts.problem };
  if (delivery.status === 'NoCertificate')
    return { status: 'False', reason: 'AwaitingDelivery', message: delivery.message };
  if (lagging.length === 0) {
    return { status: 'True', reason: 'Deployed', message: 'every address of every host presents the current key' };
  }
  const late = [...lagging, ...agents].join('; ');
  if (plan.moving && agents.length === 0)
    return { status: 'True', reason: 'KeyRollover', message: `the hosts are being moved to their next key: ${late}` };
  return { status: 'False', reason: 'AwaitingDelivery', message: late };
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
function unsupported(hosts: DesiredExchanger['hosts'], { dane: asked }: DesiredExchanger): string {
  const which = hosts.map(({ host, grant }) => `${host} (DNSProvider ${grant.provider})`).join(', ');
  const names = hosts.flatMap(({ host }) => tlsaNames(host, asked)).join(', ');
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
  desired.hosts
    .flatMap(({ host }) => tlsaNames(host, desired.dane))
    .some((at) => state.applied.find(({ name, type }) => type === 'TLSA' && name === at)?.since === undefined);

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
    return { status: 'False', reason: 'TLSAUnsupported', message: unsupported(unable, desired) };
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
    message: keysWords(plan),
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
  const vouching = { acme: false, selfSigned: true, external: 'Untrusted' } as const;
  const byDane = !optional.has(daneReady.reason) && vouching[observed.certificate.issuer.kind];
  const all: readonly WantedCondition[] = [
    { type: 'CertificateReady', ...certificateReady(desired, plan) },
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

/** While it is not on its way, when the hosts get another key. */
function nextKey({ rotation }: DesiredExchanger, { state }: ExchangerPlan): readonly NextStep[] {
  const { rollover, rotation: memory } = state;
  if (rollover.phase !== 'Steady' || memory === undefined || state.certificate === undefined) return [];
  const after = soonestRotation(rotation, memory, rollover.current);
  return after === undefined ? [] : [{ what: 'give the hosts their next key', after: statusTimeOf(after) }];
}

/** A wish that comes too late. */
function notImported(
  { importFrom }: DesiredExchanger,
  { mounted }: ObservedExchanger,
  { state }: ExchangerPlan,
): readonly NextStep[] {
  if (importFrom === undefined || state.imported === importFrom || mounted.is === 'Forbidden') return [];
  return [{ what: `nothing is imported from Secret ${importFrom}: the hosts were given a key of Mailseal before` }];
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
    next: nextSteps(plan.waits, [
      ...(certificate === undefined ? [] : [renewalStep(desired, certificate)]),
      ...(plan.source === undefined ? nextKey(desired, plan) : []),
      ...notImported(desired, observed, plan),
    ]),
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
