import { type RecordProblem, type RecordView, recordKey, type WantedSet } from './record-view.ts';
import type { Reason } from '../api/reasons.ts';
import type { RequiredRecord } from '../api/types.ts';
import type { Traits } from '../desired/zones.ts';
import { needsLead, standsAt } from '../dns/place.ts';
import type { RecordSet } from '../dns/rrset.ts';
import { byHandWords, isByHand, isOurs, required, unwanted } from './byhand.ts';
import { contest, contestWords, seenStanding } from './contested.ts';
import { refusal } from './guard.ts';
import { leadProblem, type Leads } from './leads.ts';
import { markName, owned, placeOf } from './ownership.ts';
import { placed, type PlacedChange } from './placed.ts';
import { confirm, remember, shown, stands } from './standing.ts';
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
  /** Would be written, but for what it waits for. */
  readonly held: readonly HeldChange[];
}

/** A change that must wait, and for what: the end of a sentence that begins with the record. */
export interface HeldChange extends PlacedChange {
  readonly hold: string;
  /** A human will be asked for it. */
  readonly byHand: boolean;
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
  /** Why a set is not to be removed now. Absent: none waits. */
  readonly removalHeld?: (entry: AppliedSet) => string | undefined;
  /** By `recordKey`: what the user gives to us, whoever wrote it. */
  readonly adopt: ReadonlySet<string>;
  readonly now: number;
}

/** What becomes of one set. */
interface SetPlan {
  readonly applied?: AppliedSet | undefined;
  readonly change?: PlacedChange;
  /** Makes room for it, in the same call. */
  readonly clearing?: PlacedChange | undefined;
  readonly required?: RequiredRecord;
  readonly refused?: RecordProblem;
  readonly pending?: RecordProblem;
  readonly held?: HeldChange;
}

/**
 * Compares what is wanted with what stands. A name that is new to us is written only where nothing stands, and never
 * below a name that a wildcard makes; what stood before us is never touched, unless the user gives it to us. What the
 * provider may not write a human is asked for.
 */
export function planRecords(request: RecordsRequest): RecordsPlan {
  const before = new Map(request.applied.map((entry) => [recordKey(entry), entry]));
  const moving = new Set(
    request.wanted.filter((wanted) => isElsewhere(before.get(recordKey(wanted)), wanted)).map(recordKey),
  );
  const plans = request.wanted.map((wanted): SetPlan => {
    const key = recordKey(wanted);
    const entry = before.get(key);
    before.delete(key);
    if (isElsewhere(entry, wanted)) return planMove(wanted, entry, request);
    // The mark is looked at where it still stands: whose records lie at the other place is not known before it has moved.
    const mark = recordKey({ name: markName(placeOf(wanted.name)), type: 'TXT' });
    if (entry !== undefined || !moving.has(mark)) return planSet(wanted, entry, request);
    return { pending: { record: key, reason: 'Waiting', message: `${mark} moves to another zone first` } };
  });
  const all = [...plans, ...[...before.values()].map((entry) => planLeft(entry, request))];
  const each = <K extends keyof SetPlan>(what: K): readonly NonNullable<SetPlan[K]>[] =>
    all.flatMap((plan) => (plan[what] === undefined ? [] : [plan[what]]));
  // One alias may be in the way of several sets.
  const clearings = new Map(each('clearing').map((one) => [one.change.name, one]));
  return {
    applied: each('applied'),
    changes: [...clearings.values(), ...each('change')],
    required: each('required'),
    refused: each('refused'),
    pending: each('pending'),
    held: each('held'),
  };
}

const isElsewhere = (entry: AppliedSet | undefined, wanted: WantedSet): entry is AppliedSet =>
  entry !== undefined && standsAt(entry) !== standsAt(wanted);

