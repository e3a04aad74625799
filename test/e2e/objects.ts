/** The manifests of the end-to-end tests. */
import type { CertificateIssuer, DNSProvider, MailDomain, MailDomainSpec } from '../../src/api/types.ts';

const apiVersion = 'mailseal.dev/v1alpha1';

/** A domain that enforces at once, with TTLs of seconds, in namespace `mail`; `spec` is laid over that. */
export function mailDomain(name: string, spec: Partial<MailDomainSpec>, namespace = 'mail'): MailDomain {
  return {
    apiVersion,
    kind: 'MailDomain',
    metadata: { name, namespace },
    spec: { domain: `${name}.test`, mtaSts: { ttlSeconds: 5, promotion: { immediately: true } }, ...spec },
  };
}

/** With a host `mx.NAME.test` of its own. */
export function withOwnHost(name: string, namespace = 'mail'): MailDomain {
  return mailDomain(name, { mx: { hosts: [`mx.${name}.test`], dane: { ttlSeconds: 5 } } }, namespace);
}

/** On the MX hosts of these exchangers. */
export function onShared(name: string, ...exchangers: readonly string[]): MailDomain {
  return mailDomain(name, { exchangerRefs: exchangers.map((exchanger) => ({ name: exchanger })) });
}

export function provider(
  name: string,
  spec: Omit<DNSProvider['spec'], 'credentialsSecretRef'>,
  secret: string,
): object {
  const credentialsSecretRef = { name: secret };
  return { apiVersion, kind: 'DNSProvider', metadata: { name }, spec: { ...spec, credentialsSecretRef } };
}

export function acmeIssuer(name: string, acme: NonNullable<CertificateIssuer['spec']['acme']>): object {
  return { apiVersion, kind: 'CertificateIssuer', metadata: { name }, spec: { acme } };
}

export function secret(name: string, namespace: string, stringData: Readonly<Record<string, string>>): object {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace }, stringData };
}
