/** A look's plan as steps that a human reads. What would be drawn or minted only when it happens is named, not shown. */
import type { DomainLook, WishedDomain } from '../reconcile/domain-plan.ts';
import type { ExchangerLook } from '../reconcile/exchanger-plan.ts';
import { type DesiredExchanger, tlsaNames } from '../desired/exchanger.ts';
import type { CertificatePlan } from '../plan/certificate.ts';
import type { Change } from '../plan/change.ts';
import { givenBy } from '../plan/keys.ts';
import type { State } from '../plan/state.ts';
import { workloadWords } from '../plan/workloads.ts';
import type { LaterStep, ObjectPreview, Step } from './preview.ts';
import { adoptedSteps, laterRecords, recordSteps, type RecordsShown } from './records.ts';

type Planned = Omit<ObjectPreview, 'kind' | 'namespace' | 'name' | 'about' | 'error'>;

/** One change of a plan; what is merely stored is none that anyone feels. */
function stepsOf(change: Change, shown: RecordsShown): readonly Step[] {
  const { why } = change;
  const about = (action: Step['action'], what: string): readonly Step[] => [{ action, what, why }];
  switch (change.do) {
    case 'Records':
      return recordSteps(change, shown);
    case 'Order':
      return about(
        'certificate',
        `an order for ${change.names.join(', ')} is opened at CertificateIssuer ${change.issuer}`,
      );
    case 'SelfSign':
      return about(
        'certificate',
        `one for ${change.names.join(', ')} is signed by itself (CertificateIssuer ${change.issuer})`,
      );
    case 'AnswerChallenges':
      return about('certificate', `the CA is told that the proofs for ${change.order.names.join(', ')} stand`);
    case 'Finalize':
      return about('certificate', `the CA is asked to make that for ${change.order.names.join(', ')}`);
    case 'FetchCertificate':
      return about('certificate', `that for ${change.order.names.join(', ')} is fetched`);
    case 'Revoke':
      return about(
        'certificate',
        `the CA of CertificateIssuer ${change.revocation.issuer} is asked to revoke one: its key is compromised`,
      );
    case 'Deliver':
      return about('deliver', deliveryWords(change.secret.metadata));
    case 'Restart':
      return about('deliver', `the pods of ${workloadWords(change.workload)} are restarted`);
    case 'Serve':
      return about('serve', `the policy pods are given policy and certificate of ${change.host}`);
    case 'Unserve':
      return about('withdraw', `the policy pods serve ${change.host} no longer`);
    case 'SaveState':
    case 'ForgetState':
      return [];
  }
}

const deliveryWords = ({ namespace = '', name }: { readonly namespace?: string; readonly name: string }): string =>
  `Secret ${namespace}/${name} is given certificate and key`;

/** What follows of a certificate that is wanted and not in hand: its proofs, or the order itself where that must wait. */
function laterOfCertificate(
  { changes, problem, state }: CertificatePlan,
  names: readonly string[],
): readonly LaterStep[] {
  const order = changes.find((change) => change.do === 'Order');
  if (order?.do === 'Order') {
    const what =
      order.method === 'http-01'
        ? `the policy pods answer at http://${order.names.join(', ')}/.well-known/acme-challenge/, for as long as the CA looks`
        : `TXT at ${order.names.map((name) => `_acme-challenge.${name}`).join(', ')}, for as long as the CA looks`;
    return [{ action: 'certificate', what, why: 'the CA asks for a proof', when: 'the order is open' }];
  }
  const begun = changes.some((change) => change.do !== 'Records' && change.do !== 'SaveState');
  if (problem === undefined || begun) return [];
  const what =
    state.order === undefined ? `an order for ${names.join(', ')} is opened` : `that for ${names.join(', ')} is made`;
  return [{ action: 'certificate', what, why: 'one is wanted', when: problem.message }];
}

