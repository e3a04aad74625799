import { defaults } from '../api/defaults.ts';
import type { Reason } from '../api/reasons.ts';
import type { CertificateIssuer, DNSProvider } from '../api/types.ts';
import { isWithin, toALabel } from '../dns/names.ts';

/** A name resolved to the provider and zone that carry its records, or the reason why there is none. */
export type Resolution<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: Reason; readonly message: string };

export interface ZoneGrant {
  readonly provider: string;
  readonly zone: string;
  readonly settleSeconds: number;
}

const refuse = (reason: Reason, message: string): Resolution<never> => ({ ok: false, reason, message });

/** The zones of a provider in the form that Mailseal compares; a zone that is spelt in two ways is one. */
export function zonesOf({ spec }: DNSProvider): readonly string[] {
  const zones = spec.zones.flatMap((text) => {
    const zone = toALabel(text, { minLabels: 1, underscore: true });
    return zone.ok ? [zone.name] : [];
  });
  return [...new Set(zones)];
}

const grants = (provider: DNSProvider, namespace: string): boolean =>
  provider.spec.allowedNamespaces?.names.includes(namespace) ?? false;

/**
 * The provider and zone for `name`: the one that is referred to, else the one with the longest matching zone that
 * allows the namespace; among equals the default. A provider remembered from an earlier resolution stays, as long as
 * it still serves, so that a second default never moves a domain.
 */
export function resolveZone(
  providers: readonly DNSProvider[],
  request: {
    readonly name: string;
    readonly namespace: string;
    readonly ref?: string | undefined;
    readonly remembered?: string | undefined;
  },
): Resolution<ZoneGrant> {
  const { name, namespace, ref } = request;
  const named = ref === undefined ? providers : providers.filter((provider) => provider.metadata.name === ref);
  if (named.length === 0) {
    return ref === undefined
      ? refuse(
          'NoProvider',
          `there is no DNSProvider: create one whose zones hold ${name} and that allows namespace ${namespace}`,
        )
      : refuse('ProviderNotFound', `spec.dnsProviderRef names the DNSProvider ${ref}, which does not exist`);
  }
  const serving = named.flatMap((provider) =>
    zonesOf(provider).flatMap((zone) => (isWithin(name, zone) ? [{ provider, zone }] : [])),
  );
  if (serving.length === 0) {
    const granted = named.map((provider) => `${provider.metadata.name} (${provider.spec.zones.join(', ')})`).join('; ');
    return refuse(
      'ZoneNotGranted',
      `${name} lies in no zone of a DNSProvider; granted are: ${granted}. Add its zone to one of them`,
    );
  }
  const allowed = serving.filter(({ provider }) => grants(provider, namespace));
  if (allowed.length === 0) {
    const names = [...new Set(serving.map(({ provider }) => provider.metadata.name))].join(', ');
    return refuse(
      'NamespaceNotGranted',
      `the DNSProvider ${names} does not allow namespace ${namespace}: an administrator adds it to spec.allowedNamespaces.names`,
    );
  }
  const kept = allowed.filter(({ provider }) => provider.metadata.name === request.remembered);
  const pool = ref === undefined && kept.length > 0 ? kept : allowed;
  const longest = Math.max(...pool.map(({ zone }) => zone.length));
  const best = pool.filter(({ zone }) => zone.length === longest);
  const marked = best.filter(({ provider }) => provider.spec.default === true);
  const [chosen, other] = best.length > 1 && marked.length > 0 ? marked : best;
  if (chosen === undefined || other !== undefined) {
    const names = best
      .map(({ provider }) => provider.metadata.name)
      .sort()
      .join(', ');
    return refuse('AmbiguousDefault', `several DNSProviders serve ${name}: ${names}. Name one in spec.dnsProviderRef`);
  }
  return {
    ok: true,
    value: {
      provider: chosen.provider.metadata.name,
      zone: chosen.zone,
      settleSeconds: chosen.provider.spec.settleSeconds ?? defaults.provider.settleSeconds,
    },
  };
}

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
