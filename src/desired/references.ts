import type { Reason } from '../api/reasons.ts';
import type { CertificateIssuer } from '../api/types.ts';

/** What a reference leads to, or the reason why it leads nowhere. */
export type Resolution<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: Reason; readonly message: string };

export const refuse = (reason: Reason, message: string): Resolution<never> => ({ ok: false, reason, message });

/** Why an issuer and a source Secret do not go together; undefined where they do. */
export function sourceProblem(
  { spec, metadata: { name } }: CertificateIssuer,
  sourceSecretName: string | undefined,
): string | undefined {
  const isExternal = spec.external !== undefined;
  if (isExternal === (sourceSecretName !== undefined)) return undefined;
  const field = 'spec.certificate.sourceSecretName';
  return isExternal
    ? `CertificateIssuer ${name} is external: name the Secret that its certificate comes in, in ${field}`
    : `${field} is for an external issuer, and CertificateIssuer ${name} is none: name one in spec.certificate.issuerRef, or remove the field`;
}

/** Why a key can't be imported; undefined where it can. An external issuer gives each key with its certificate. */
export const importProblem = (
  { spec, metadata: { name } }: CertificateIssuer,
  secret: string | undefined,
): string | undefined =>
  spec.external === undefined || secret === undefined
    ? undefined
    : `mailseal.dev/adopt names Secret ${secret}, and keys come from the external CertificateIssuer ${name} alone: take the Secret out, and leave the TLSA sets, which keep the key that the hosts have until they get theirs`;

/** The issuer that is referred to, remembered, or the only one that is marked as default. */
export function resolveIssuer(
  issuers: readonly CertificateIssuer[],
  request: { readonly ref?: string | undefined; readonly remembered?: string | undefined },
): Resolution<CertificateIssuer> {
  const wanted =
    request.ref ??
    (issuers.some((issuer) => issuer.metadata.name === request.remembered) ? request.remembered : undefined);
  if (wanted !== undefined) {
    const found = issuers.find((issuer) => issuer.metadata.name === wanted);
    return found === undefined
      ? refuse('IssuerNotFound', `the CertificateIssuer ${wanted} does not exist`)
      : { ok: true, value: found };
  }
  const marked = issuers.filter((issuer) => issuer.spec.default === true);
  const [only, second] = marked;
  if (only === undefined) {
    return refuse('NoIssuer', 'no CertificateIssuer is named, and none is marked `default: true`');
  }
  if (second !== undefined) {
    const names = marked
      .map((issuer) => issuer.metadata.name)
      .sort()
      .join(', ');
    return refuse(
      'AmbiguousDefault',
      `several CertificateIssuers are marked as default: ${names}. Name one in issuerRef`,
    );
  }
  return { ok: true, value: only };
}
