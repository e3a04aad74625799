/** How the zones of a DNSProvider stand, before a domain needs them. */
import type { Provider } from '../apply/providers/provider.ts';
import { plainText } from '../api/text.ts';
import type { DNSProvider, ProviderZone } from '../api/types.ts';
import { belowOf, delegatedZonesOf, zonesOf } from '../desired/zones.ts';
import { MailsealError } from '../errors.ts';
import { markName } from '../plan/ownership.ts';
import type { ZoneObserver } from './dns/zonehealth.ts';
import { placeText, reachable } from './dns/shown.ts';
import { lookAtSecurity } from './security.ts';

/** What was seen of one zone, and what its API said where it refused. */
export interface ObservedZone extends ProviderZone {
  /** The name of a selector, under which zones lie and which is none. */
  readonly isNoZone?: boolean;
  readonly error?: MailsealError;
}

/** Zones that are looked at together. */
const atOnce = 8;
const longestMessage = 1024;

/**
 * Every zone of the provider and every zone that is delegated into it. Credentials that are refused for one zone are
 * tried for no other.
 */
export async function observeProviderZones(
  world: ZoneObserver,
  object: DNSProvider,
  provider: Provider,
): Promise<readonly ObservedZone[]> {
  const zones = [
    ...zonesOf(object).map((name) => ({ name, is: 'Own' as const })),
    ...belowOf(object).map((name) => ({ name, is: 'Selector' as const })),
    ...delegatedZonesOf(object).map((name) => ({ name, is: 'Delegated' as const })),
  ];
  const seen: ObservedZone[] = [];
  for (let at = 0; at < zones.length; at += atOnce) {
    const some = zones.slice(at, at + atOnce);
    seen.push(...(await Promise.all(some.map((zone) => observeOne(world, provider, zone)))));
    if (seen.some(({ error }) => error?.reason === 'ProviderUnauthorized')) break;
  }
  return seen;
}

async function observeOne(
  world: ZoneObserver,
  provider: Provider,
  { name, is }: { readonly name: string; readonly is: 'Own' | 'Selector' | 'Delegated' },
): Promise<ObservedZone> {
  const [refusal, servers, soa] = await Promise.all([
    is === 'Delegated' ? undefined : refusalOf(provider, name),
    world.authorities.lookupAll(name, name, 'SOA'),
    world.outside.lookup(name, 'SOA'),
  ]);
  // A selector need be no zone itself: what counts is that the credentials are good.
  const isNoZone = is === 'Selector' && refusal?.reason === 'ZoneNotFound';
  const error = isNoZone ? undefined : refusal;
  const counted = isNoZone ? [] : reachable(servers);
  const silent = counted.filter(({ answer }) => answer.outcome !== 'Found');
  const security = await lookAtSecurity(world, [name], [soa]);
  const answering = counted.length - silent.length;
  const troubles = [
    ...(error === undefined ? [] : [error.message]),
    ...(counted.length === 0 && !isNoZone ? ['no authoritative server of it could be found'] : []),
    ...silent.map((one) => `${placeText(one)} does not answer for it: ${one.answer.detail ?? one.answer.outcome}`),
    ...(security.verdict === 'Secure' ? [] : [security.detail]),
  ];
  return {
    name,
    found: is === 'Delegated' ? soa.outcome === 'Found' && soa.canonicalName === name : refusal === undefined,
    ...(isNoZone ? { isNoZone } : {}),
    servers: counted.length,
    answering,
    dnssec: security.verdict,
    ...(troubles.length === 0 ? {} : { message: plainText(troubles.join('; '), longestMessage) }),
    ...(error === undefined ? {} : { error }),
  };
}

async function refusalOf(provider: Provider, zone: string): Promise<MailsealError | undefined> {
  try {
    await provider.list(zone, [{ name: markName(zone), type: 'TXT' }]);
    return undefined;
  } catch (error) {
    if (error instanceof MailsealError) return error;
    throw error;
  }
}
