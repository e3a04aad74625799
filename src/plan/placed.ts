import type { RecordChange } from '../dns/change.ts';
import { type Place, standsAt } from '../dns/place.ts';
import type { RecordSet } from '../dns/rrset.ts';

/** A change as the zone takes it, and which name of ours leads to the name in the zone, where they differ. */
export interface PlacedChange {
  readonly provider: string;
  readonly zone: string;
  readonly change: RecordChange;
  readonly aliases: Readonly<Record<string, string>>;
}

/** `change` is of the name that the world looks up. */
export function placed(change: RecordChange, { provider, zone, delegatedFrom }: Place): PlacedChange {
  const name = standsAt({ name: change.name, zone, delegatedFrom });
  if (name === change.name) return { provider, zone, change, aliases: {} };
  const there = (set: RecordSet | undefined): RecordSet | undefined => set && { ...set, name };
  const moved: RecordChange = { name, type: change.type, before: there(change.before), after: there(change.after) };
  return { provider, zone, change: moved, aliases: { [name]: change.name } };
}
