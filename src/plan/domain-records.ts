/** The record sets that a domain wants. */
import type { DesiredDomain } from '../desired/domain.ts';
import { formatStsRecord, stsRecordName } from '../mtasts/record.ts';
import type { Publication } from '../mtasts/lifecycle.ts';
import { formatTlsRptRecord, tlsRptRecordName } from '../tlsrpt/record.ts';
import type { ObservedDomain } from './domain.ts';
import { markName, markValue } from './ownership.ts';
import type { WantedSet } from './record-view.ts';
import type { AppliedSet } from './state.ts';

const markTtlSeconds = 300;

/**
 * The values of the policy host's A and AAAA sets. While the policy Service has no address at all, what was published
 * goes on standing, and is neither changed nor written anew: that nothing is known does not mean that there is nothing.
 */
export function policyAddressSets(
  policyHost: string,
  addresses: ObservedDomain['addresses'],
  applied: readonly AppliedSet[],
): readonly Pick<WantedSet, 'name' | 'type' | 'values' | 'hold'>[] {
  const { ipv4, ipv6 } = addresses;
  const known = ipv4.length + ipv6.length > 0;
  return (['A', 'AAAA'] as const).flatMap((type) => {
    const entry = applied.find((one) => one.name === policyHost && one.type === type);
    const values = known ? (type === 'A' ? ipv4 : ipv6) : (entry?.values ?? []);
    if (values.length === 0) return [];
    const hold = known ? undefined : 'waits until the policy Service has an address again';
    return [{ name: policyHost, type, values, hold }];
  });
}

/** Mark, address, report and policy record; `hold`: why the policy is not announced yet. */
export function wantedRecords(
  desired: DesiredDomain,
  observed: ObservedDomain,
  publication: Publication,
  applied: readonly AppliedSet[],
  hold: string | undefined,
): readonly WantedSet[] {
  const { grant, domain, policyHost, rua } = desired;
  const ttl = desired.mtaSts.ttlSeconds;
  const set = (name: string, type: WantedSet['type'], values: readonly string[]): WantedSet => ({
    ...grant,
    name,
    type,
    ttl,
    values,
  });
  const wanted: WantedSet[] = [
    { ...set(markName(domain), 'TXT', [markValue(observed.installationId)]), ttl: markTtlSeconds },
  ];
  for (const one of policyAddressSets(policyHost, observed.addresses, applied))
    wanted.push({ ...set(one.name, one.type, one.values), hold: one.hold });
  if (rua.length > 0) wanted.push(set(tlsRptRecordName(domain), 'TXT', [formatTlsRptRecord({ rua })]));
  wanted.push({ ...set(stsRecordName(domain), 'TXT', [formatStsRecord(publication.id)]), hold });
  return wanted;
}
