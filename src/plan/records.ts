import { type RecordProblem, type RecordView, recordKey, type WantedSet } from './record-view.ts';
import type { Reason } from '../api/reasons.ts';
import type { RequiredRecord } from '../api/types.ts';
import type { Traits } from '../desired/zones.ts';
import type { Answer } from '../dns/answer.ts';
import { needsLead, standsAt } from '../dns/place.ts';
import { equalSets, inWords, type RecordSet } from '../dns/rrset.ts';
import { byHandWords, isByHand, isOurs, required, unwanted } from './byhand.ts';
import { contest, contestWords, seenStanding } from './contested.ts';
import { refusal } from './guard.ts';
import { leadProblem, type Leads } from './leads.ts';
import { markName, owned, placeOf } from './ownership.ts';
import { placed, type PlacedChange } from './placed.ts';
import type { AppliedSet } from './state.ts';

export interface RecordsPlan {
  /** What to store before the changes are made, and after they have been seen. */
  readonly applied: readonly AppliedSet[];
  readonly changes: readonly PlacedChange[];
  /** What is left to a human, and whether it stands. */
  readonly required: readonly RequiredRecord[];
  /** Foreign records, wildcards: nothing is written there. */
  readonly refused: readonly RecordProblem[];
  /** Written, or about to be, and not yet seen by all. */
  readonly pending: readonly RecordProblem[];
}

/** Equal in values, and in TTL where the set is ours to change. */
const stands = (wanted: RecordSet, live: RecordSet, { standing, byHand }: Standing): boolean =>
  equalSets(live, wanted, { ttl: standing !== 'Found' && !byHand });

interface Standing extends Pick<AppliedSet, 'standing'> {
  readonly byHand: boolean;
}

const same = (a: RecordSet, b: RecordSet): boolean => equalSets(a, b, { ttl: true });

function shown(wanted: WantedSet, view: RecordView): RecordProblem | undefined {
  const record = recordKey(wanted);
  if (view.servers === undefined || !view.servers.ok) {
    const why = view.servers === undefined ? 'not asked yet' : view.servers.why;
    return { record, reason: 'NotAtAllServers', message: `${record} is not yet at all name servers: ${why}` };
  }
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

const earlierIsForgotten = ({ since, previousTtl }: AppliedSet, now: number): boolean =>
  since !== undefined && now >= since + previousTtl * 1000;

function remember(
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
    return _since === undefined ? rest : { ...rest, previousTtl: cachedFor(view, before, request.now) };
  }
  return { name, type, ttl, values, ...place, standing, previousTtl: cachedFor(view, before, request.now) };
}

/** What is known of a set beside what was seen of it. */
interface Whose {
  /** Our mark speaks for it. */
  readonly marked: boolean;
  /** The user gave it to us, whoever wrote it. */
  readonly adopted: boolean;
  readonly byHand: boolean;
  /** No CNAME is missing that leads to it. */
  readonly led: boolean;
}

function confirm(entry: AppliedSet, problem: RecordProblem | undefined, now: number): AppliedSet {
  if (problem !== undefined || entry.since !== undefined) return entry;
  return { ...entry, standing: entry.standing === 'Intended' ? 'Ours' : entry.standing, since: now };
}

export interface RecordsRequest {
  readonly wanted: readonly WantedSet[];
  readonly applied: readonly AppliedSet[];
  readonly views: ReadonlyMap<string, RecordView>;
  /** Our mark in the zone speaks for a set of which nothing is remembered. */
  readonly marked: (live: RecordSet) => boolean;
  /** The other installation whose mark stands where this name belongs to. */
  readonly stranger: (name: string) => string | undefined;
  readonly traits: Traits;
  /** The CNAMEs that lead to sets in a zone of ours. Undefined: nobody looks after them. */
  readonly leads: Leads | undefined;
  /** By `recordKey`: what the user gives to us, whoever wrote it. */
  readonly adopt: ReadonlySet<string>;
  readonly now: number;
}

/** What becomes of one set. */
interface SetPlan {
  readonly applied?: AppliedSet | undefined;
  readonly change?: PlacedChange;
  readonly required?: RequiredRecord;
  readonly refused?: RecordProblem;
  readonly pending?: RecordProblem;
}

/**
 * Compares what is wanted with what stands. A name that is new to us is written only where nothing stands, and never
 * below a name that a wildcard makes; what stood before us is never touched, unless the user gives it to us. What the
 * provider may not write a human is asked for.
 */
