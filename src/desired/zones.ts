/** Which DNSProvider carries the records of a name, and how far it may go. */
import { capabilitiesOf, type ProviderType, providerTypeOf } from '../api/capabilities.ts';
import { defaults } from '../api/defaults.ts';
import type { DNSProvider, ProviderPolicy } from '../api/types.ts';
import { isWithin, toALabel } from '../dns/names.ts';
import { type Place, standsAt } from '../dns/place.ts';
import { refuse, type Resolution } from './references.ts';

export interface ZoneGrant extends Place {
  readonly settleSeconds: number;
  /** The grant is for all zones at or below this name: which of them `zone` is, the DNS tells (see `findZone`). */
  readonly below?: string;
}

/** What the plan must know of a provider before it asks for anything. */
export interface ProviderTraits {
  readonly type: ProviderType;
  /** `Observe` also where no API writes. */
  readonly policy: ProviderPolicy;
  readonly tlsa: boolean;
  /** Seconds: it takes no shorter TTL. */
  readonly shortestTtl: number;
  /** Seconds from when all its servers show a change until the world does. */
  readonly settleSeconds: number;
  /** A TTL that is asked for is the one that stands; else it is no difference. */
  readonly exactTtl: boolean;
  /** Who publishes what Mailseal does not, as far as the administrator says so. */
  readonly contact?: string | undefined;
}

/** Traits by the provider's name. */
export type Traits = Readonly<Record<string, ProviderTraits>>;

function traitsOf({ spec }: DNSProvider): ProviderTraits | undefined {
  const type = providerTypeOf(spec);
  if (type === undefined) return undefined;
  const { writes, tlsa, shortestTtl, exactTtl } = capabilitiesOf[type];
  const settleSeconds = spec.settleSeconds ?? defaults.provider.settleSeconds;
  const policy = writes ? (spec.policy ?? defaults.provider.policy) : 'Observe';
  return { type, policy, tlsa, shortestTtl, settleSeconds, exactTtl, contact: spec.manual?.contact };
}

export const traitsOfAll = (providers: readonly DNSProvider[]): Traits =>
  Object.fromEntries(
    providers.flatMap((provider) => {
      const traits = traitsOf(provider);
      return traits === undefined ? [] : [[provider.metadata.name, traits]];
    }),
  );

const canonicalZones = (zones: readonly string[]): readonly string[] => {
  const names = zones.flatMap((text) => {
    const zone = toALabel(text, { minLabels: 1, underscore: true });
    return zone.ok ? [zone.name] : [];
  });
  return [...new Set(names)];
};

/** The zones of a provider in the form that Mailseal compares; a zone that is spelt in two ways is one. */
export const zonesOf = ({ spec }: DNSProvider): readonly string[] => canonicalZones(spec.zones ?? []);

/** The zones of others whose CNAMEs lead into a provider's. */
export const delegatedZonesOf = ({ spec }: DNSProvider): readonly string[] =>
  canonicalZones(spec.delegated?.zones ?? []);

/** The names at or below which a provider is for all zones. */
export const belowOf = ({ spec }: DNSProvider): readonly string[] => canonicalZones(spec.zoneSelector?.below ?? []);

/** Whether a provider's object lets its zone be written. */
export const grantsZone = (provider: DNSProvider, zone: string): boolean =>
  zonesOf(provider).includes(zone) || belowOf(provider).some((below) => isWithin(zone, below));

/** All that a provider is for, in words. */
export const zonesText = (provider: DNSProvider): string =>
  [...zonesOf(provider), ...belowOf(provider).map((below) => `all below ${below}`)].join(', ');

/** A provider that serves a name, and the zone by which it does: one that it writes, or one that leads into it. */
interface Candidate {
  readonly provider: DNSProvider;
  readonly holds: string;
  readonly zone: string;
  readonly delegatedFrom: string | undefined;
  readonly below?: string;
}

/** All zones that a provider grants names in, delegated ones too. */
function candidatesOf(provider: DNSProvider): readonly Candidate[] {
  const own = zonesOf(provider);
  const direct = own.map((zone): Candidate => ({ provider, holds: zone, zone, delegatedFrom: undefined }));
  const selected = belowOf(provider).map(
    (below): Candidate => ({ provider, holds: below, zone: below, delegatedFrom: undefined, below }),
  );
  const { delegated } = provider.spec;
  const [into] = delegated?.into === undefined ? own : canonicalZones([delegated.into]);
  if (delegated === undefined || into === undefined) return [...direct, ...selected];
  const led = canonicalZones(delegated.zones).map(
    (zone): Candidate => ({ provider, holds: zone, zone: into, delegatedFrom: zone }),
  );
  return [...direct, ...selected, ...led];
}

