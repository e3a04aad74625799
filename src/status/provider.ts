import type { DNSProviderStatus, ProviderZone } from '../api/types.ts';
import { fewOf } from './findings.ts';

/** As the CRD bounds it. */
const mostZones = 256;

const isWell = ({ found, servers, answering }: ProviderZone): boolean => found && servers > 0 && answering === servers;
/** What is worst comes first. */
const rank = (zone: ProviderZone): number => (isWell(zone) ? (zone.dnssec === 'Secure' ? 2 : 1) : 0);

/** Zone by zone, in an order that does not change by itself. */
export const providerStatus = (zones: readonly ProviderZone[]): Pick<DNSProviderStatus, 'zones'> => ({
  zones: [...zones]
    .sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1))
    .slice(0, mostZones)
    .map(({ name, found, servers, answering, dnssec, message }) => ({
      name,
      found,
      servers,
      answering,
      dnssec,
      ...(message === undefined ? {} : { message }),
    })),
});

/** What is well, and what an administrator should know of zones that work. */
export function providerWords(what: string, zones: readonly ProviderZone[]): string {
  const unsigned = zones.filter(({ dnssec }) => dnssec === 'Insecure').map(({ name }) => name);
  const moving = zones.filter(({ dnssec }) => dnssec === 'InMotion').map(({ name }) => name);
  const notes = [
    ...(unsigned.length === 0 ? [] : [`without DNSSEC, and so without DANE: ${fewOf(unsigned)}`]),
    ...(moving.length === 0 ? [] : [`DNSSEC is being changed: ${fewOf(moving)}`]),
  ];
  return [`serves ${what}`, ...notes].join('; ');
}

/** Zones that can't be relied on, though the API takes changes. */
export const isUnreliable = ({ found, servers, answering, dnssec }: ProviderZone): boolean =>
  !found || servers === 0 || answering === 0 || dnssec === 'Bogus';
