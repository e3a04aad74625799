import { defaults } from '../api/defaults.ts';
import type { MailExchanger } from '../api/types.ts';
import { toALabel } from '../dns/names.ts';
import type { ZoneGrant } from './zones.ts';

/** A MailExchanger with every default resolved and every name canonical. */
export interface DesiredExchanger {
  readonly namespace: string;
  readonly name: string;
  readonly hosts: readonly DesiredHost[];
  /** In the certificate: the hosts, then the further names. */
  readonly certificateNames: readonly string[];
  readonly issuer: string;
  readonly secretName: string;
  readonly dane: { readonly mode: 'Auto' | 'Off'; readonly ttlSeconds: number };
  readonly suspended: boolean;
  /** By `recordKey`: records that the user gives to us. */
  readonly adopt: ReadonlySet<string>;
}

export interface DesiredHost {
  readonly host: string;
  readonly grant: ZoneGrant;
}

/** Canonical form of names that validation has accepted. */
export function canonicalNames(names: readonly string[]): readonly string[] {
  return names.flatMap((text) => {
    const parsed = toALabel(text);
    return parsed.ok ? [parsed.name] : [];
  });
}

/** The Secret that the MX hosts mount. */
export const secretNameOf = ({ spec, metadata }: MailExchanger): string =>
  spec.certificate?.secretName ?? defaultSecretName(metadata.name);

/** Where the hosts' certificate lies if the spec of the exchanger of this name says nothing else. */
export const defaultSecretName = (exchanger: string): string => `${exchanger}-tls`;

export function desiredExchanger(
  exchanger: MailExchanger,
  resolved: {
    readonly issuer: string;
    readonly grants: ReadonlyMap<string, ZoneGrant>;
    readonly adopt: readonly string[];
  },
): DesiredExchanger {
  const { spec, metadata } = exchanger;
  const hosts = canonicalNames(spec.hosts).flatMap((host) => {
    const grant = resolved.grants.get(host);
    return grant === undefined ? [] : [{ host, grant }];
  });
  const names = [...hosts.map(({ host }) => host), ...canonicalNames(spec.certificate?.dnsNames ?? [])];
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    hosts,
    certificateNames: [...new Set(names)],
    issuer: resolved.issuer,
    secretName: secretNameOf(exchanger),
    dane: {
      mode: spec.dane?.mode ?? defaults.dane.mode,
      ttlSeconds: spec.dane?.ttlSeconds ?? defaults.dane.ttlSeconds,
    },
    suspended: spec.suspend ?? defaults.suspend,
    adopt: new Set(resolved.adopt),
  };
}