/** Below these names stand the records of delegated zones: they belong to whoever those zones are granted to. */
const placesBehind = (provider: DNSProvider): readonly string[] =>
  candidatesOf(provider).flatMap(({ delegatedFrom, zone }) =>
    delegatedFrom === undefined ? [] : [standsAt({ name: delegatedFrom, zone, delegatedFrom })],
  );

/** The longest name that we put before a domain's or a host's. */
const longestPrefix = '_acme-challenge.mta-sts.';
const longestName = 253;

const grants = (provider: DNSProvider, namespace: string): boolean =>
  provider.spec.allowedNamespaces?.names.includes(namespace) ?? false;

const holdsTlsa = ({ provider }: Candidate): boolean => traitsOf(provider)?.tlsa === true;

/** The better ones, where there are any. */
const preferring = <T>(all: readonly T[], better: (one: T) => boolean): readonly T[] => {
  const some = all.filter(better);
  return some.length > 0 ? some : all;
};

export interface ZoneRequest {
  readonly name: string;
  readonly namespace: string;
  readonly ref?: string | undefined;
  readonly remembered?: string | undefined;
  /** TLSA records are to stand there: who can't hold them serves only where nobody else does. */
  readonly tlsa?: boolean;
}

/**
 * The provider and zone for `name`: the one that is referred to, else the one with the longest matching zone that
 * allows the namespace; among equals one that writes the zone itself, then the default. A provider remembered from an
 * earlier resolution stays, as long as it still serves, so that a second default never moves a domain.
 */
export function resolveZone(providers: readonly DNSProvider[], request: ZoneRequest): Resolution<ZoneGrant> {
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
  const reserved = providers.flatMap(placesBehind).find((place) => isWithin(name, place));
  if (reserved !== undefined) {
    return refuse(
      'ZoneNotGranted',
      `${name} lies below ${reserved}, where the records of a delegated zone stand: nobody is granted names there`,
    );
  }
  const serving = named.flatMap((provider) => candidatesOf(provider).filter(({ holds }) => isWithin(name, holds)));
  if (serving.length === 0) {
    const granted = named.map((provider) => `${provider.metadata.name} (${zonesText(provider)})`).join('; ');
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
  const able = request.tlsa === true ? preferring(allowed, holdsTlsa) : allowed;
  const pool =
    ref === undefined ? preferring(able, ({ provider }) => provider.metadata.name === request.remembered) : able;
  return choose(name, pool);
}

function choose(name: string, pool: readonly Candidate[]): Resolution<ZoneGrant> {
  const longest = Math.max(...pool.map(({ holds }) => holds.length));
  const best = preferring(
    pool.filter(({ holds }) => holds.length === longest),
    ({ delegatedFrom }) => delegatedFrom === undefined,
  );
  const [chosen, other] = best.length > 1 ? preferring(best, ({ provider }) => provider.spec.default === true) : best;
  if (chosen === undefined || other !== undefined) {
    const names = best
      .map(({ provider }) => provider.metadata.name)
      .sort()
      .join(', ');
    return refuse('AmbiguousDefault', `several DNSProviders serve ${name}: ${names}. Name one in spec.dnsProviderRef`);
  }
  const { provider, zone, delegatedFrom, below } = chosen;
  if (delegatedFrom !== undefined && (longestPrefix + standsAt({ name, zone, delegatedFrom })).length > longestName) {
    return refuse(
      'InvalidSpec',
      `${name} is too long to be delegated into ${zone}: with ${longestPrefix.slice(0, -1)} before it the name has more than ${longestName} octets. Delegate into a zone with a shorter name`,
    );
  }
  return {
    ok: true,
    value: {
      provider: provider.metadata.name,
      zone,
      ...(delegatedFrom === undefined ? {} : { delegatedFrom }),
      ...(below === undefined ? {} : { below }),
      settleSeconds: provider.spec.settleSeconds ?? defaults.provider.settleSeconds,
    },
  };
}
