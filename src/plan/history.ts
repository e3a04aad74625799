/** Keeps the history of a domain's publications short. It may lengthen what is taken for promised, and never shortens it. */
import { promisedUntil, type Publication } from '../mtasts/lifecycle.ts';

/** Seconds: the longest TTL that the API lets the TXT record have. */
const longestTxtTtl = 86_400;
/** Milliseconds: an id tells its second, and two of one second are told apart only by what the history holds. */
const idLife = 60_000;
/** Announced publications that are kept one by one; beyond these the oldest become one. */
const longestHistory = 20;

const promiseOf = ({ mode, maxAgeSeconds }: Publication): number => (mode === 'none' ? 0 : maxAgeSeconds);
const isAnnounced = ({ shownSince }: Publication): boolean => shownSince !== undefined;
const isPast = ({ shownSince, mintedAt }: Publication, now: number): boolean =>
  shownSince === undefined && now - mintedAt >= idLife;

/** Nobody can hold to the first of these any more, by its own body or by one that was served under its id. */
function hasEnded([first, ...later]: readonly Publication[], now: number): boolean {
  if (first === undefined) return false;
  // What was never announced was fetched under an earlier id, and there is none.
  if (!isAnnounced(first)) return isPast(first, now);
  if (first.goneSince === undefined) return false;
  const bodies = later.map(({ shownSince: _shown, ...body }): Publication => body);
  const end = promisedUntil([first, ...bodies], { txtTtlSeconds: longestTxtTtl });
  return 'until' in end && now >= end.until;
}

/** One that promises all that both did, for as long as either. */
function merge(a: Publication, b: Publication): Publication {
  const [longest, other] = promiseOf(b) > promiseOf(a) ? [b, a] : [a, b];
  const live = [a, b].find((one) => isAnnounced(one) && one.goneSince === undefined);
  const { shownSince: _shown, goneSince: _gone, txtTtlSeconds: _ttl, adopted: _adopted, ...rest } = live ?? longest;
  const shown = [a, b].flatMap(({ shownSince }) => shownSince ?? []);
  const gone = [a, b].flatMap(({ goneSince }) => goneSince ?? []);
  const ttls = [a, b].flatMap(({ txtTtlSeconds }) => txtTtlSeconds ?? []);
  return {
    ...rest,
    // Never `enforce`: the growth of max_age counts from the first that was.
    mode: promiseOf(longest) === 0 ? 'none' : 'testing',
    maxAgeSeconds: promiseOf(longest),
    mintedAt: Math.min(a.mintedAt, b.mintedAt),
    ...(shown.length === 0 ? {} : { shownSince: Math.min(...shown) }),
    ...(gone.length === 0 || live !== undefined ? {} : { goneSince: Math.max(...gone) }),
    ...(ttls.length === 0 ? {} : { txtTtlSeconds: Math.max(...ttls) }),
    ...(longest.adopted === true || other.adopted === true ? { adopted: true } : {}),
  };
}

/** The first that was announced to enforce since the policy was last announced as withdrawn: max_age grows from then. */
export function firstEnforcing(history: readonly Publication[]): Publication | undefined {
  const withdrawn = history.findLastIndex((one) => one.mode === 'none' && isAnnounced(one));
  return history.find((one, at) => at > withdrawn && one.mode === 'enforce' && isAnnounced(one));
}

/** Of bodies that follow each other and were never announced one is enough: that of the longest promise. */
function joinUnannounced(history: readonly Publication[], now: number): readonly Publication[] {
  const joined: Publication[] = [];
  for (const one of history) {
    const last = joined.at(-1);
    if (last !== undefined && isPast(last, now) && isPast(one, now)) joined[joined.length - 1] = merge(last, one);
    else joined.push(one);
  }
  return joined;
}

/** Joins the oldest two that stand side by side, again and again, until few are left; `keep` stays as it is. */
function bounded(history: readonly Publication[], keep: Publication | undefined): readonly Publication[] {
  const left = [...history];
  while (left.length > longestHistory) {
    const at = left[0] === keep ? 1 : left[1] === keep ? 2 : 0;
    const [a, b] = left.slice(at);
    if (a === undefined || b === undefined) break;
    left.splice(at, 2, merge(a, b));
  }
  return left;
}

/**
 * The history, oldest first, without what no sender can hold to any more. The last publication that was announced, the
 * first that enforced, and the ids of the last minute stay; of the others those too many become one. `now` is in
 * milliseconds since 1970.
 */
export function shortened(history: readonly Publication[], now: number): readonly Publication[] {
  const joined = joinUnannounced(history, now);
  const last = joined.findLastIndex(isAnnounced);
  if (last < 0) return joined.filter((one) => !isPast(one, now));
  const enforced = firstEnforcing(joined);
  // Only from the front: what is younger may have been served under an id that is older.
  let start = 0;
  while (start < last && hasEnded(joined.slice(start), now)) start += 1;
  const older = joined.slice(0, last).filter((one, at) => at >= start || one === enforced);
  return [...bounded(older, enforced), ...joined.slice(last)];
}
