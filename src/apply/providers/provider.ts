import type { Capabilities } from '../../api/capabilities.ts';
import type { RecordChange } from '../../dns/change.ts';
import type { RecordSet } from '../../dns/rrset.ts';

/** Where a record set is looked for. */
export interface SetKey extends Pick<RecordSet, 'name' | 'type'> {
  /** What was seen so many milliseconds ago will do, unless a change of ours came after it. Default 3000. */
  readonly recentMs?: number;
  /** Milliseconds since 1970 at which someone asked for a fresh look: what was seen before that will not do. */
  readonly askedAt?: number;
}

export type { Capabilities } from '../../api/capabilities.ts';
export type { RecordChange } from '../../dns/change.ts';

/** How fast an API may be called. */
export interface CallRate {
  /** Calls that may be under way at a time. */
  readonly atOnce: number;
  /** Calls in a second, on the average. Absent: as many as are answered. */
  readonly perSecond?: number;
  /** Calls that may go out without a pause after a rest. Default 1. */
  readonly burst?: number;
}

/** What the calls of a look have shown, what nobody sought among it. */
export interface Seen {
  readonly sets: readonly RecordSet[];
  /** Whether all that stands at a name is among them. */
  readonly covers: (name: string) => boolean;
}

/**
 * A DNS provider's API. Both calls throw MailsealError: `ProviderUnauthorized` (credentials), `ProviderUnavailable`
 * (unreachable, timeout: the change may or may not have been made), `ProviderThrottled` (with retryAfterSeconds),
 * `ProviderRefused` (the server's reason in the message), `ZoneNotFound`, and `RecordChanged` when a `before` did not
 * hold: observe again. Changes that take more than one call stand up to the one that failed, and the message says so.
 */
export interface Provider {
  readonly capabilities: Capabilities;
  /** Absent: as fast as it answers. */
  readonly rate?: CallRate;
  /** It keeps `rate` itself, for each call of its API; else each list and each apply counts as one call. */
  readonly keepsRate?: true;
  /**
   * The share of one call's room that a change takes: those whose shares add up to no more than 1 go out in one call.
   * Those of one object are never cut; they count as one call even where they take more.
   */
  readonly share: (change: RecordChange) => number;
  /** Of these record sets those that stand at exactly their names in the zone; where an alias stands instead, that. */
  readonly list: (zone: string, sought: readonly SetKey[]) => Promise<readonly RecordSet[]>;
  /** As `list`, where its calls show what stands at other names, too. */
  readonly see?: (zone: string, sought: readonly SetKey[]) => Promise<Seen>;
  /**
   * Makes all changes, in one call where the API can. Where the API does not compare, `before` is compared with what
   * stands right before the call.
   */
  readonly apply: (zone: string, changes: readonly RecordChange[]) => Promise<void>;
  /** Lets go of connections that are kept; calls under way go on. */
  readonly close?: () => void;
}
