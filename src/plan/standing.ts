/** What is remembered of a wanted set, beside what was seen of it: whose it is, since when it stands, what may be cached. */
import type { Answer } from '../dns/answer.ts';
import { equalSets, inWords, type RecordSet } from '../dns/rrset.ts';
import { owned } from './ownership.ts';
import { type RecordProblem, type RecordView, recordKey, type WantedSet } from './record-view.ts';
import type { AppliedSet } from './state.ts';
import { unshown } from './unshown.ts';

/** Equal in values, and in TTL where the set is ours to change. */
export const stands = (wanted: RecordSet, live: RecordSet, { standing, anyTtl }: Standing): boolean =>
  equalSets(live, wanted, { ttl: standing !== 'Found' && !anyTtl });

interface Standing extends Pick<AppliedSet, 'standing'> {
  readonly anyTtl: boolean;
}

const same = (a: RecordSet, b: RecordSet): boolean => equalSets(a, b, { ttl: true });

export function shown(wanted: WantedSet, view: RecordView): RecordProblem | undefined {
  const record = recordKey(wanted);
  if (view.servers === undefined) {
    return { record, reason: 'NotAtAllServers', message: `${record}: its name servers were not asked yet` };
  }
  if (!view.servers.ok) return unshown(wanted, view.servers);
  const { outside, inside } = view;
  const agrees = (answer: Answer | undefined): boolean =>
    answer?.outcome === 'Found' && equalSets({ ...wanted, values: answer.values }, wanted);
  const said = (answer: Answer | undefined): string =>
    answer === undefined ? 'nothing yet' : answer.outcome === 'Found' ? inWords(answer.values) : answer.outcome;
  if (!agrees(outside)) {
    return {
      record,
      reason: 'NotSeenOutside',
      message: `${record} stands at all name servers, but the outside resolver still answers: ${said(outside)}`,
    };
  }
  if (inside === undefined || agrees(inside)) return undefined;
  return {
    record,
    reason: 'SplitHorizon',
    message: `${record} is seen from outside, but the inside resolver answers: ${said(inside)}`,
  };
}

function standingOf(
  wanted: WantedSet,
  { live }: RecordView,
  before: AppliedSet | undefined,
  { marked, adopted }: Pick<Whose, 'marked' | 'adopted'>,
): AppliedSet['standing'] {
  if (live === undefined) return before?.standing === 'Ours' ? 'Ours' : 'Intended';
  // What replaces a set that stood by our hand is an edit of ours, however soon it is replaced.
  if (owned(live, before, marked)) return before === undefined || !same(before, wanted) ? 'Ours' : before.standing;
  if (adopted) return 'Ours';
  // Neither refused nor ours: it stood so before we came, or someone else made it so.
  return 'Found';
}

/** Seconds for which another answer than the wanted one may still be cached. */
function cachedFor(view: RecordView, before: AppliedSet | undefined, now: number): number {
  const earlier = before === undefined || earlierIsForgotten(before, now) ? 0 : before.previousTtl;
  return Math.max(view.live?.ttl ?? 0, before?.ttl ?? 0, view.negativeTtl, earlier);
}

/** RFC 7671 §8.1 counts two TTLs, for caches behind caches. */
const earlierIsForgotten = ({ since, previousTtl, retimed }: AppliedSet, now: number): boolean =>
  retimed !== true && since !== undefined && now >= since + 2 * previousTtl * 1000;

export function remember(
  wanted: WantedSet,
  view: RecordView,
  before: AppliedSet | undefined,
  request: Whose & { readonly now: number },
): AppliedSet {
  const standing = standingOf(wanted, view, before, request);
  const { name, type, ttl, values, provider, zone, delegatedFrom } = wanted;
  const place = { provider, zone, ...(delegatedFrom === undefined ? {} : { delegatedFrom }) };
  if (before !== undefined && same(before, wanted)) {
    const known = { ...before, ...place, standing };
    if (request.led && view.live !== undefined && stands(wanted, view.live, { ...before, ...request })) return known;
    // It was there and is not any more, or not as it should: whatever waits for its age waits anew.
    const { since: _since, ...rest } = known;
    const again = retimed([view.live], wanted);
    return _since === undefined && again.retimed === undefined
      ? rest
      : { ...rest, ...again, previousTtl: cachedFor(view, before, request.now) };
  }
  const previousTtl = cachedFor(view, before, request.now);
  return { name, type, ttl, values, ...place, standing, previousTtl, ...retimed([before, view.live], wanted) };
}

/** A server that still shows the same values may do so with the TTL that they had. */
const retimed = (earlier: readonly (RecordSet | undefined)[], wanted: RecordSet): Pick<AppliedSet, 'retimed'> =>
  earlier.some((one) => one !== undefined && equalSets(one, wanted) && one.ttl !== wanted.ttl) ? { retimed: true } : {};

/** What is known of a set beside what was seen of it. */
export interface Whose {
  /** Our mark speaks for it. */
  readonly marked: boolean;
  /** The user gave it to us, whoever wrote it. */
  readonly adopted: boolean;
  /** Whoever writes it in the end gives it a TTL of his own. */
  readonly anyTtl: boolean;
  /** No CNAME is missing that leads to it. */
  readonly led: boolean;
}

/** Some server answers, and shows something else. */
export const isContradicted = (reason: RecordProblem['reason']): boolean =>
  reason === 'ServerLagging' || reason === 'NotApplied';

export function confirm(entry: AppliedSet, problem: RecordProblem | undefined, now: number): AppliedSet {
  if (problem !== undefined && entry.type === 'TLSA' && isContradicted(problem.reason)) {
    // A server that was put back hands the earlier set to caches: keys wait for it anew.
    const { since: _since, ...rest } = entry;
    return rest;
  }
  if (problem !== undefined || entry.since !== undefined) return entry;
  return { ...entry, standing: entry.standing === 'Intended' ? 'Ours' : entry.standing, since: now };
}
