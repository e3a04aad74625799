/**
 * What the world shows of a domain's policy and its history does not hold: the trace of a later state, after a restore,
 * or of a body that slipped out. Nobody can take that back, so the history takes it in, and what follows gets a new id.
 */
import { burnt, mintedTime, mintId, promiseOf, type Publication } from '../mtasts/lifecycle.ts';
import { parsePolicy } from '../mtasts/policy.ts';
import { parseStsRecords, stsRecordName } from '../mtasts/record.ts';
import type { PolicyFetch } from '../pki/observed.ts';
import type { ObservedDomain } from './domain.ts';
import { isMarked, markStands, owned, strangerAt } from './ownership.ts';
import type { RecordView } from './record-view.ts';
import type { DomainState } from './state.ts';

type Seen = Pick<ObservedDomain, 'pods' | 'outsideFetch' | 'entry'> & {
  readonly views: ReadonlyMap<string, RecordView>;
  readonly installationId: string;
};

/** Another program that announces policies of this domain, and not by our records. */
export interface Rival {
  readonly id: string;
  /** Milliseconds since 1970: until then nothing is announced over it. */
  readonly until: number;
}

export interface Found {
  readonly state: DomainState;
  readonly rival: Rival | undefined;
}

const dayMs = 86_400_000;
/** After an id that was announced over ours a second time: the pause before ours is announced again, doubled each time. */
const firstPauseMs = 300_000;

type Served = Pick<Publication, 'body' | 'mode' | 'maxAgeSeconds' | 'mxs'>;

/** What a body says; undefined for what is no policy: it binds nobody, and is nothing to remember. */
function policyOf(body: string | null | undefined): Served | undefined {
  const policy = parsePolicy(body ?? '');
  return typeof body === 'string' && policy.ok ? { body, ...policy.value } : undefined;
}

/** The live id that only we can have made, if the history does not know it. */
function unknownId(state: DomainState, seen: Seen): string | undefined {
  const name = stsRecordName(state.domain);
  const live = seen.views.get(`${name} TXT`)?.live;
  if (live === undefined || strangerAt({ ...seen, lives: seen.views, applied: state.applied }, name) !== undefined)
    return undefined;
  const entry = state.applied.find((one) => one.name === name && one.type === 'TXT');
  if (!owned(live, entry, markStands(seen, state.domain))) return undefined;
  const record = parseStsRecords(live.values);
  if (!record.ok || mintedTime(record.value.id) === undefined) return undefined;
  const { id } = record.value;
  return state.publications.some((one) => one.id === id) ? undefined : id;
}

interface Shown extends Served {
  /** By what is ours, not only at the published address. */
  readonly own: boolean;
}

/** Which policies the endpoints show. */
function policiesOf({ pods, outsideFetch, entry }: Seen): readonly Shown[] {
  const bodyOf = (fetch: PolicyFetch | undefined) => (fetch?.outcome === 'Fetched' ? fetch.body : undefined);
  const own = new Set([entry?.policy, ...pods.map(({ served }) => bodyOf(served))]);
  return [...new Set([...own, bodyOf(outsideFetch)])].flatMap((body) => {
    const policy = policyOf(body);
    return policy === undefined ? [] : [{ ...policy, own: own.has(policy.body) }];
  });
}

/**
 * RFC 8461 §8.1, derived: an id whose body is not known stands for the longest promise that may be made at all, for the
 * body that is served now says nothing of those that were served under it before.
 */
function adopted(state: DomainState, id: string, seen: Seen, now: number): Publication {
  const shownSince = Math.min(mintedTime(id) ?? now, now);
  const before = state.publications.findLast(({ shownSince }) => shownSince !== undefined);
  const served = policyOf(seen.entry?.policy) ?? { body: '', mode: 'none', maxAgeSeconds: 0, mxs: [] };
  const mode = served.mxs.length === 0 ? (before?.mode ?? 'testing') : served.mode;
  return { ...served, mode, id, mintedAt: now, shownSince, adopted: true };
}

/**
 * A policy that was seen is taken for fetched, under the id that stands. Once that is burnt, a stranger's that promises
 * no more than is remembered already changes nothing, however often it is another one.
 */
function slipped(history: readonly Publication[], shown: readonly Shown[], now: number): readonly Publication[] {
  const last = history.at(-1);
  if (last === undefined) return [];
  const announced = history.findLastIndex(({ shownSince }) => shownSince !== undefined);
  const longest = Math.max(...history.slice(Math.max(0, announced)).map((one) => promiseOf(one)));
  const strange = shown.filter((one) =>
    last.shownSince === undefined
      ? history.every(({ body }) => body !== one.body) && (one.own || promiseOf(one) > longest)
      : burnt(history, one.body).includes(last.id),
  );
  const used = history.map(({ id }) => id);
  return strange.map(({ body, mode, maxAgeSeconds, mxs }) => {
    return { id: mintId(now, body, used), body, mode, maxAgeSeconds, mxs, mintedAt: now, strange: true };
  });
}

/** Someone who announces again what we had announced over is at work still. */
function rivalOf(state: DomainState, id: string, now: number): Rival | undefined {
  const lately = state.publications.filter((one) => one.adopted === true && now - one.mintedAt < dayMs);
  if (lately.length === 0) return undefined;
  const ours = state.publications.findLast((one) => one.adopted !== true && one.shownSince !== undefined);
  const until = (ours?.shownSince ?? 0) + firstPauseMs * 2 ** lately.length;
  return now < until ? { id, until } : undefined;
}

/** The history with what was found taken in. `now` is in milliseconds since 1970. */
export function withFound(state: DomainState, seen: Seen, now: number): Found {
  const id = unknownId(state, seen);
  const rival = id === undefined ? undefined : rivalOf(state, id, now);
  if (rival !== undefined) return { state, rival };
  const known = id === undefined ? state.publications : [...state.publications, adopted(state, id, seen, now)];
  const shown = policiesOf(seen);
  const publications = [...known, ...slipped(known, shown, now)];
  if (publications.length === state.publications.length) return { state, rival: undefined };
  // Hosts that an unknown policy of ours named stay in the policy until they have left the MX set.
  const unknown = shown.filter((one) => one.own && state.publications.every(({ body }) => body !== one.body));
  const named = unknown.flatMap(({ mxs }) => mxs);
  const listedHosts = [...new Set([...state.listedHosts, ...named])];
  return { state: { ...state, publications, listedHosts }, rival: undefined };
}

/**
 * Whether our mark speaks for sets of which nothing is remembered: the mark itself is forgotten, or the history had to
 * take in an id of ours that it did not know, so that the state is older than what was published.
 */
export const speaks = (state: DomainState, seen: Seen): boolean =>
  state.publications.some(({ adopted }) => adopted === true)
    ? markStands(seen, state.domain)
    : isMarked(seen, state.applied, state.domain);

/**
 * Whether a set of which nothing is remembered is ours beside our mark: it says just what we would, or has a shape that
 * only we write; and an address is ours where such an id leads to it, for ids wait until the policy is served there.
 */
export function isOfOurShape(
  live: { readonly name: string; readonly type: string; readonly values: readonly string[] },
  domain: string,
  views: ReadonlyMap<string, Pick<RecordView, 'live'>>,
): boolean {
  const sts = views.get(`${stsRecordName(domain)} TXT`)?.live;
  const record = sts === undefined ? undefined : parseStsRecords(sts.values);
  const minted = sts?.values.length === 1 && record?.ok === true && mintedTime(record.value.id) !== undefined;
  return minted && (live.name === stsRecordName(domain) || live.type === 'A' || live.type === 'AAAA');
}