/** What stands where it was before goes first; two places would contradict each other. */
function planMove(wanted: WantedSet, entry: AppliedSet, request: RecordsRequest): SetPlan {
  const record = recordKey(wanted);
  const stranger = request.stranger(wanted.name);
  if (stranger === undefined) {
    const pending: RecordProblem = { record, reason: 'Waiting', message: `${record} moves to ${standsAt(wanted)}` };
    return { pending, ...planLeft(entry, request) };
  }
  const message = `${record} is to move to another zone, but where it stands now the records are marked as those of another installation of Mailseal, ${stranger}. Nothing was written; if that one has gone, remove its mark there, and Mailseal goes on`;
  return { ...planLeft(entry, request), refused: { record, reason: 'ForeignRecord', message } };
}

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
  const aliasAdopted = request.adopt.has(recordKey({ name: wanted.name, type: 'CNAME' }));
  const stranger = request.stranger(wanted.name);
  const refused = refusal(wanted, view, entry, { marked, stranger, adopted, aliasAdopted });
  if (refused !== undefined) return { applied: entry, refused };
  const owns = live !== undefined && owned(live, entry, marked);
  if (live !== undefined && !owns && adopted && wanted.type === 'TLSA' && mustWait(wanted, live)) {
    const message = `${record} ${wanted.hold ?? 'stays until what stands there is part of what is published'}`;
    return { applied: entry, pending: waits(message) };
  }
  const unled = needsLead(wanted) ? unledWords(request.leads, wanted.name) : undefined;
  const byHand = isByHand(traits);
  const anyTtl = byHand || traits?.exactTtl === false;
  const whose = { marked, adopted, anyTtl, led: unled === undefined };
  const next = remember(wanted, view, entry, { ...whose, now: request.now });
  if (live !== undefined && stands(wanted, live, { ...next, anyTtl })) {
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
  const room = clearing(wanted, view);
  const mayWrite = isOurs(change, traits);
  const ours = mayWrite && (room === undefined || isOurs(room.change, traits));
  const held = hold === undefined ? {} : { held: { ...placed(change, wanted), hold, byHand: !ours } };
  if (!ours) {
    if (hold !== undefined) return { applied: next, pending: waits(`${record} ${hold}`), ...held };
    const words = byHandWords(wanted.provider, traits);
    // An alias that only a human may remove is all that stands in our way.
    const asked = mayWrite ? unwanted({ ...wanted, type: 'CNAME' }) : required(wanted, false);
    return { applied: next, required: asked, pending: waits(`${record} ${words}`, 'AwaitingHuman') };
  }
  const contested = contest(wanted, live, entry, request.now);
  if (contested !== undefined && 'until' in contested) {
    const applied = { ...next, ...(entry?.restored === undefined ? {} : { restored: entry.restored }) };
    return { applied, refused: { record, reason: 'Conflict', message: contestWords(record, contested) } };
  }
  return {
    applied: { ...next, ...contested },
    pending: waits(`${record} ${hold ?? 'is being published'}`),
    ...(hold === undefined ? { change: placed(change, wanted), clearing: room } : held),
  };
}

/** Hosts present what a given TLSA set pins: it is ours from when nothing holds us up, and then loses none of its values. */
const mustWait = ({ hold, values }: WantedSet, live: RecordSet): boolean =>
  hold !== undefined || !live.values.every((value) => values.includes(value));

/** The user's alias at the name goes in the same step in which our set comes. */
function clearing(wanted: WantedSet, { live, alias }: RecordView): PlacedChange | undefined {
  if (live !== undefined || alias === undefined) return undefined;
  const { name, ttl } = wanted;
  const before: RecordSet = { name, type: 'CNAME', ttl, values: [alias] };
  return placed({ name, type: 'CNAME', before, after: undefined }, wanted);
}

/** What is not wanted any more, or not where it stands. */
function planLeft(entry: AppliedSet, request: RecordsRequest): SetPlan {
  const record = recordKey(entry);
  const view = request.views.get(record);
  if (view === undefined) return { applied: entry };
  const { live, lost } = view;
  if (live === undefined || !owned(live, entry, request.marked(live))) return {};
  if (request.stranger(entry.name) !== undefined) return { applied: entry };
  const held = request.removalHeld?.(entry);
  if (held !== undefined)
    return { applied: entry, pending: { record, reason: 'Waiting', message: `${record} is removed later: ${held}` } };
  const change = { name: entry.name, type: entry.type, before: live, after: undefined };
  const traits = request.traits[entry.provider];
  if (lost === undefined && isOurs(change, traits)) return { applied: entry, change: placed(change, entry) };
  const why = lost ?? byHandWords(entry.provider, traits);
  const message = `${record} at ${standsAt(entry)} is to be removed by hand: ${why}`;
  return { applied: entry, required: unwanted(entry), pending: { record, reason: 'AwaitingHuman', message } };
}

function unledWords(leads: Leads | undefined, name: string): Omit<RecordProblem, 'record'> | undefined {
  const lead = leads?.get(name);
  if (lead !== undefined) return leadProblem(lead);
  return leads && { reason: 'Waiting', message: `the CNAME at ${name} has not been looked at yet` };
}
