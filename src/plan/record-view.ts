/** The words in which planning speaks of record sets: what is wanted, what was seen, what stands in the way. */
import type { Reason } from '../api/reasons.ts';
import type { Answer } from '../dns/answer.ts';
import type { Place } from '../dns/place.ts';
import type { RecordSet } from '../dns/rrset.ts';

/** A record set that should stand, and whose API carries it. */
export interface WantedSet extends RecordSet, Place {
  readonly settleSeconds: number;
  /** Why it may not be written yet: the intent is stored, what stands stays. */
  readonly hold?: string | undefined;
}

/**
 * Why not all servers show a set: some server lags; one fails, does not serve the zone, or can't be reached; or all
 * answer and none shows it, though the provider's API does.
 */
export type Unshown = Extract<Reason, 'ServerLagging' | 'ServerFailing' | 'ServerLame' | 'ServerSilent' | 'NotApplied'>;

/** What was seen of one record set. */
export interface RecordView {
  /** In the provider's own eyes; `undefined`: nothing of that type stands there. */
  readonly live: RecordSet | undefined;
  /** Where a CNAME at the name leads: nothing else can stand beside it (RFC 1034 §3.6.2). */
  readonly alias?: string | undefined;
  /** Why its provider can't be asked before a human has mended something: then `live` is what the world shows. */
  readonly lost?: string;
  /** All authoritative servers show the wanted set; undefined where it was not asked. */
  readonly servers:
    | { readonly ok: true }
    | { readonly ok: false; readonly kind: Unshown; readonly why: string }
    | undefined;
  readonly outside: Answer | undefined;
  /** Undefined where it was not asked, or there is no inside view. */
  readonly inside: Answer | undefined;
  /** The name, or the host it hangs on, comes from a wildcard; asked only before a first write. */
  readonly synthesised: boolean | 'Unknown';
  /** Seconds for which its absence may be cached. */
  readonly negativeTtl: number;
}

export interface RecordProblem {
  /** `recordKey` of the set that it is about. */
  readonly record: string;
  readonly reason: Reason;
  readonly message: string;
}

/** What names one record set: `_mta-sts.example.com TXT`. */
export const recordKey = (set: { readonly name: string; readonly type: string }): string => `${set.name} ${set.type}`;