export function planRecords(request: RecordsRequest): RecordsPlan {
  const before = new Map(request.applied.map((entry) => [recordKey(entry), entry]));
  const moving = new Set(
    request.wanted.map(recordKey).filter((key, at) => {
      const [wanted, entry] = [request.wanted[at], before.get(key)];
      return wanted !== undefined && entry !== undefined && standsAt(entry) !== standsAt(wanted);
    }),
  );
  const plans = request.wanted.map((wanted): SetPlan => {
    const key = recordKey(wanted);
    const entry = before.get(key);
    // The mark is looked at where it still stands: whose records lie at the other place is not known before it has moved.
    const first = moving.has(key) ? key : recordKey({ name: markName(placeOf(wanted.name)), type: 'TXT' });
    if (!moving.has(key) && !(entry === undefined && moving.has(first))) {
      before.delete(key);
      return planSet(wanted, entry, request);
    }
    // What stands where it was before goes first; two places would contradict each other.
    const stranger = moving.has(key) ? request.stranger(wanted.name) : undefined;
    if (stranger !== undefined) return { refused: takenOver(key, stranger) };
    return { pending: { record: key, reason: 'Waiting', message: `${first} moves to another zone first` } };
  });
  const all = [...plans, ...[...before.values()].map((entry) => planLeft(entry, request))];
  const each = <K extends keyof SetPlan>(what: K): readonly NonNullable<SetPlan[K]>[] =>
    all.flatMap((plan) => (plan[what] === undefined ? [] : [plan[what]]));
  return {
    applied: each('applied'),
    changes: each('change'),
    required: each('required'),
    refused: each('refused'),
    pending: each('pending'),
  };
}

const takenOver = (record: string, stranger: string): RecordProblem => ({
  record,
  reason: 'ForeignRecord',
  message: `${record} is to move to another zone, but where it stands now the records are marked as those of another installation of Mailseal, ${stranger}. Nothing was written; if that one has gone, remove its mark there, and Mailseal goes on`,
});

function planSet(asWanted: WantedSet, entry: AppliedSet | undefined, request: RecordsRequest): SetPlan {
  const traits = request.traits[asWanted.provider];
  const wanted = { ...asWanted, ttl: Math.max(asWanted.ttl, traits?.shortestTtl ?? 0) };
  const record = recordKey(wanted);
  const waits = (message: string, reason: Reason = 'Waiting'): RecordProblem => ({ record, reason, message });
  const view = request.views.get(record);
  if (view === undefined) return { applied: entry, pending: waits(`${record} has not been looked at yet`) };
  const { live } = view;
  const marked = live !== undefined && request.marked(live);
  const adopted = request.adopt.has(record);
  const refused = refusal(wanted, view, entry, { marked, stranger: request.stranger(wanted.name), adopted });
  if (refused !== undefined) return { applied: entry, refused };
  const unled = needsLead(wanted) ? unledWords(request.leads, wanted.name) : undefined;
  const byHand = isByHand(traits);
  const whose = { marked, adopted, byHand, led: unled === undefined };
  const next = remember(wanted, view, entry, { ...whose, now: request.now });
  if (live !== undefined && stands(wanted, live, { ...next, byHand })) {
    const pending = unled === undefined ? shown(wanted, view) : { record, ...unled };
    const applied = confirm(seenStanding(next), pending, request.now);
    return {
      applied,
      ...(pending === undefined ? {} : { pending }),
      ...(byHand ? { required: required(wanted, pending === undefined) } : {}),
    };
  }
  const { name, type, ttl, values, hold } = wanted;
  const change = { name, type, before: live, after: { name, type, ttl, values } };
  if (!isOurs(change, traits)) {
    if (hold !== undefined) return { applied: next, pending: waits(`${record} ${hold}`) };
    const words = byHandWords(wanted.provider, traits);
    return { applied: next, required: required(wanted, false), pending: waits(`${record} ${words}`, 'AwaitingHuman') };
  }
  const contested = contest(wanted, live, entry, request.now);
  if (contested !== undefined && 'until' in contested) {
    const applied = { ...next, ...(entry?.restored === undefined ? {} : { restored: entry.restored }) };
    return { applied, refused: { record, reason: 'Conflict', message: contestWords(record, contested) } };
  }
  return {
    applied: { ...next, ...contested },
    pending: waits(`${record} ${hold ?? 'is being published'}`),
    ...(hold === undefined ? { change: placed(change, wanted) } : {}),
  };
}

/** What is not wanted any more, or not where it stands. */
function planLeft(entry: AppliedSet, request: RecordsRequest): SetPlan {
  const view = request.views.get(recordKey(entry));
  if (view === undefined) return { applied: entry };
  const { live } = view;
  if (live === undefined || !owned(live, entry, request.marked(live))) return {};
  if (request.stranger(entry.name) !== undefined) return { applied: entry };
  const change = { name: entry.name, type: entry.type, before: live, after: undefined };
  return isOurs(change, request.traits[entry.provider])
    ? { applied: entry, change: placed(change, entry) }
    : { applied: entry, required: unwanted(entry) };
}

function unledWords(leads: Leads | undefined, name: string): Omit<RecordProblem, 'record'> | undefined {
  const lead = leads?.get(name);
  if (lead !== undefined) return leadProblem(lead);
  return leads && { reason: 'Waiting', message: `the CNAME at ${name} has not been looked at yet` };
}
