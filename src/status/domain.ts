import { statusTimeOf, type WantedCondition } from '../api/conditions.ts';
import type { MailDomainStatus, NextStep } from '../api/types.ts';
import type { DesiredDomain } from '../desired/domain.ts';
import { stsRecordName } from '../mtasts/record.ts';
import type { DomainPlan, ObservedDomain } from '../plan/domain.ts';
import { mxHosts } from '../plan/domain.ts';
import { slop } from '../plan/publication.ts';
import type { RecordProblem } from '../plan/record-view.ts';
import { tlsRptRecordName } from '../tlsrpt/record.ts';
import {
  fewOf,
  type Judgement,
  certificateRemarks,
  nextSteps,
  notDone,
  publishedRecords,
  refusedTrouble,
  requiredRecords,
  summarise,
  type Trouble,
} from './findings.ts';

function mxResolved(desired: DesiredDomain, observed: ObservedDomain, plan: DomainPlan): Judgement {
  const { outcome, values, detail } = observed.mx.outside;
  const { domain, hosts } = desired;
  switch (outcome) {
    case 'NxDomain':
      return {
        status: 'False',
        reason: 'NoMX',
        message: `${domain} does not exist in the DNS: publish its MX records`,
      };
    case 'NoData':
      return {
        status: 'False',
        reason: 'ImplicitMX',
        message: `${domain} has no MX record: mail goes to the address of the domain itself. Publish MX records for ${hosts.join(', ')}`,
      };
    case 'Bogus':
      return {
        status: 'False',
        reason: 'ZoneBogus',
        message: `DNSSEC of ${domain} is broken (${detail ?? 'no detail'}): validating senders can't deliver at all. Mend the signatures or the DS record`,
      };
    case 'ServFail':
    case 'Unreachable':
      return {
        status: 'Unknown',
        reason: 'DNSUnknown',
        message: `the MX set of ${domain} can't be looked up: ${detail ?? outcome}`,
      };
    case 'Found':
      break;
  }
  const live = mxHosts(values);
  if (live.length === 0)
    return {
      status: 'False',
      reason: 'NullMX',
      message: `${domain} has a null MX (RFC 7505): it says that it takes no mail`,
    };
  const [stranger] = plan.unlisted;
  if (stranger !== undefined) {
    return {
      status: 'False',
      reason: 'UnlistedMX',
      message: `the MX set names ${fewOf(plan.unlisted)}, which the policy does not: under enforce no mail would go there. If it is yours, list it; if not, someone forges your MX answers`,
    };
  }
  if (plan.lingering.length > 0) {
    return {
      status: 'False',
      reason: 'UnlistedMX',
      message: `the MX set still names ${fewOf(plan.lingering)}, which the spec no longer lists: the policy goes on naming it until it has left the MX set. Take it out of the MX set, or list it again`,
    };
  }
  const absent = hosts.filter((host) => !live.includes(host));
  if (absent.length > 0)
    return {
      status: 'True',
      reason: 'MXNotPublished',
      message: `the MX set names only hosts of the policy; not in it yet: ${absent.join(', ')}`,
    };
  return { status: 'True', reason: 'MXResolved', message: `the MX set names ${fewOf(live)}` };
}

function exchangerReady(observed: ObservedDomain): Judgement {
  const open = observed.exchangers.filter(({ ready }) => !ready);
  if (open.length === 0) return { status: 'True', reason: 'Ready', message: 'every exchanger is ready' };
  return {
    status: 'False',
    reason: 'ExchangerNotReady',
    message: open.map(({ name, message }) => `${name}: ${message}`).join('; '),
  };
}

function startTls(observed: ObservedDomain): Judgement {
  const doubts = observed.exchangers.flatMap(({ name, doubt }) => (doubt === undefined ? [] : [{ name, ...doubt }]));
  const [first] = doubts;
  if (first === undefined)
    return {
      status: 'True',
      reason: 'STARTTLSVerified',
      message: 'every MX host offers STARTTLS with a certificate that senders can check',
    };
  const message = doubts.map(({ name, message: why }) => `${name}: ${why}`).join('; ');
  return { status: 'False', reason: first.reason, message };
}