export function domainSteps({ desired }: WishedDomain, look: DomainLook): Planned {
  const { observed, plan, report } = look;
  const { publication, certificate } = plan;
  const shown = {
    ...plan,
    ...observed,
    adopt: desired.adopt,
    suspended: desired.suspended,
    before: appliedOf(observed),
  };
  const later: LaterStep[] = [];
  if (plan.state.certificate === undefined) {
    const { mode, mxs, maxAgeSeconds } = publication;
    const what = `the policy is served at ${desired.policyHost}: mode ${mode}, max_age ${maxAgeSeconds}, mx ${mxs.join(', ')}`;
    later.push({
      action: 'serve',
      what,
      why: 'it is wanted',
      when: `there is a certificate for ${desired.policyHost}`,
    });
  }
  if (!plan.records.applied.some(({ name }) => name === desired.policyHost) && noAddress(observed.addresses)) {
    const what = `A and AAAA at ${desired.policyHost}, the addresses of the policy Service`;
    later.push({ action: 'create', what, why: 'they are wanted', when: 'an address of the policy Service is known' });
  }
  const known = observed.state?.publications.some(({ id }) => id === publication.id) === true;
  const hidden: readonly Hidden[] = known ? [] : [[publication.id, '(made then)']];
  return withNames(hidden, {
    changes: [...plan.changes.flatMap((change) => stepsOf(change, shown)), ...adoptedSteps(shown)],
    later: [...laterOfCertificate(certificate, [desired.policyHost]), ...later, ...laterRecords(shown)],
    requiredRecords: plan.required,
    refused: plan.records.refused,
    waits: report(undefined).status.next ?? [],
    conditions: report(undefined).conditions,
  });
}

const noAddress = ({ ipv4, ipv6 }: { readonly ipv4: readonly string[]; readonly ipv6: readonly string[] }): boolean =>
  ipv4.length + ipv6.length === 0;

const appliedOf = ({ state }: { readonly state: State | undefined }) => state?.applied ?? [];

export function exchangerSteps(desired: DesiredExchanger, look: ExchangerLook): Planned {
  const { observed, plan, report } = look;
  const shown = {
    ...plan,
    ...observed,
    adopt: desired.adopt,
    suspended: desired.suspended,
    before: appliedOf(observed),
  };
  const later: LaterStep[] = [];
  const { delivery } = plan;
  if (delivery.status === 'NoCertificate' || delivery.status === 'Blocked') {
    const what = deliveryWords({ ...desired, name: desired.secretName });
    later.push({ action: 'deliver', what, why: 'the MX hosts mount it', when: delivery.message });
  }
  for (const { host, security } of desired.dane.mode === 'Off' ? [] : observed.hosts) {
    if (security.verdict !== 'Unknown' && security.verdict !== 'Bogus') continue;
    const when = `its zone is seen to be secure: ${security.detail}`;
    for (const at of tlsaNames(host, desired.dane)) {
      if (plan.records.applied.some(({ name }) => name === at)) continue;
      later.push({ action: 'create', what: `TLSA at ${at}`, why: 'it is wanted', when });
    }
  }
  const mounted = givenBy(observed.mounted, [])?.spkiSha256;
  // The key of a source is there already.
  const [current, next] = observed.source === undefined ? (observed.freshKeys ?? []) : [];
  const hidden: readonly Hidden[] = [
    ...(current === undefined || current.spkiSha256 === mounted
      ? []
      : [[current.spkiSha256, '(of the first key, made then)'] as const]),
    ...(next === undefined ? [] : [[next.spkiSha256, '(of the second key, made then)'] as const]),
  ];
  return withNames(hidden, {
    changes: [...plan.changes.flatMap((change) => stepsOf(change, shown)), ...adoptedSteps(shown)],
    later: [...laterOfCertificate(plan.certificate, desired.certificateNames), ...later, ...laterRecords(shown)],
    requiredRecords: plan.required,
    refused: plan.records.refused,
    waits: report(undefined).status.next ?? [],
    conditions: report(undefined).conditions,
  });
}

/** Letters and digits that stand for nothing yet, and what is shown in their place. */
type Hidden = readonly [text: string, shown: string];

/** The same with names in place of what no one will ever see; sorted anew, so that every plan of the same reads the same. */
function withNames(hidden: readonly Hidden[], planned: Planned): Planned {
  if (hidden.length === 0) return planned;
  const text = hidden.reduce((all, [made, shown]) => all.replaceAll(made, shown), JSON.stringify(planned));
  return JSON.parse(text, (key, value: unknown) =>
    key === 'values' && Array.isArray(value) ? value.map(String).sort() : value,
  ) as Planned;
}
