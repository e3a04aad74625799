/**
 * What the world shows of a domain's policy and its history does not hold: the trace of a later state, after a restore,
 * or of a body that slipped out. Nobody can take that back, so the history takes it in, and what follows gets a new id.
 */
import { burnt, mintedTime, mintId, type Publication } from '../mtasts/lifecycle.ts';
import { parsePolicy } from '../mtasts/policy.ts';
import { parseStsRecords, stsRecordName } from '../mtasts/record.ts';
import type { ObservedDomain } from './domain.ts';
import { isMarked, owned, strangerAt } from './ownership.ts';
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

/** What a body promises; what is no policy promises nothing. */
function promiseOf(body: string): Pick<Publication, 'body' | 'mode' | 'maxAgeSeconds' | 'mxs'> {
  const policy = parsePolicy(body);
  if (!policy.ok) return { body, mode: 'none', maxAgeSeconds: 0, mxs: [] };
  const { mode, maxAgeSeconds, mxs } = policy.value;
  return { body, mode, maxAgeSeconds, mxs };
}

/** The live id that only we can have made, if the history does not know it. */
function unknownId(state: DomainState, seen: Seen): string | undefined {
  const name = stsRecordName(state.domain);
  const live = seen.views.get(`${name} TXT`)?.live;
  if (live === undefined || strangerAt({ ...seen, lives: seen.views, applied: state.applied }, name) !== undefined)
    return undefined;
  const entry = state.applied.find((one) => one.name === name && one.type === 'TXT');
  if (!owned(live, entry, isMarked(seen, state.applied, state.domain))) return undefined;
  const record = parseStsRecords(live.values);
  if (!record.ok || mintedTime(record.value.id) === undefined) return undefined;
  const { id } = record.value;
  return state.publications.some((one) => one.id === id) ? undefined : id;
}

/** Which bodies the endpoints show. */
function bodiesOf({ pods, outsideFetch, entry }: Seen): readonly string[] {
  const fetches = [...pods.map(({ served }) => served), outsideFetch];
  const fetched = fetches.flatMap((fetch) => (fetch?.outcome === 'Fetched' ? [fetch.body] : []));
  return [...new Set([...(typeof entry?.policy === 'string' ? [entry.policy] : []), ...fetched])];
}

/**
 * RFC 8461 §8.1, derived: an id whose body is not known stands for the longest promise that may be made at all, for the
 * body that is served now says nothing of those that were served under it before.
 */
function adopted(state: DomainState, id: string, seen: Seen, now: number): Publication {
  const shownSince = Math.min(mintedTime(id) ?? now, now);
  const before = state.publications.findLast(({ shownSince }) => shownSince !== undefined);
  const served = promiseOf(typeof seen.entry?.policy === 'string' ? seen.entry.policy : '');
  const mode = served.mxs.length === 0 ? (before?.mode ?? 'testing') : served.mode;
  return { ...served, mode, id, mintedAt: now, shownSince, adopted: true };
}

/** A body that was seen is taken for fetched, under the id that stands. */
function slipped(history: readonly Publication[], bodies: readonly string[], now: number): readonly Publication[] {
  const last = history.at(-1);
  if (last === undefined) return [];
  const announced = last.shownSince !== undefined;
  const strange = bodies.filter((body) =>
    announced ? burnt(history, body).includes(last.id) : history.every((one) => one.body !== body),
  );
  const used = history.map(({ id }) => id);
  return strange.map((body) => ({ ...promiseOf(body), id: mintId(now, body, used), mintedAt: now }));
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
  const bodies = bodiesOf(seen).filter((body) => id === undefined || body !== known.at(-1)?.body);
  const publications = [...known, ...slipped(known, bodies, now)];
  if (publications.length === state.publications.length) return { state, rival: undefined };
  // Hosts that an unknown policy of ours named stay in the policy until they have left the MX set.
  const own = new Set(bodiesOf({ ...seen, outsideFetch: undefined }));
  const unknown = [...own].filter((body) => state.publications.every((one) => one.body !== body));
  const named = unknown.flatMap((body) => promiseOf(body).mxs);
  const listedHosts = [...new Set([...state.listedHosts, ...named])];
  return { state: { ...state, publications, listedHosts }, rival: undefined };
}

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
