import { needsLead, type Place, standsAt } from '../dns/place.ts';
import type { Lead, Leads } from '../plan/leads.ts';
import { shownEverywhere } from './dns/shown.ts';
import { isSynthesised } from './dns/wildcard.ts';
import type { RecordObserver } from './records.ts';

type Observer = Pick<RecordObserver, 'authorities' | 'recents'>;

/** A name whose records are written in another zone. */
export interface LedName extends Place {
  readonly name: string;
  /** The name that it hangs on. */
  readonly host: string;
}

/** The CNAMEs that a human is to set for these names, as the servers of the zones show them that hold the names. */
export async function observeLeads(
  world: Observer,
  names: readonly LedName[],
  /** What was right a moment ago will do. */
  recent: boolean,
): Promise<Leads> {
  const led = new Map(names.filter(needsLead).map((one) => [one.name, one]));
  const seen = await Promise.all([...led.values()].map((one) => observeLead(world, one, recent)));
  return new Map(seen.map((lead) => [lead.name, lead]));
}

async function observeLead(world: Observer, led: LedName, recent: boolean): Promise<Lead> {
  const { name, host, delegatedFrom = '' } = led;
  const target = standsAt(led);
  const place = `lead ${name}`;
  const known = recent ? world.recents.shown.find(place, target) : undefined;
  if (known !== undefined) return { name, target, shown: known, synthesised: false };
  const shown = shownEverywhere(await world.authorities.lookupAll(delegatedFrom, name, 'CNAME'), [target]);
  if (!shown.ok)
    return { name, target, shown, synthesised: await isSynthesised(world.authorities, delegatedFrom, host) };
  if (recent) world.recents.shown.keep(place, target, shown);
  return { name, target, shown, synthesised: false };
}
