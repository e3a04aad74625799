import { createHash } from 'node:crypto';
import { longestMaxAge } from './policy.ts';
import type { Mode } from './policy.ts';

const day = 86_400;
const week = 7 * day;

/**
 * One published policy: a body and the id that announced it. All of a domain's publications, oldest first, are its
 * history, stored before the body is served. Times are milliseconds since 1970.
 */
export interface Publication {
  readonly id: string;
  readonly body: string;
  readonly mode: Mode;
  /** Seconds. */
  readonly maxAgeSeconds: number;
  readonly mxs: readonly string[];
  readonly mintedAt: number;
  /** Since when any server may show the id: stored before the TXT record is written. Absent: it was never announced. */
  readonly shownSince?: number;
  /** Since when no authoritative server shows the id any more; absent while one may. */
  readonly goneSince?: number;
  /** Seconds: the largest TTL its TXT record ever had; absent where it was always the domain's. */
  readonly txtTtlSeconds?: number;
  /** Made by someone else before us: what was served under it earlier is unknown. */
  readonly adopted?: true;
  /** Seen on an endpoint and never meant by us: what it promised counts, and it is served to nobody. */
  readonly strange?: true;
}

/** The newest publication that is our own, with the body that it stands for known; undefined where none is left. */
export function lastMeant(history: readonly Publication[]): Publication | undefined {
  return history.findLast(isMeant);
}

/** Whether it is our own publication: not one that was found in the world. */
export function isMeant({ adopted, strange }: Publication): boolean {
  return adopted !== true && strange !== true;
}

/**
 * A policy id that was never given before: the second and eight hex digits over body and attempt, 22 letters and
 * digits. `now` is in milliseconds; `usedIds` are all ids of the history and any that were seen live.
 */
export function mintId(now: number, body: string, usedIds: Iterable<string>): string {
  const used = new Set(usedIds);
  const second = new Date(now)
    .toISOString()
    .replace(/\.[0-9]+/, '')
    .replace(/[^0-9]/g, '');
  // RFC 8461 §8.1: senders see a new policy only by a new id, so that no id may stand for two publications.
  for (let attempt = 0; ; attempt += 1) {
    const hash = createHash('sha256').update(`${attempt}\n${body}`).digest('hex').slice(0, 8);
    const id = `${second}${hash}`;
    if (!used.has(id)) return id;
  }
}

/** When an id of the shape that `mintId` gives was minted, in milliseconds since 1970; undefined for any other id. */
export function mintedTime(id: string): number | undefined {
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)[0-9a-f]{8}$/u.exec(id);
  if (parts === null) return undefined;
  const [year = 0, month = 0, ...rest] = parts.slice(1).map(Number);
  const [date = 0, hours = 0, minutes = 0, seconds = 0] = rest;
  const time = Date.UTC(year, month - 1, date, hours, minutes, seconds);
  return Number.isNaN(time) ? undefined : time;
}

/** The announced ids that servers may still show. */
function live(history: readonly Publication[]): readonly Publication[] {
  return history.filter((one) => one.shownSince !== undefined && one.goneSince === undefined);
}

/**
 * The live ids that a body seen on an endpoint has burnt: it is not the one they stand for, and a sender may have
 * fetched it under them. A burnt id is never announced again, not even when the old body returns: mint a new one.
 * Source: derived from RFC 8461 §3.1, §8.1.
 */
export function burnt(history: readonly Publication[], seenBody: string): readonly string[] {
  return live(history)
    .filter((one) => one.body !== seenBody)
    .map((one) => one.id);
}

/** When the last promise ends, in milliseconds since 1970, or that it is still being made by the ids that stand. */
export type PromiseEnd = { readonly until: number } | { readonly standing: readonly string[] };

/**
 * Until when the most generous sender keeps a policy that this history once promised; `mode: none` must be served till
 * then. Such a sender counts max_age anew whenever it sees the id unchanged, and may see it until it has gone from all
 * servers and then from caches; the body it holds is the id's own or any that was served while the id was in sight.
 * Source: RFC 8461 §8.3, §3.3, derived.
 */
export function promisedUntil(
  history: readonly Publication[],
  options: {
    /** Seconds: the largest TTL of the domain's TXT record, used where a publication has none of its own. */
    readonly txtTtlSeconds: number;
    /** Seconds: the longest max_age that an adopted policy ever had; unless told, the longest there is. */
    readonly adoptedMaxAgeSeconds?: number;
  },
): PromiseEnd {
  const standing: string[] = [];
  let until = 0;
  for (const [index, one] of history.entries()) {
    if (one.shownSince === undefined) continue;
    const ttl = Math.max(one.txtTtlSeconds ?? 0, options.txtTtlSeconds);
    const inSight = one.goneSince === undefined ? Infinity : one.goneSince + ttl * 1000;
    // The body changes before the id does, so later bodies were fetched under this id too.
    const bodies = history.filter((other, at) => at >= index && (at === index || other.mintedAt <= inSight));
    const longest = Math.max(0, ...bodies.map((body) => promiseOf(body, options.adoptedMaxAgeSeconds)));
    if (longest === 0) continue;
    if (one.goneSince === undefined) standing.push(one.id);
    else until = Math.max(until, inSight + longest * 1000);
  }
  return standing.length > 0 ? { standing } : { until };
}

