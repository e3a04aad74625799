import { type RecordProblem, type RecordView, recordKey, type WantedSet } from './record-view.ts';
import type { RecordChange } from '../dns/change.ts';
import type { Answer } from '../dns/answer.ts';
import { equalSets, type RecordSet } from '../dns/rrset.ts';
import { contest, contestWords, seenStanding } from './contested.ts';
import { refusal } from './guard.ts';
import { owned } from './ownership.ts';
import type { AppliedSet } from './state.ts';
import { unshown } from './unshown.ts';

export interface RecordsPlan {
  /** What to store before the changes are made, and after they have been seen. */
  readonly applied: readonly AppliedSet[];
  readonly changes: readonly { readonly provider: string; readonly zone: string; readonly change: RecordChange }[];
  /** Foreign records, wildcards: nothing is written there. */
  readonly refused: readonly RecordProblem[];
  /** Written, or about to be, and not yet seen by all. */
  readonly pending: readonly RecordProblem[];
}

/** Equal in values, and in TTL where the set is ours to change. */
const stands = (wanted: RecordSet, live: RecordSet, entry: AppliedSet): boolean =>
  equalSets(live, wanted, { ttl: entry.standing !== 'Found' });

const same = (a: RecordSet, b: RecordSet): boolean => equalSets(a, b, { ttl: true });

function shown(wanted: WantedSet, view: RecordView): RecordProblem | undefined {
  const record = recordKey(wanted);
  if (view.servers === undefined) {
    return { record, reason: 'NotAtAllServers', message: `${record}: its name servers were not asked yet` };
  }
  if (!view.servers.ok) return unshown(wanted, view.servers);
  const { outside, inside } = view;
  const agrees = (answer: Answer | undefined): boolean =>
    answer?.outcome === 'Found' && equalSets({ ...wanted, values: answer.values }, wanted);
  const said = (answer: Answer | undefined): string =>
    answer === undefined ? 'nothing yet' : answer.outcome === 'Found' ? answer.values.join(' | ') : answer.outcome;
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
  marked: boolean,
): AppliedSet['standing'] {
  if (live === undefined) return before?.standing === 'Ours' ? 'Ours' : 'Intended';
  // What replaces a set that stood by our hand is an edit of ours, however soon it is replaced.
  if (owned(live, before, marked)) return before === undefined || !same(before, wanted) ? 'Ours' : before.standing;
  // Neither refused nor ours: it stood so before we came, or someone else made it so.
  return 'Found';
}

/** Seconds for which another answer than the wanted one may still be cached. */
function cachedFor(view: RecordView, before: AppliedSet | undefined, now: number): number {
  const earlier = before === undefined || earlierIsForgotten(before, now) ? 0 : before.previousTtl;
  return Math.max(view.live?.ttl ?? 0, before?.ttl ?? 0, view.negativeTtl, earlier);
}

const earlierIsForgotten = ({ since, previousTtl }: AppliedSet, now: number): boolean =>
  since !== undefined && now >= since + previousTtl * 1000;

function remember(
  wanted: WantedSet,
  view: RecordView,
  before: AppliedSet | undefined,
  request: { readonly marked: boolean; readonly now: number },
): AppliedSet {
  const standing = standingOf(wanted, view, before, request.marked);
  if (before !== undefined && same(before, wanted)) {
    if (view.live !== undefined && stands(wanted, view.live, before)) return { ...before, standing };
    // It was there and is not any more, or not as it should: whatever waits for its age waits anew.
    const { since: _since, ...rest } = before;
    return _since === undefined
      ? { ...rest, standing }
      : { ...rest, standing, previousTtl: cachedFor(view, before, request.now) };
  }
  const { name, type, ttl, values, provider, zone } = wanted;
  return { name, type, ttl, values, provider, zone, standing, previousTtl: cachedFor(view, before, request.now) };
}

function confirm(entry: AppliedSet, problem: RecordProblem | undefined, now: number): AppliedSet {
  if (problem !== undefined || entry.since !== undefined) return entry;
  return { ...entry, standing: entry.standing === 'Intended' ? 'Ours' : entry.standing, since: now };
}

/**
 * Compares what is wanted with what stands. A name that is new to us is written only where nothing stands, and never
 * below a name that a wildcard makes; what stood before us is never touched.
 */
export function planRecords(request: {
  readonly wanted: readonly WantedSet[];
  readonly applied: readonly AppliedSet[];
  readonly views: ReadonlyMap<string, RecordView>;
  /** Our mark in the zone speaks for a set of which nothing is remembered. */
  readonly marked: (live: RecordSet) => boolean;
  /** The other installation whose mark stands where this name belongs to. */
  readonly stranger: (name: string) => string | undefined;
  readonly now: number;
}): RecordsPlan {
  const before = new Map(request.applied.map((entry) => [recordKey(entry), entry]));
  const applied: AppliedSet[] = [];
  const changes: { provider: string; zone: string; change: RecordChange }[] = [];
  const refused: RecordProblem[] = [];
  const pending: RecordProblem[] = [];

  for (const wanted of request.wanted) {
    const key = recordKey(wanted);
    const view = request.views.get(key);
    const entry = before.get(key);
    before.delete(key);
    if (view === undefined) {
      if (entry !== undefined) applied.push(entry);
      pending.push({ record: key, reason: 'Waiting', message: `${key} has not been looked at yet` });
      continue;
    }
    const { provider, zone, name, type, ttl, values } = wanted;
    const marked = view.live !== undefined && request.marked(view.live);
    const after: RecordSet = { name, type, ttl, values };
    const problem = refusal(wanted, view, entry, { marked, stranger: request.stranger(name) });
    if (problem !== undefined) {
      refused.push(problem);
      if (entry !== undefined) applied.push(entry);
      continue;
    }
    const next = remember(wanted, view, entry, { marked, now: request.now });
    if (view.live !== undefined && stands(wanted, view.live, next)) {
      const unseen = shown(wanted, view);
      if (unseen !== undefined) pending.push(unseen);
      applied.push(confirm(seenStanding(next), unseen, request.now));
      continue;
    }
    const contested = contest(wanted, view.live, entry, request.now);
    if (contested !== undefined && 'until' in contested) {
      refused.push({ record: key, reason: 'Conflict', message: contestWords(key, contested) });
      applied.push({ ...next, ...(entry?.restored === undefined ? {} : { restored: entry.restored }) });
      continue;
    }
    applied.push({ ...next, ...contested });
    pending.push({ record: key, reason: 'Waiting', message: `${key} ${wanted.hold ?? 'is being published'}` });
    if (wanted.hold !== undefined) continue;
    changes.push({ provider, zone, change: { name, type, before: view.live, after } });
  }

  for (const entry of before.values()) {
    const view = request.views.get(recordKey(entry));
    if (view === undefined) applied.push(entry);
    const live = view?.live;
    if (live === undefined || !owned(live, entry, request.marked(live))) continue;
    applied.push(entry);
    if (request.stranger(entry.name) !== undefined) continue;
    const { provider, zone, name, type } = entry;
    changes.push({ provider, zone, change: { name, type, before: live, after: undefined } });
  }
  return { applied, changes, refused, pending };
}
