/** What a provider may not write, or can't: a human is asked for it, and the plan goes on when it is seen. */
import type { RequiredRecord } from '../api/types.ts';
import type { ProviderTraits } from '../desired/zones.ts';
import type { RecordChange } from '../dns/change.ts';
import { type Place, standsAt } from '../dns/place.ts';
import type { RecordSet } from '../dns/rrset.ts';

/** Whether Mailseal makes the change itself. Of a provider of which nothing is known, it tries. */
export function isOurs({ after }: Pick<RecordChange, 'after'>, traits: ProviderTraits | undefined): boolean {
  switch (traits?.policy) {
    case undefined:
    case 'Full':
      return true;
    case 'UpsertOnly':
      return after !== undefined;
    case 'Observe':
      return false;
  }
}

/** Whether a human publishes all of it, with a TTL of his own choice. */
export const isByHand = (traits: ProviderTraits | undefined): boolean => traits?.policy === 'Observe';

/** The set as a human is asked to publish it. */
export const required = (set: RecordSet & Place, seen: boolean): RequiredRecord => ({
  name: standsAt(set),
  type: set.type,
  ttlSeconds: set.ttl,
  values: set.values,
  seen,
});

/** The set as a human is asked to remove it. */
export const unwanted = (set: Pick<RecordSet, 'name' | 'type'> & Place): RequiredRecord => ({
  name: standsAt(set),
  type: set.type,
  values: [],
  seen: false,
});

/** Whom to ask, as the end of a sentence. */
export const byHandWords = (provider: string, traits: ProviderTraits | undefined): string => {
  const who = traits?.contact === undefined ? '' : `, ${traits.contact}`;
  const why =
    traits?.type === 'manual'
      ? `a human writes the zone${who}`
      : `the policy of DNSProvider ${provider} leaves it to a human`;
  return `waits for a human: ${why}. See status.requiredRecords`;
};
