/** The record sets that a look at a domain asks for. */
import type { DesiredDomain } from '../desired/domain.ts';
import { standsAt } from '../dns/place.ts';
import { stsRecordName } from '../mtasts/record.ts';
import { policyAddressSets } from '../plan/domain-records.ts';
import { markName, markValue } from '../plan/ownership.ts';
import { recordKey } from '../plan/record-view.ts';
import type { DomainState } from '../plan/state.ts';
import { tlsRptRecordName } from '../tlsrpt/record.ts';
import type { World } from '../world.ts';
import type { LedName } from './leads.ts';
import type { Sought } from './records.ts';

/** The sets that a domain wants, and those that it wants no more. */
export function soughtRecords(
  world: World,
  desired: DesiredDomain,
  state: DomainState | undefined,
  recent: boolean,
): readonly Sought[] {
  const { domain, policyHost, grant } = desired;
  const applied = state?.applied ?? [];
  const addresses = policyAddressSets(policyHost, world.cache.policyAddresses(), applied);
  const valuesOf = (name: string, type: string): readonly string[] =>
    applied.find((entry) => entry.name === name && entry.type === type)?.values ?? [];
  const addressesOf = (type: string) => addresses.find((set) => set.type === type)?.values ?? [];
  const place = { ...grant, host: domain };
  const wanted: readonly Sought[] = [
    { ...place, name: markName(domain), type: 'TXT', values: [markValue(world.installationId)] },
    { ...place, name: policyHost, type: 'A', values: addressesOf('A') },
    { ...place, name: policyHost, type: 'AAAA', values: addressesOf('AAAA') },
    { ...place, name: tlsRptRecordName(domain), type: 'TXT', values: valuesOf(tlsRptRecordName(domain), 'TXT') },
    { ...place, name: stsRecordName(domain), type: 'TXT', values: valuesOf(stsRecordName(domain), 'TXT') },
  ];
  const known = new Set(wanted.map(recordKey));
  const left = applied.filter((entry) => !known.has(recordKey(entry)));
  return [
    ...wanted.map((one): Sought => {
      const entry = applied.find((stored) => recordKey(stored) === recordKey(one));
      // What was written elsewhere is looked for there, until it has gone.
      if (entry !== undefined && standsAt(entry) !== standsAt(one)) return { ...entry, host: undefined, left: true };
      return recent ? { ...one, stored: { entry } } : one;
    }),
    ...left.map((entry) => ({ ...entry, host: undefined, left: true as const })),
  ];
}

/** The names whose records a human's CNAMEs lead to, where the domain's zone is one of others. */
export const soughtLed = ({ domain, policyHost, grant, rua }: DesiredDomain): readonly LedName[] =>
  [policyHost, stsRecordName(domain), ...(rua.length > 0 ? [tlsRptRecordName(domain)] : [])].map((name) => ({
    ...grant,
    name,
    host: domain,
  }));
