import { defaults } from '../api/defaults.ts';
import type { KeyAlgorithm, MailExchanger, WorkloadRef } from '../api/types.ts';
import { tlsaName } from '../dane/tlsa.ts';
import { toALabel } from '../dns/names.ts';
import type { DesiredRotation } from './rotation.ts';
import type { ZoneGrant } from './zones.ts';

/** A MailExchanger with every default resolved and every name canonical. */
export interface DesiredExchanger {
  readonly namespace: string;
  readonly name: string;
  readonly hosts: readonly DesiredHost[];
  /** In the certificate: the hosts, then the further names. */
  readonly certificateNames: readonly string[];
  readonly issuer: string;
  /** Of the keys that the hosts are given. */
  readonly algorithm: KeyAlgorithm;
  readonly secretName: string;
  /** Of an external issuer: the Secret that someone else puts certificates and their keys into. */
  readonly sourceSecretName?: string;
  readonly dane: {
    readonly mode: 'Auto' | 'Off';
    readonly ttlSeconds: number;
    /** Whose TLSA sets are kept beside that of port 25; absent: none. */
    readonly furtherPorts?: readonly number[];
  };
  readonly rotation: DesiredRotation;
  /** Workloads that are restarted when the certificate in the Secret has changed. */
  readonly restart: readonly WorkloadRef[];
  readonly suspended: boolean;
  /** By `recordKey`: records that the user gives to us. */
  readonly adopt: ReadonlySet<string>;
  /** Names of earlier certificates that nobody needs any more. */
  readonly dropNames?: readonly string[];
  /** The Secret whose key the user gives to us, to be the current one. */
  readonly importFrom?: string;
}

export interface DesiredHost {
  readonly host: string;
  readonly grant: ZoneGrant;
}

export const dropNamesAnnotation = 'mailseal.dev/drop-names';

/** As certificates have them: wildcards, and what is no full name, may be among them. */
const droppedNames = (annotations: Readonly<Record<string, string>> = {}): readonly string[] =>
  (annotations[dropNamesAnnotation] ?? '')
    .split(/[\s,]+/u)
    .flatMap((name) => (name === '' ? [] : [name.toLowerCase()]));
/** The TLSA base domains of a host that are ours to keep; that of port 25 first. */
export const tlsaNames = (host: string, { furtherPorts = [] }: DesiredExchanger['dane']): readonly string[] =>
  [25, ...furtherPorts].map((port) => tlsaName(host, port));

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
    readonly importFrom?: string | undefined;
    readonly rotation: DesiredRotation;
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
    algorithm: spec.certificate?.algorithms?.[0] ?? defaults.certificate.algorithm,
    secretName: secretNameOf(exchanger),
    ...(spec.certificate?.sourceSecretName === undefined
      ? {}
      : { sourceSecretName: spec.certificate.sourceSecretName }),
    dane: {
      mode: spec.dane?.mode ?? defaults.dane.mode,
      ttlSeconds: spec.dane?.ttlSeconds ?? defaults.dane.ttlSeconds,
      furtherPorts: [...new Set(spec.dane?.tlsaPorts)].filter((port) => port !== 25).sort((a, b) => a - b),
    },
    rotation: resolved.rotation,
    restart: spec.delivery?.restart ?? [],
    suspended: spec.suspend ?? defaults.suspend,
    adopt: new Set(resolved.adopt),
    dropNames: droppedNames(metadata.annotations),
    ...(resolved.importFrom === undefined ? {} : { importFrom: resolved.importFrom }),
  };
}
