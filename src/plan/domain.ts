import type { Reason } from '../api/reasons.ts';
import type { RequiredRecord } from '../api/types.ts';
import type { DesiredDomain } from '../desired/domain.ts';
import type { Traits } from '../desired/zones.ts';
import type { Answer } from '../dns/answer.ts';
import { equalSets } from '../dns/rrset.ts';
import { isMeant, type ModeDecision, type Publication } from '../mtasts/lifecycle.ts';
import { stsRecordName } from '../mtasts/record.ts';
import type { PolicyFetch } from '../pki/observed.ts';
import type { HostEntry } from '../policyshard/shard.ts';
import { assemble } from './assemble.ts';
import { type CertificateInput, type CertificatePlan, planCertificate } from './certificate.ts';
import type { Change, Wait } from './change.ts';
import { wantedRecords } from './domain-records.ts';
import { isOfOurShape, type Rival, speaks, withFound } from './found.ts';
import { shortened } from './history.ts';
import { type Leads, requiredOf } from './leads.ts';
import { strangerAt } from './ownership.ts';
import { planRecords, type RecordsPlan } from './records.ts';
import { recordKey, type RecordView } from './record-view.ts';
import { holdOf, planServe, renewedEntry, type Serving, servingOf } from './serving.ts';
import { datePublications, decideMode, followHosts, type MxAtServers, publish } from './publication.ts';
import type { DomainState, StoredKey } from './state.ts';

/** A policy pod that exists, ready or not, and what it answered; undefined while it has no address. */
export interface ObservedPod {
  readonly pod: string;
  readonly served: PolicyFetch | undefined;
}

/** An exchanger as the domain needs to know it: readiness only, never its Secrets. */
export interface ObservedExchangerRef {
  readonly name: string;
  readonly ready: boolean;
  /** How it stands, in the exchanger's words. */
  readonly message: string;
  /** Why senders that follow MTA-STS may not get through to every address; undefined where they were seen to. */
  readonly doubt: { readonly reason: Reason; readonly message: string } | undefined;
}

export interface ObservedDomain {
  readonly installationId: string;
  /** The object was looked at in vain only a few times: its next step is near. */
  readonly settling: boolean;
  readonly state: DomainState | undefined;
  readonly freshKey: StoredKey | undefined;
  readonly views: ReadonlyMap<string, RecordView>;
  readonly traits: Traits;
  readonly leads: Leads;
  readonly mx: {
    readonly outside: Answer;
    readonly servers: MxAtServers;
  };
  readonly exchangers: readonly ObservedExchangerRef[];
  readonly pods: readonly ObservedPod[];
  /** Where the policy pods are reached from outside. */
  readonly addresses: { readonly ipv4: readonly string[]; readonly ipv6: readonly string[] };
  /** The policy as a sender fetches it, by the published address; undefined before there is one. */
  readonly outsideFetch: PolicyFetch | undefined;
  readonly entry: HostEntry | undefined;
  readonly certificate: Pick<CertificateInput, 'issuer' | 'order' | 'challenges' | 'spentLive' | 'http' | 'caa'>;
}

export interface DomainPlan {
  readonly changes: readonly Change[];
  readonly waits: readonly Wait[];
  readonly state: DomainState;
  readonly publication: Publication;
  readonly certificate: CertificatePlan;
  readonly records: RecordsPlan;
  /** What a human is to publish. */
  readonly required: readonly RequiredRecord[];
  readonly serving: Serving;
  /** Live MX hosts that the policy does not name. */
  readonly unlisted: readonly string[];
  /** Live MX hosts that the administrator took out of the list; the policy names them still, and nobody probes them. */
  readonly lingering: readonly string[];
  /** Why the policy is in testing though enforce is wanted, and when it is promoted. */
  readonly promotion:
    | { readonly why: ModeDecision['why']; readonly at?: number | undefined; readonly doubts: readonly string[] }
    | undefined;
}

const second = 1000;

/** Hosts of MX answers; a null MX and an implicit one name none. */
export const mxHosts = (values: readonly string[]): readonly string[] =>
  values
    .map((value) => value.split(' ')[1] ?? '')
    .filter((host) => host !== '' && host !== '.')
    .sort();

function newState(desired: DesiredDomain, key: StoredKey): DomainState {
  return {
    formatVersion: 1,
    kind: 'domain',
    namespace: desired.namespace,
    name: desired.name,
    domain: desired.domain,
    issuer: desired.issuer,
    key,
    applied: [],
    spent: [],
    publications: [],
    listedHosts: desired.hosts,
    removedHosts: [],
  };
}

