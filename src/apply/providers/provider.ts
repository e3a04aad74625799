import type { RecordChange } from '../../dns/change.ts';
import type { RecordSet } from '../../dns/rrset.ts';

/** Where a record set is looked for. */
export interface SetKey extends Pick<RecordSet, 'name' | 'type'> {
  /** What was seen so many milliseconds ago will do, unless a change of ours came after it. Default 3000. */
  readonly recentMs?: number;
}

export type { RecordChange } from '../../dns/change.ts';

export interface Capabilities {
  /** Can hold TLSA records. */
  readonly tlsa: boolean;
  /** `RecordChange.before` is enforced by the server. */
  readonly compareAndSwap: boolean;
  /** All changes of one call happen together or not at all. */
  readonly batch: boolean;
  /** `list` costs by the number of names, not by the size of the zone. */
  readonly listByName: boolean;
}

/**
 * A DNS provider's API. Both calls throw MailsealError: `ProviderUnauthorized` (credentials), `ProviderUnavailable`
 * (unreachable, timeout: the change may or may not have been made), `ProviderThrottled` (with retryAfterSeconds),
 * `ProviderRefused` (the server's reason in the message), `ZoneNotFound`, and `RecordChanged` when a `before` did not
 * hold: nothing was written, observe again.
 */
export interface Provider {
  readonly capabilities: Capabilities;
  /** Of these record sets those that stand at exactly their names in the zone; where an alias stands instead, that. */
  readonly list: (zone: string, sought: readonly SetKey[]) => Promise<readonly RecordSet[]>;
  /** Makes all changes, in one call where the API can. */
  readonly apply: (zone: string, changes: readonly RecordChange[]) => Promise<void>;
}
