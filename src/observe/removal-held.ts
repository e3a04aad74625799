import type { AppliedSet } from '../plan/state.ts';
import type { ZoneObserver } from './dns/zonehealth.ts';
import { lookAtSecurity } from './security.ts';

/**
 * Why these TLSA sets are not to be removed now, in words: DNSSEC of a zone that they stand in, or are led from, is being
 * changed, is broken, or can't be known. Other sets never wait.
 */
export async function removalHeld(world: ZoneObserver, sets: readonly AppliedSet[]): Promise<string | undefined> {
  const zones = new Set(
    sets.flatMap(({ type, standing, zone, delegatedFrom }) =>
      type !== 'TLSA' || standing === 'Found' ? [] : [zone, ...(delegatedFrom === undefined ? [] : [delegatedFrom])],
    ),
  );
  for (const zone of zones) {
    const { verdict, detail } = await lookAtSecurity(world, [zone], [await world.outside.lookup(zone, 'SOA')]);
    if (verdict !== 'Secure' && verdict !== 'Insecure') return `DNSSEC of ${zone} is not at rest: ${detail}`;
  }
  return undefined;
}
