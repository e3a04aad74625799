/** The history of a domain's policies: which hosts they name, in which mode, under which id, and since when. */
import type { DesiredDomain } from '../desired/domain.ts';
import {
  effectiveMaxAge,
  effectiveMode,
  isMeant,
  lastMeant,
  mintId,
  type ModeDecision,
  policyHosts,
  type Publication,
} from '../mtasts/lifecycle.ts';
import { formatPolicy, type Mode } from '../mtasts/policy.ts';
import { formatStsRecord, stsRecordName } from '../mtasts/record.ts';
import { firstEnforcing } from './history.ts';
import type { RecordsPlan } from './records.ts';
import type { DomainState, RemovedHost } from './state.ts';

const second = 1000;
/** Seconds, beside the MX TTL: what resolvers and senders may be late by. */
export const slop = 300;

/** The MX hosts that any authoritative server still names, and the longest TTL seen; undefined where not all answered. */
export type MxAtServers = { readonly hosts: readonly string[]; readonly ttl: number } | undefined;

/** RFC 8461 §8.1, derived: a host leaves the policy only after it has left the MX everywhere and caches have let go. */
export function followHosts(
  desired: DesiredDomain,
  servers: MxAtServers,
  stored: DomainState,
  now: number,
): DomainState {
  const gone = stored.listedHosts.filter((host) => !desired.hosts.includes(host));
  const known = stored.removedHosts.filter(({ host }) => !desired.hosts.includes(host));
  const added = gone
    .filter((host) => !known.some((entry) => entry.host === host))
    .map((host): RemovedHost => ({ host, ttl: 0 }));
  const removedHosts = [...known, ...added].flatMap((entry): RemovedHost[] => {
    if (servers === undefined) return [entry];
    const ttl = Math.max(entry.ttl, servers.ttl);
    if (servers.hosts.includes(entry.host)) return [{ host: entry.host, ttl }];
    const leftMxAt = entry.leftMxAt ?? now;
    return now > leftMxAt + (ttl + slop) * second
      ? []
      : [{ ...entry, ttl: entry.leftMxAt === undefined ? ttl : entry.ttl, leftMxAt }];
  });
  return { ...stored, listedHosts: desired.hosts, removedHosts };
}

/** The mode to publish; a first policy that is to enforce at once is prepared as such and held back until it is safe. */
export function decideMode(
  desired: DesiredDomain,
  stored: DomainState,
  doubts: readonly string[],
  now: number,
): ModeDecision {
  const { mode, afterDays, immediately } = desired.mtaSts;
  const live = stored.publications.findLast(({ shownSince }) => shownSince !== undefined)?.mode;
  if (immediately && live === undefined) return { mode, why: 'AsWanted' };
  return effectiveMode({
    wanted: mode,
    promotion: { afterDays, immediately },
    live,
    testingSince: stored.testingSince,
    failures: doubts,
    proven: doubts.length === 0,
    now,
  });
}

/**
 * The last publication while it says what is wanted and nobody has seen another body under its id, or while nothing may
 * change; else a new one.
 */
export function publish(desired: DesiredDomain, state: DomainState, mode: Mode, now: number): Publication {
  const last = state.publications.at(-1);
  const { maxAgeSeconds: wantedSeconds, immediately } = desired.mtaSts;
  const enforcingSince = firstEnforcing(state.publications)?.shownSince;
  const { seconds: maxAgeSeconds } = effectiveMaxAge({ mode, wantedSeconds, immediately, enforcingSince, now });
  const { hosts: mxs } = policyHosts({ listed: desired.hosts, removed: state.removedHosts, now, slop });
  const body = formatPolicy({ mode, maxAgeSeconds, mxs });
  if (last?.body === body && isMeant(last)) return last;
  const kept = desired.suspended ? lastMeant(state.publications) : undefined;
  if (kept !== undefined) return kept;
  const id = mintId(
    now,
    body,
    state.publications.map((publication) => publication.id),
  );
  return { id, body, mode, maxAgeSeconds, mxs, mintedAt: now };
}

/**
 * Notes that the newest id is about to be announced, before it is; and once all servers show it, that the others are
 * gone. The longest promise made is counted from these times when a policy is withdrawn.
 */
export function datePublications(
  state: DomainState,
  records: RecordsPlan,
  announcing: boolean,
  now: number,
): DomainState {
  const newest = state.publications.at(-1);
  if (newest === undefined) return state;
  const txt = records.applied.find(({ name, type }) => type === 'TXT' && name === stsRecordName(state.domain));
  // What is refused, as where a foreign record stands, is not announced.
  const intended = txt?.values.includes(formatStsRecord(newest.id)) === true;
  const shown = intended ? txt.since : undefined;
  const publications = state.publications.map((entry): Publication => {
    if (entry !== newest) {
      return shown === undefined || entry.shownSince === undefined
        ? entry
        : { ...entry, goneSince: entry.goneSince ?? shown };
    }
    return announcing && intended ? { ...entry, shownSince: entry.shownSince ?? now } : entry;
  });
  const testingSince = state.testingSince ?? (newest.mode === 'testing' ? shown : undefined);
  return { ...state, publications, ...(testingSince === undefined ? {} : { testingSince }) };
}
