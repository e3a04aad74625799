import { defaults } from '../api/defaults.ts';
import type { MailDomain } from '../api/types.ts';
import type { ZoneGrant } from './zones.ts';

/** A MailDomain with every default resolved and every name canonical. */
export interface DesiredDomain {
  readonly namespace: string;
  readonly name: string;
  readonly domain: string;
  readonly policyHost: string;
  readonly grant: ZoneGrant;
  readonly issuer: string;
  /** Hosts of all its exchangers: what the policy names. Sorted. */
  readonly hosts: readonly string[];
  readonly mtaSts: {
    readonly mode: 'enforce' | 'testing';
    readonly maxAgeSeconds: number;
    readonly ttlSeconds: number;
    readonly afterDays: number;
    readonly immediately: boolean;
  };
  readonly rua: readonly string[];
  readonly suspended: boolean;
  /** By `recordKey`: records that the user gives to us. */
  readonly adopt: ReadonlySet<string>;
}

export function desiredDomain(
  mailDomain: MailDomain,
  resolved: {
    readonly domain: string;
    readonly grant: ZoneGrant;
    readonly issuer: string;
    readonly hosts: readonly string[];
    readonly adopt: readonly string[];
  },
): DesiredDomain {
  const { spec, metadata } = mailDomain;
  const { domain, grant, issuer } = resolved;
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    domain,
    policyHost: `mta-sts.${domain}`,
    grant,
    issuer,
    hosts: [...new Set(resolved.hosts)].sort(),
    mtaSts: {
      mode: spec.mtaSts?.mode ?? defaults.mtaSts.mode,
      maxAgeSeconds: spec.mtaSts?.maxAgeSeconds ?? defaults.mtaSts.maxAgeSeconds,
      ttlSeconds: spec.mtaSts?.ttlSeconds ?? defaults.mtaSts.ttlSeconds,
      afterDays: spec.mtaSts?.promotion?.afterDays ?? defaults.mtaSts.afterDays,
      immediately: spec.mtaSts?.promotion?.immediately ?? defaults.mtaSts.immediately,
    },
    rua: spec.tlsRpt?.rua ?? [],
    suspended: spec.suspend ?? defaults.suspend,
    adopt: new Set(resolved.adopt),
  };
}
