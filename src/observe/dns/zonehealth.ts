/** Looks whether the chain of trust of a zone stands still: at all its servers, above it, and in the resolver's memory. */
import type { Clock } from '../../clock.ts';
import type { Answer, Authorities, Resolver, ServerAnswer } from '../../dns/answer.ts';
import { parentsUpTo } from '../../dns/names.ts';
import { type ApexView, type DsView, judgeZone, type ZoneHealth } from '../../dns/zonehealth.ts';
import type { Recents } from '../recent.ts';
import { answered, placeText } from './shown.ts';

export interface ZoneObserver {
  readonly authorities: Authorities;
  readonly outside: Resolver;
  readonly recents: Recents;
  readonly clock: Clock;
}

/** Of the servers above a zone: enough to see that they differ, few enough for a zone that all the world lies below. */
const mostParents = 4;

/**
 * Asks at most once in five minutes, and where something is in motion once in one: four questions to each address of the
 * zone's servers, and one for the DS to the resolver and to each of a few servers of the parent.
 */
export async function observeZone(world: ZoneObserver, zone: string): Promise<ZoneHealth> {
  const known = world.recents.stillZones.find(zone, '') ?? world.recents.zones.find(zone, '');
  if (known !== undefined) return known;
  const looking = lookAt(world, zone);
  world.recents.zones.keep(zone, '', looking);
  const health = await looking;
  if (health.verdict === 'Well') world.recents.stillZones.keep(zone, '', health);
  return health;
}

async function lookAt({ authorities, outside, clock }: ZoneObserver, zone: string): Promise<ZoneHealth> {
  const [soa, keys, cds, cdnskey, remembered, above] = await Promise.all([
    authorities.lookupAll(zone, zone, 'SOA'),
    authorities.lookupAll(zone, zone, 'DNSKEY'),
    authorities.lookupAll(zone, zone, 'CDS'),
    authorities.lookupAll(zone, zone, 'CDNSKEY'),
    outside.lookup(zone, 'DS'),
    dsAbove({ authorities, outside }, zone),
  ]);
  if (!answered(remembered)) {
    return { verdict: 'Unknown', detail: `its DS can't be looked up: ${remembered.detail ?? remembered.outcome}` };
  }
  const servers = keys.map((one): ApexView => {
    const here = (answers: readonly ServerAnswer[]): ServerAnswer | undefined =>
      answers.find((other) => other.server === one.server && other.address === one.address && answered(other.answer));
    const valuesOf = (answers: readonly ServerAnswer[]): readonly string[] => here(answers)?.answer.values ?? [];
    const top = here(soa);
    return {
      place: placeText(one),
      serial: serialOf(top?.answer),
      keys: answered(one.answer) ? one.answer.values : undefined,
      keySignatures: one.signatures ?? [],
      soaSignatures: top && (top.signatures ?? []),
      cds: valuesOf(cds),
      cdnskey: valuesOf(cdnskey),
    };
  });
  const parent = [{ place: 'the outside resolver', ds: remembered.values }, ...above];
  return judgeZone({ servers, parent }, clock.now());
}

function serialOf(soa: Answer | undefined): number | undefined {
  const serial = soa?.values[0]?.split(' ')[2];
  return serial === undefined ? undefined : Number(serial);
}

/** The DS set at servers of the zone above; of those that can be asked, none where there are none. */
async function dsAbove(
  { authorities, outside }: Pick<ZoneObserver, 'authorities' | 'outside'>,
  zone: string,
): Promise<readonly DsView[]> {
  for (const parent of parentsUpTo(zone, '')) {
    const cut = await outside.lookup(parent, 'NS');
    if (!answered(cut)) return [];
    if (cut.outcome !== 'Found' || cut.canonicalName !== parent) continue;
    const answers = await authorities.lookupAll(parent, zone, 'DS', mostParents);
    return answers.flatMap((one) => (answered(one.answer) ? [{ place: placeText(one), ds: one.answer.values }] : []));
  }
  return [];
}
