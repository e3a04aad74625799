import { certificateIssuer } from './certificateissuer.ts';
import { dnsProvider } from './dnsprovider.ts';
import { mailDomain } from './maildomain.ts';
import { mailExchanger } from './mailexchanger.ts';
import { retirement } from './retirement.ts';
import type { AnyKind } from './schema.ts';

export type KindName = 'MailDomain' | 'MailExchanger' | 'DNSProvider' | 'CertificateIssuer' | 'Retirement';

/** Every kind of ours, in the order in which docs and charts list them. */
export const kinds: Readonly<Record<KindName, AnyKind>> = {
  MailDomain: mailDomain,
  MailExchanger: mailExchanger,
  DNSProvider: dnsProvider,
  CertificateIssuer: certificateIssuer,
  Retirement: retirement,
};

/** Whether `kind` is one of ours. */
export function isKindName(kind: string): kind is KindName {
  return Object.hasOwn(kinds, kind);
}
