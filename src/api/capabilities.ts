/** What each kind of DNS API can do: facts of the API, which the plan goes by and the docs tell. */
import type { DNSProviderSpec } from './types.ts';

export type ProviderType = 'rfc2136' | 'powerdns' | 'route53' | 'cloudflare' | 'webhook' | 'externalDns' | 'manual';

export const providerTypes: readonly ProviderType[] = [
  'rfc2136',
  'powerdns',
  'route53',
  'cloudflare',
  'webhook',
  'externalDns',
  'manual',
];

export interface Capabilities {
  /** Can hold TLSA records. */
  readonly tlsa: boolean;
  /** `RecordChange.before` is enforced by the server. */
  readonly compareAndSwap: boolean;
  /** All changes of one call happen together or not at all. */
  readonly batch: boolean;
  /** `list` costs by the number of names, not by the size of the zone. */
  readonly listByName: boolean;
  /** It writes at all; else a human does what it would write, and is told in `status.requiredRecords`. */
  readonly writes: boolean;
  /** Seconds: a shorter TTL is refused, or raised without a word. */
  readonly shortestTtl: number;
  /** A TTL that is asked for is the one that stands; else whoever writes it in the end has a word of his own. */
  readonly exactTtl: boolean;
}

const full: Capabilities = {
  tlsa: true,
  compareAndSwap: true,
  batch: true,
  listByName: true,
  writes: true,
  shortestTtl: 0,
  exactTtl: true,
};

export const capabilitiesOf: Readonly<Record<ProviderType, Capabilities>> = {
  rfc2136: full,
  powerdns: { ...full, compareAndSwap: false },
  // A batch of DELETE with the exact set and CREATE is refused as a whole where something else stands.
  route53: full,
  // Without a paid plan no TTL is shorter than a minute.
  cloudflare: { ...full, compareAndSwap: false, shortestTtl: 60 },
  // external-dns has no record type for TLSA.
  webhook: { ...full, tlsa: false, compareAndSwap: false, batch: false, listByName: false, exactTtl: false },
  externalDns: { ...full, tlsa: false, compareAndSwap: false, batch: false, exactTtl: false },
  manual: { ...full, compareAndSwap: false, batch: false, writes: false, exactTtl: false },
};

/** By which API a provider writes; undefined where its spec names none, which validation refuses. */
export const providerTypeOf = (spec: DNSProviderSpec): ProviderType | undefined =>
  providerTypes.find((type) => spec[type] !== undefined);