const rivalWords = ({ id }: Rival): string =>
  `another program announces policies of this domain with the mark of this installation, the last as ${id}: two installations have the same id. Stop one of them`;

/** What is not right yet, in words; empty when every host was seen to be right and the MX set names no other. */
function doubtsOf(
  observed: ObservedDomain,
  unlisted: readonly string[],
  lingering: readonly string[],
): readonly string[] {
  const hosts = observed.exchangers.flatMap(({ doubt }) => doubt?.message ?? []);
  const strangers = unlisted.map((host) => `${host} is in the MX set and the policy does not name it`);
  const { outcome, detail } = observed.mx.outside;
  const unseen =
    outcome === 'Found' ? [] : [`the MX set of the domain was not seen from outside (${detail ?? outcome})`];
  const left = lingering.map((host) => `${host} is still in the MX set, and nobody checks it any more`);
  return [...hosts, ...strangers, ...left, ...unseen];
}

/**
 * The ordered changes that bring a domain's policy and records nearer to what is desired: the id is stored before the
 * body is served, the body is seen everywhere before the id is published (RFC 8461 §8.1).
 * @returns undefined where there is neither stored state nor a key to begin with.
 */
export function planDomain(desired: DesiredDomain, observed: ObservedDomain, now: number): DomainPlan | undefined {
  const known = observed.state ?? (observed.freshKey && newState(desired, observed.freshKey));
  if (known === undefined) return undefined;
  const { state: stored, rival } = withFound(known, observed, now);
  const followed = followHosts(desired, observed.mx.servers, stored, now);
  const { outcome, values } = observed.mx.outside;
  const live = outcome === 'Found' ? mxHosts(values).filter((host) => !desired.hosts.includes(host)) : [];
  const removed = new Set(followed.removedHosts.map(({ host }) => host));
  const [lingering, unlisted] = [live.filter((host) => removed.has(host)), live.filter((host) => !removed.has(host))];
  const doubts = doubtsOf(observed, unlisted, lingering);
  const mode = decideMode(desired, followed, doubts, now);
  const publication = publish(desired, followed, mode.mode, now);
  const minted = followed.publications.includes(publication)
    ? followed
    : { ...followed, publications: [...shortened(followed.publications, now), publication] };
  const serving = servingOf(observed, publication, minted);
  const hold = rival === undefined ? holdOf(publication, serving, doubts) : rivalWords(rival);
  const wanted = wantedRecords(desired, observed, publication, minted.applied, hold);
  const planned = planRecords({
    wanted,
    applied: minted.applied,
    views: observed.views,
    marked: (live) =>
      speaks(minted, observed) &&
      (wanted.some((set) => recordKey(set) === recordKey(live) && equalSets(set, live)) ||
        isOfOurShape(live, desired.domain, observed.views)),
    stranger: (name) => strangerAt({ ...observed, lives: observed.views, applied: minted.applied }, name),
    traits: observed.traits,
    leads: observed.leads,
    adopt: desired.adopt,
    now,
  });
  const record = recordKey({ name: stsRecordName(desired.domain), type: 'TXT' });
  const contested = rival === undefined ? [] : [{ record, reason: 'Conflict', message: rivalWords(rival) } as const];
  const records: RecordsPlan = { ...planned, refused: [...planned.refused, ...contested] };
  const certificate = planCertificate({
    ...observed.certificate,
    state: {
      ...datePublications(minted, records, hold === undefined && !desired.suspended, now),
      issuer: desired.issuer,
      applied: records.applied,
    },
    key: minted.key,
    names: [desired.policyHost],
    leads: observed.leads,
    now,
  });
  const state = certificate.state as DomainState;
  // What stands may be served anew by a suspended object, where it is known.
  const standing = minted.publications.findLast(({ shownSince }) => shownSince !== undefined);
  const serve =
    desired.suspended && (standing === undefined || !isMeant(standing))
      ? renewedEntry(state, observed.entry)
      : planServe(desired.policyHost, observed.entry, state, publication);
  const { changes, waits } = assemble({
    stored: observed.state,
    state,
    certificate,
    records,
    steps: serve,
    suspended: desired.suspended,
    settling: observed.settling,
  });
  const lag = serving.lagging.map((why) => ({ why, forMs: second }));
  const promotion = mode.mode === desired.mtaSts.mode ? undefined : { why: mode.why, at: mode.at, doubts };
  return {
    changes,
    waits: [...waits, ...lag],
    state,
    publication,
    certificate,
    records,
    required: requiredOf(observed.leads, records, certificate),
    serving,
    unlisted,
    lingering,
    promotion,
  };
}
