/** The provider of a name, and the zone that really holds it, where a grant is for all zones below a name. */
import type { DNSProvider } from '../api/types.ts';
import type { Resolution } from '../desired/references.ts';
import { resolveZone, type ZoneGrant, type ZoneRequest } from '../desired/zones.ts';
import type { Resolver } from '../dns/answer.ts';
import { parentsUpTo } from '../dns/names.ts';
import type { Recents } from './recent.ts';

export interface ZoneFinder {
  readonly outside: Resolver;
  readonly recents: Pick<Recents, 'cuts'>;
}

/** As `resolveZone`; of a grant by selector with the zone that the DNS shows, which is remembered for some minutes. */
export async function findZone(
  world: ZoneFinder,
  providers: readonly DNSProvider[],
  request: ZoneRequest,
): Promise<Resolution<ZoneGrant>> {
  const found = resolveZone(providers, request);
  if (!found.ok || found.value.below === undefined) return found;
  const { below, ...grant } = found.value;
  const cut = await cutOf(world, request.name, below);
  return cut.ok ? { ok: true, value: { ...grant, zone: cut.value } } : cut;
}

/** The nearest name above that has name servers of its own (RFC 1034 §4.2). */
async function cutOf({ outside, recents }: ZoneFinder, name: string, below: string): Promise<Resolution<string>> {
  const known = recents.cuts.find(name, below);
  if (known !== undefined) return { ok: true, value: known };
  for (const zone of [name, ...parentsUpTo(name, below)]) {
    const { outcome, canonicalName, detail } = await outside.lookup(zone, 'NS');
    if (outcome === 'Found' && canonicalName === zone) {
      recents.cuts.keep(name, below, zone);
      return { ok: true, value: zone };
    }
    if (outcome === 'NoData' || outcome === 'NxDomain' || outcome === 'Found') continue;
    const message = `can't find out which zone holds ${name}: ${detail ?? outcome}`;
    return { ok: false, reason: 'DNSUnknown', message };
  }
  const message = `${name} lies in no zone at or below ${below}, as the DNS shows it: create its zone, or correct spec.zoneSelector`;
  return { ok: false, reason: 'ZoneNotGranted', message };
}
