/**
 * A record set of ours that someone else writes too. What was altered is restored at once; but who alters it again and
 * again is no human who slipped, and would be at it for ever: a second installation with the same id, as of a cluster that
 * was moved while the old one still runs, takes our address of the policy host for an edit of its own.
 */
import { equalSets, inWords, type RecordSet } from '../dns/rrset.ts';
import type { WantedSet } from './record-view.ts';
import type { AppliedSet, Restored } from './state.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** So often it is restored at once, where no day goes by between them. */
const patientTimes = 3;
/** The pause after the last of them, doubled each time: longer than between two looks of one who is in no hurry. */
const firstPauseMs = hourMs;
const longestPauseMs = dayMs / 2;

/** It stood by our hand as it is still wanted, and now stands with other values: those are nobody's but another's. */
function isAltered(wanted: WantedSet, live: RecordSet, entry: AppliedSet): boolean {
  // RFC 7672 §2.2: DANE senders defer mail to hosts whose keys the TLSA set lacks. It is restored whatever that takes.
  if (entry.standing !== 'Ours' || wanted.type === 'TLSA') return false;
  // A write of ours that failed, or that the provider does not show yet, is no alteration.
  const stood = entry.since !== undefined || entry.restored?.stood === true;
  return stood && equalSets(entry, wanted) && !equalSets(live, wanted);
}

/** Another's values stand, and are left alone until then (milliseconds since 1970). */
interface Contest {
  readonly says: readonly string[];
  readonly until: number;
}

/**
 * Whether an altered set is to be restored now, and what is to be remembered of that, or until when it is left alone;
 * undefined where nobody altered it. A set that was deleted is none that someone writes. `now` is in milliseconds.
 */
export function contest(
  wanted: WantedSet,
  live: RecordSet | undefined,
  entry: AppliedSet | undefined,
  now: number,
): { readonly restored: Restored } | Contest | undefined {
  if (entry === undefined || live === undefined || wanted.hold !== undefined) return undefined;
  if (!isAltered(wanted, live, entry)) return undefined;
  const { times, at } = entry.restored ?? { times: 0, at: 0 };
  if (now - at >= dayMs) return { restored: { times: 1, at: now, stood: false } };
  const pauseMs = times < patientTimes ? 0 : Math.min(firstPauseMs * 2 ** (times - patientTimes), longestPauseMs);
  // A clock that was set back makes no pause longer.
  const rests = now >= at && now < at + pauseMs;
  return rests ? { says: live.values, until: at + pauseMs } : { restored: { times: times + 1, at: now, stood: false } };
}

/** An entry whose set was seen to stand as it should: from then on it can be altered. */
export const seenStanding = (entry: AppliedSet): AppliedSet =>
  entry.restored === undefined || entry.restored.stood
    ? entry
    : { ...entry, restored: { ...entry.restored, stood: true } };

/** Who that may be, and what to do, for a human. */
export const contestWords = (record: string, { says, until }: Contest): string =>
  `${record} is altered again and again by another program, perhaps another installation of Mailseal with the same id; now it says ${inWords(says)}. Stop one of the two, then remove the record: Mailseal publishes its own within a minute. Else it writes it again after ${new Date(until).toISOString()}`;
