/**
 * The end of what was published for a domain or for hosts, in the order that loses no mail: first what senders look up
 * to learn what is promised, then, when no cache holds it any more, what it leads to and what marks it as ours.
 */
import { canonical } from '../api/canonical.ts';
import type { Traits } from '../desired/zones.ts';
import type { RecordSet } from '../dns/rrset.ts';
import { abandon, type ObservedChallenges } from './challenges.ts';
import { type Change, humanMs, type Wait } from './change.ts';
import { owned, strangerAt } from './ownership.ts';
import { placed } from './placed.ts';
import { slop } from './publication.ts';
import { recordKey } from './record-view.ts';
import type { AppliedSet, State, Withdrawn } from './state.ts';

/** What was seen of one record set that is to go. */
export interface GoneView {
  /** In the provider's own eyes. */
  readonly live: RecordSet | undefined;
  /** Neither an authoritative server nor the outside view shows our values. */
  readonly gone:
    | { readonly ok: true }
    /** `shown`: our values that an authoritative server shows; absent or empty where none was heard to. */
    | { readonly ok: false; readonly why: string; readonly shown?: readonly string[] };
  /** The provider can't be asked before a human has mended something: only by hand can the set be removed. */
  readonly byHand?: true;
  /** The human's CNAME that led to it has gone: nobody is led to it any more. */
  readonly unled?: boolean;
}

export interface ObservedRemoval<S extends State = State> {
  readonly state: S;
  readonly installationId: string;
  /** By `recordKey`; without an entry where the provider could not be asked for now. */
  readonly gone: ReadonlyMap<string, GoneView>;
  /** Undefined where the provider could not be asked. */
  readonly challenges: ObservedChallenges | undefined;
  readonly traits: Traits;
}

export interface Removal {
  readonly state: State;
  readonly changes: readonly Change[];
  readonly waits: readonly Wait[];
  /** Nothing of ours stands any more. */
  readonly done: boolean;
  /** `recordKey` of what a human has to remove now, where the provider can't be had back. */
  readonly byHand: readonly string[];
}

const second = 1000;
const lookAgainMs = 5 * second;

/** What tells a sender to check: it acts on it for as long as it is cached. */
const promises = ({ name, type }: AppliedSet): boolean => type === 'TLSA' || name.startsWith('_mta-sts.');
const goesFirst = (set: AppliedSet): boolean => promises(set) || set.name.startsWith('_smtp._tls.');

function stands(entry: AppliedSet, view: GoneView | undefined): boolean {
  // It stood so before we came: never ours to remove.
  if (entry.standing === 'Found') return false;
  if (view === undefined) return true;
  return (view.live !== undefined && owned(view.live, entry, false)) || !view.gone.ok;
}

function removals(sets: readonly AppliedSet[], gone: ObservedRemoval['gone']): readonly Change[] {
  const made = sets.flatMap((entry) => {
    const live = gone.get(recordKey(entry))?.live;
    if (live === undefined || !owned(live, entry, false)) return [];
    return [placed({ name: entry.name, type: entry.type, before: live, after: undefined }, entry)];
  });
  return [...Map.groupBy(made, ({ provider, zone }) => `${provider} ${zone}`).values()].flatMap((group): Change[] => {
    const [first] = group;
    if (first === undefined) return [];
    const { provider, zone } = first;
    const changes = group.map(({ change }) => change);
    const why = `nobody relies on ${changes.map((one) => recordKey(one)).join(', ')} any more`;
    const aliases = Object.assign({}, ...group.map((one) => one.aliases)) as Readonly<Record<string, string>>;
    return [{ do: 'Records', why, provider, zone, changes, urgency: 'now', aliases }];
  });
}

const waitFor = (entry: AppliedSet, view: GoneView | undefined): Wait => {
  const key = recordKey(entry);
  if (view === undefined) return { why: `${key} can't be removed now`, forMs: lookAgainMs };
  const left = view.gone.ok ? '' : view.gone.why;
  const why = view.byHand
    ? `is to be removed by hand: ${left}`
    : view.gone.ok || view.live !== undefined
      ? 'is being removed'
      : `has not gone everywhere: ${left}`;
  return { why: `${key} ${why}`, forMs: view.byHand === true ? humanMs : lookAgainMs };
};

/** What still stands, and can't be removed but by hand. */
export const leftToHumans = (standing: readonly AppliedSet[], gone: ObservedRemoval['gone']): readonly string[] =>
  standing.map(recordKey).filter((key) => gone.get(key)?.byHand === true && gone.get(key)?.gone.ok === false);

