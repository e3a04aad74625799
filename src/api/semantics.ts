/** Rules of the specs that neither a schema nor CEL can say, since they need canonical names. */
import { toALabel } from '../dns/names.ts';
import type { KindName } from './kinds.ts';
import type { Reason } from './reasons.ts';
import type { CertificateSpec, DNSProvider, MailDomain, MailExchanger } from './types.ts';

type Report = (path: string, rule: string, rest: string, reason?: Reason) => void;

/** The longest name that we put before a domain or host must still fit into the 253 octets of a name. */
const challenge = '_acme-challenge.';
const policyHost = 'mta-sts.';
const longest = 253;

/** Reports what is wrong in an object whose shape has been checked. */
export function semanticProblems(kind: KindName, object: unknown, report: Report): void {
  switch (kind) {
    case 'MailDomain':
      mailDomainProblems(object as MailDomain, report);
      return;
    case 'MailExchanger': {
      const { spec } = object as MailExchanger;
      hostProblems(spec.hosts, 'spec.hosts', report);
      certificateProblems(spec.certificate, 'spec.certificate', (object as MailExchanger).metadata?.name, report);
      return;
    }
    case 'DNSProvider':
      providerProblems(object as DNSProvider, report);
      return;
    case 'CertificateIssuer':
    case 'Retirement':
      return;
  }
}

function providerProblems({ spec }: DNSProvider, report: Report): void {
  const { zones: listed = [] } = spec;
  duplicateNames(listed, 'spec.zones', report);
  duplicateNames(spec.zoneSelector?.below ?? [], 'spec.zoneSelector.below', report);
  if (spec.delegated === undefined) return;
  const { zones, into } = spec.delegated;
  duplicateNames(zones, 'spec.delegated.zones', report);
  const own = listed.map(canonical);
  if (into !== undefined && !own.includes(canonical(into)))
    report('spec.delegated.into', 'OwnZone', 'is none of spec.zones; name one of them');
  const index = zones.findIndex((zone) => own.includes(canonical(zone)));
  if (index >= 0)
    report(
      `spec.delegated.zones[${index}]`,
      'OwnZone',
      'is one of spec.zones: it is written itself; take it out of one of the two lists',
    );
}

function mailDomainProblems({ spec, metadata }: MailDomain, report: Report): void {
  const domain = canonical(spec.domain);
  if (domain !== undefined && (challenge + policyHost + domain).length > longest) {
    const room = longest - challenge.length - policyHost.length;
    report(
      'spec.domain',
      'TooLong',
      `is longer than ${room} octets: the challenge of its policy host needs the rest`,
      'InvalidDomain',
    );
  }
  if (spec.mx !== undefined) {
    hostProblems(spec.mx.hosts, 'spec.mx.hosts', report);
    certificateProblems(spec.mx.certificate, 'spec.mx.certificate', metadata?.name, report);
    if (domain !== undefined) policyHostProblems(spec.mx.hosts, 'spec.mx.hosts', policyHost + domain, report);
  }
  // No CEL rule says this: the API server can't bound its cost.
  const refs = spec.exchangerRefs?.map(({ name, namespace }) => `${namespace ?? metadata?.namespace ?? ''}/${name}`);
  const twice = firstTwice(refs ?? []);
  if (twice !== undefined) report('spec.exchangerRefs', 'Duplicate', `names the exchanger ${twice} twice; remove one`);
}

function hostProblems(hosts: readonly string[], path: string, report: Report): void {
  duplicateNames(hosts, path, report);
  for (const [index, text] of hosts.entries()) {
    const host = canonical(text);
    if (host !== undefined && (challenge + host).length > longest) {
      const room = longest - challenge.length;
      report(
        `${path}[${index}]`,
        'TooLong',
        `is longer than ${room} octets: its ACME challenge needs the rest`,
        'InvalidHost',
      );
    }
  }
}

function certificateProblems(
  certificate: CertificateSpec | undefined,
  path: string,
  name: string | undefined,
  report: Report,
): void {
  if (certificate?.dnsNames !== undefined) hostProblems(certificate.dnsNames, `${path}.dnsNames`, report);
  const { sourceSecretName: source, secretName } = certificate ?? {};
  // Where both are written out a rule of the schema says so.
  if (source !== undefined && secretName === undefined && source === `${name ?? ''}-tls`)
    report(
      `${path}.sourceSecretName`,
      'OwnSecret',
      `is ${source}, the Secret that the hosts mount, which Mailseal alone writes; have the certificate put into another one`,
    );
}

/** We write the address records of the policy host; those of an MX host are never ours. */
function policyHostProblems(hosts: readonly string[], path: string, taken: string, report: Report): void {
  const index = hosts.findIndex((host) => canonical(host) === taken);
  if (index < 0) return;
  const rest = `is ${taken}, where the policy is served; give the MX host another name`;
  report(`${path}[${index}]`, 'PolicyHost', rest, 'InvalidHost');
}

/** Names that differ as text and are one in the DNS. */
function duplicateNames(names: readonly string[], path: string, report: Report): void {
  const seen = new Set<string>();
  for (const [index, text] of names.entries()) {
    const name = canonical(text);
    if (name === undefined) continue;
    // The very same text is reported as a duplicate of the list already.
    if (seen.has(name) && names.indexOf(text) === index) {
      report(`${path}[${index}]`, 'Duplicate', `is ${name} once more, written another way; remove one of the two`);
    }
    seen.add(name);
  }
}

function firstTwice(names: readonly string[]): string | undefined {
  return names.find((name, index) => names.indexOf(name) !== index);
}

function canonical(text: string): string | undefined {
  const parsed = toALabel(text, { minLabels: 1, underscore: true });
  return parsed.ok ? parsed.name : undefined;
}