function policyServed(observed: ObservedDomain, plan: DomainPlan): Judgement {
  if (plan.serving.everywhere) {
    const { odd } = plan.serving;
    const warning =
      odd === undefined
        ? ''
        : `; ${odd}, and strict senders take only text/plain: mend what stands before the policy pods`;
    return {
      status: 'True',
      reason: 'PolicyServed',
      message: `all ${observed.pods.length} policy pods and the published address show policy ${plan.publication.id}${warning}${certificateRemarks(plan.certificate)}`,
    };
  }
  if (plan.certificate.problem !== undefined && plan.state.certificate === undefined)
    return { status: 'False', ...plan.certificate.problem };
  if (observed.pods.length === 0)
    return {
      status: 'False',
      reason: 'NoPolicyPods',
      message: 'no policy pod runs: look at the policy Deployment of the installation',
    };
  if (observed.addresses.ipv4.length + observed.addresses.ipv6.length === 0) {
    return {
      status: 'False',
      reason: 'NoPolicyAddress',
      message: 'the policy Service has no address yet: a load balancer gives it one, or set policy.service.externalIPs',
    };
  }
  return { status: 'False', reason: 'PolicyNotServed', message: plan.serving.lagging.join('; ') };
}

function records(plan: DomainPlan, about: (record: string) => boolean, done: Judgement): Judgement {
  const named = ({ record }: RecordProblem): boolean => about(record);
  const refused = plan.records.refused.find(named);
  if (refused !== undefined) return notDone(refused);
  const pending = plan.records.pending.find(named);
  return pending === undefined ? done : notDone(pending);
}

/** The conditions of a domain; TLSRPTReady counts where reports are asked for. */
export function domainFindings(
  desired: DesiredDomain,
  observed: ObservedDomain,
  plan: DomainPlan,
  trouble: Trouble | undefined,
): readonly WantedCondition[] {
  const { domain, rua } = desired;
  const reports = `${tlsRptRecordName(domain)} TXT`;
  const published: Judgement = {
    status: 'True',
    reason: 'RecordsPublished',
    message: `${stsRecordName(domain)} announces policy ${plan.publication.id}; all name servers and the outside view agree`,
  };
  const reporting: Judgement =
    rua.length > 0
      ? { status: 'True', reason: 'TLSRPTPublished', message: `reports go to ${rua.join(', ')}` }
      : { status: 'False', reason: 'TLSRPTOff', message: 'spec.tlsRpt.rua is empty: no reports are asked for' };
  const all: readonly WantedCondition[] = [
    { type: 'MXResolved', ...mxResolved(desired, observed, plan) },
    { type: 'ExchangerReady', ...exchangerReady(observed) },
    { type: 'PolicyServed', ...policyServed(observed, plan) },
    { type: 'RecordsPublished', ...records(plan, (record) => record !== reports, published) },
    { type: 'StartTLSVerified', ...startTls(observed) },
    { type: 'TLSRPTReady', ...records(plan, (record) => record === reports, reporting) },
  ];
  const stop = trouble ?? refusedTrouble(plan.records.refused);
  const counted = all.filter(({ reason }) => reason !== 'TLSRPTOff');
  const well = `mail for ${domain} can be delivered over a verified channel; the policy is in mode ${plan.publication.mode}`;
  return [...summarise(counted, stop, well), ...all];
}

function promotionWaits({ why, doubts }: NonNullable<DomainPlan['promotion']>): string {
  switch (why) {
    case 'InTesting':
      return 'it stands its time in testing first';
    case 'Failing':
    case 'Unproven':
      return `once this is right: ${doubts.join('; ')}`;
    case 'AsWanted':
    case 'Promoted':
    case 'KeepsEnforcing':
      return 'it is under way';
  }
}

export function domainStatus(desired: DesiredDomain, plan: DomainPlan): Omit<MailDomainStatus, 'conditions'> {
  const { state, promotion } = plan;
  const announced = state.publications.findLast(({ shownSince }) => shownSince !== undefined);
  const fixed: NextStep[] = [];
  if (promotion !== undefined) {
    const what = `promote the policy from testing to enforce: ${promotionWaits(promotion)}`;
    fixed.push(
      promotion.at === undefined || state.testingSince === undefined
        ? { what }
        : { what, after: statusTimeOf(promotion.at) },
    );
  }
  for (const { host, leftMxAt, ttl } of state.removedHosts) {
    fixed.push(
      leftMxAt === undefined
        ? { what: `${host} stays in the policy: the MX set still names it. Take it out of the MX set first` }
        : { what: `safe to stop ${host}`, after: statusTimeOf(leftMxAt + (ttl + slop) * 1000) },
    );
  }
  return {
    domain: desired.domain,
    records: publishedRecords(state.applied),
    requiredRecords: requiredRecords(plan.required),
    next: nextSteps(plan.waits, fixed),
    ...(announced === undefined
      ? {}
      : { mtaSts: { effectiveMode: announced.mode, id: announced.id, maxAgeSeconds: announced.maxAgeSeconds } }),
  };
}