/** Challenge records that may stand, and nobody can ask the provider for. */
function spentNames({ spent, order }: State, challenges: ObservedRemoval['challenges']): readonly string[] {
  if (challenges !== undefined) return [];
  const open = (order?.authorizations ?? []).map(({ txtName }) => txtName);
  return [...new Set([...spent.map(({ name }) => name), ...open])].map((name) => recordKey({ name, type: 'TXT' }));
}

/** What stays to be remembered once what goes first has gone. */
function withdrawnOf(
  first: readonly AppliedSet[],
  before: Withdrawn | undefined,
  { traits }: Pick<ObservedRemoval, 'traits'>,
  now: number,
): Withdrawn | undefined {
  const shown = first.filter((set) => promises(set) && set.standing === 'Ours');
  if (shown.length === 0) return before;
  const seenFor = (set: AppliedSet): number =>
    Math.max(set.ttl, set.previousTtl) + (traits[set.provider]?.settleSeconds ?? 0);
  return { goneSince: now, ttl: Math.max(...shown.map(seenFor)) };
}

/** What stands beside the mark of another installation was taken over by it: of ours nothing stands there any more. */
function withoutStrangers({ gone, installationId, state: { applied } }: ObservedRemoval): ObservedRemoval['gone'] {
  const theirs: GoneView = { live: undefined, gone: { ok: true } };
  return new Map(
    [...gone].map(([key, view]) => {
      const [name = ''] = key.split(' ');
      return [key, strangerAt({ lives: gone, installationId, applied }, name) === undefined ? view : theirs] as const;
    }),
  );
}

/** The removal of all that was applied for the state's object; the state says how far it has come. */
export function planRemoval(observed: ObservedRemoval, now: number): Removal {
  const { state: stored, challenges } = observed;
  const gone = withoutStrangers(observed);
  const cleared = challenges === undefined ? { state: stored, changes: [] } : abandon({ ...challenges, state: stored });
  const cleanup = cleared.changes.map((change) =>
    change.do === 'Records' ? { ...change, urgency: 'now' as const } : change,
  );
  const { withdrawn: before, ...rest } = cleared.state;
  const first = rest.applied.filter(goesFirst);
  const viewOf = (entry: AppliedSet): GoneView | undefined => gone.get(recordKey(entry));
  const standing = rest.applied.filter((entry) => stands(entry, viewOf(entry)));
  const firstStanding = standing.filter(goesFirst);
  const remember = (state: State): readonly Change[] =>
    canonical(state) === canonical(stored) ? [] : [{ do: 'SaveState', why: 'what follows depends on it', state }];

  if (firstStanding.length > 0) {
    // What is removed stood by our hand, also where that was not yet seen.
    const known = (entry: AppliedSet): AppliedSet =>
      viewOf(entry)?.live !== undefined && firstStanding.includes(entry) ? { ...entry, standing: 'Ours' } : entry;
    const state = { ...rest, applied: rest.applied.map(known) };
    const changes = [...remember(state), ...cleanup, ...removals(firstStanding, gone)];
    const waits = firstStanding.map((entry) => waitFor(entry, viewOf(entry)));
    return { state, changes, waits, done: false, byHand: leftToHumans(firstStanding, gone) };
  }
  const withdrawn = withdrawnOf(first, before, observed, now);
  const later = standing.filter((entry) => !goesFirst(entry));
  const kept = withdrawn === undefined ? rest : { ...rest, withdrawn };
  const free = withdrawn === undefined ? now : withdrawn.goneSince + (withdrawn.ttl + slop) * second;
  if (now < free) {
    const state = { ...kept, applied: rest.applied.filter((entry) => !goesFirst(entry)) };
    const why = 'resolvers may still remember the records that have gone';
    return {
      state,
      changes: [...remember(state), ...cleanup],
      waits: [{ why, forMs: free - now }],
      done: false,
      byHand: [],
    };
  }
  const state = { ...kept, applied: later };
  const done = later.length === 0 && state.spent.length === 0 && state.order === undefined;
  const waits = later.map((entry) => waitFor(entry, viewOf(entry)));
  if (!done && later.length === 0) waits.push({ why: 'challenge records are being removed', forMs: lookAgainMs });
  const changes = [...remember(state), ...cleanup, ...removals(later, gone)];
  return { state, changes, waits, done, byHand: [...leftToHumans(later, gone), ...spentNames(state, challenges)] };
}