/** Seconds. `none` promises nothing: a sender that holds it delivers as if there were no policy. */
export function promiseOf(
  one: Pick<Publication, 'mode' | 'maxAgeSeconds' | 'adopted'>,
  adoptedMaxAge?: number,
): number {
  if (one.adopted === true)
    return Math.max(adoptedMaxAge ?? longestMaxAge, one.mode === 'none' ? 0 : one.maxAgeSeconds);
  return one.mode === 'none' ? 0 : one.maxAgeSeconds;
}

/**
 * The hosts that a policy must name: those listed, and those removed that are still in the live MX (no `leftMxAt`) or
 * left it less than its TTL and the slop ago. Sorted, each once. `until` says when the next one may go, in
 * milliseconds; absent where none waits for a time.
 * Nothing comes from live MX answers: they are unsigned, and could name an attacker's host. Source: RFC 8461 §8.1.
 */
export function policyHosts(input: {
  readonly listed: readonly string[];
  /** `ttl`: seconds, of the MX set while it named the host. */
  readonly removed: readonly { readonly host: string; readonly leftMxAt?: number; readonly ttl: number }[];
  readonly now: number;
  /** Seconds. */
  readonly slop: number;
}): { readonly hosts: readonly string[]; readonly until?: number } {
  const hosts = new Set(input.listed);
  let until: number | undefined;
  for (const one of input.removed) {
    if (input.listed.includes(one.host)) continue;
    const end = one.leftMxAt === undefined ? Infinity : one.leftMxAt + (one.ttl + input.slop) * 1000;
    if (input.now >= end) continue;
    hosts.add(one.host);
    if (end !== Infinity) until = Math.min(until ?? Infinity, end);
  }
  const sorted = [...hosts].sort();
  return until === undefined ? { hosts: sorted } : { hosts: sorted, until };
}

/** Why the mode is what it is; `Failing` and `Unproven` say what keeps a policy in testing. */
type ModeReason = 'AsWanted' | 'InTesting' | 'Failing' | 'Unproven' | 'Promoted' | 'KeepsEnforcing';

export interface ModeDecision {
  readonly mode: Mode;
  readonly why: ModeReason;
  /** Milliseconds since 1970: when promotion may come at the earliest; absent where it waits for no time. */
  readonly at?: number;
}

/**
 * The mode to publish. A wish for `enforce` starts in testing and is promoted on evidence: time, no failure, and proof
 * that all is well, for what is unknown is not yes. What enforces goes on enforcing whatever fails: a demotion is what
 * an attacker would want. `now` and `testingSince` are in milliseconds.
 * Source: RFC 8461 §5, derived.
 */
export function effectiveMode(input: {
  readonly wanted: Mode;
  readonly promotion: { readonly afterDays: number; readonly immediately: boolean };
  /** The mode that the live publication has; undefined where there is none. */
  readonly live: Mode | undefined;
  /** Since when a policy in testing has been announced. */
  readonly testingSince: number | undefined;
  /** What is known to be wrong, such as `mx1.example.com offers no STARTTLS`. */
  readonly failures: readonly string[];
  /** Every host of the policy was seen to be right, at each of its addresses. */
  readonly proven: boolean;
  readonly now: number;
}): ModeDecision {
  if (input.wanted !== 'enforce') return { mode: input.wanted, why: 'AsWanted' };
  if (input.live === 'enforce') return { mode: 'enforce', why: 'KeepsEnforcing' };
  if (!input.promotion.immediately) {
    const at = (input.testingSince ?? input.now) + input.promotion.afterDays * day * 1000;
    if (input.testingSince === undefined || input.now < at) return { mode: 'testing', why: 'InTesting', at };
  }
  if (input.failures.length > 0) return { mode: 'testing', why: 'Failing' };
  if (!input.proven) return { mode: 'testing', why: 'Unproven' };
  return { mode: 'enforce', why: 'Promoted' };
}

/**
 * Seconds: the max_age to publish. Testing and none promise a day; after promotion it grows from a day to a week to
 * what is wanted, each step standing as long as it promises, unless promotion was to be immediate. `next` is the next
 * step and the time, in milliseconds, from which it may be published. Never more than is wanted, nor than RFC 8461
 * §3.2 allows.
 */
export function effectiveMaxAge(input: {
  readonly mode: Mode;
  /** Seconds. */
  readonly wantedSeconds: number;
  readonly immediately: boolean;
  /** Since when a policy with `enforce` has been announced, in milliseconds. */
  readonly enforcingSince: number | undefined;
  readonly now: number;
}): { readonly seconds: number; readonly next?: { readonly seconds: number; readonly at: number } } {
  const wanted = Math.min(input.wantedSeconds, longestMaxAge);
  if (input.mode !== 'enforce') return { seconds: Math.min(day, wanted) };
  if (input.immediately || wanted <= day) return { seconds: wanted };
  if (input.enforcingSince === undefined) return { seconds: day };
  const afterDay = input.enforcingSince + day * 1000;
  const afterWeek = afterDay + week * 1000;
  const second = Math.min(week, wanted);
  if (input.now < afterDay) return { seconds: day, next: { seconds: second, at: afterDay } };
  if (input.now < afterWeek && second < wanted) return { seconds: second, next: { seconds: wanted, at: afterWeek } };
  return { seconds: wanted };
}
