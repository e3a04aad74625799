import type { Attestation } from '../api/attestation.ts';
import type { RequiredRecord } from '../api/types.ts';
import { givenKey } from '../dane/keystate.ts';
import { step } from '../dane/rollover.ts';
import { tlsaName } from '../dane/tlsa.ts';
import type { DesiredExchanger } from '../desired/exchanger.ts';
import type { Traits } from '../desired/zones.ts';
import type { Answer } from '../dns/answer.ts';
import { equalSets } from '../dns/rrset.ts';
import type { ZoneHealth } from '../dns/zonehealth.ts';
import type { SecretObject } from '../api/object.ts';
import type { SmtpProbe } from '../pki/observed.ts';
import { assemble } from './assemble.ts';
import { type CertificateInput, type CertificatePlan, planCertificate } from './certificate.ts';
import type { Change, Wait } from './change.ts';
import { wantedRecords } from './exchanger-records.ts';
import { type Delivery, deliverTo, planDelivery } from './delivery.ts';
import { givenBy, keyNamed, keysOf, ownTlsa, rolloverFacts } from './keys.ts';
import { type Leads, requiredOf } from './leads.ts';
import { isMarked, isOfHostShape, markedHosts, markName, strangerAt } from './ownership.ts';
import { laggingAddresses, unpinnedAddresses } from './presented.ts';
import { planRecords, type RecordsPlan } from './records.ts';
import { type RecordView } from './record-view.ts';
import type { ExchangerState, StoredKey } from './state.ts';

/**
 * What DNSSEC says of the zone that holds a host; `Unknown` opens no gate. `InMotion`: it validates, and its chain of
 * trust does not stand still: nothing is added, swapped or removed.
 */
export type Security =
  | { readonly verdict: 'Secure' | 'Insecure' | 'Bogus' | 'Unknown'; readonly detail: string }
  | Extract<ZoneHealth, { verdict: 'InMotion' }>;

export interface ObservedHost {
  readonly host: string;
  readonly security: Security;
  /** The set at `_25._tcp.HOST` as the outside view has it, whoever published it. */
  readonly liveTlsa: Answer;
  /** The set at the name that the host's aliases lead to; undefined where the host is no alias. */
  readonly aliasTlsa: Answer | undefined;
  readonly probes: readonly SmtpProbe[];
  readonly attestation: Attestation | undefined;
}

/** The Secret that the MX hosts mount, as it lies in the tenant's namespace. */
export type MountedSecret =
  | { readonly is: 'Absent' }
  | { readonly is: 'Ours'; readonly object: SecretObject }
  | { readonly is: 'Foreign' | 'Forbidden'; readonly message: string };

export interface ObservedExchanger {
  readonly installationId: string;
  /** The object was looked at in vain only a few times: its next step is near. */
  readonly settling: boolean;
  readonly state: ExchangerState | undefined;
  /** Two keys for the case that there is no state yet, or not any more: the one that the hosts have, if any, and a new one. */
  readonly freshKeys: readonly [StoredKey, StoredKey] | undefined;
  readonly mounted: MountedSecret;
  readonly views: ReadonlyMap<string, RecordView>;
  readonly traits: Traits;
  readonly leads: Leads;
  /** Why TLSA sets that are not wanted any more, or not where they stand, must not go now. */
  readonly removalHeld?: string | undefined;
  readonly hosts: readonly ObservedHost[];
  readonly certificate: Pick<CertificateInput, 'issuer' | 'order' | 'challenges' | 'spentLive'>;
}

export interface ExchangerPlan {
  readonly changes: readonly Change[];
  readonly waits: readonly Wait[];
  readonly state: ExchangerState;
  readonly certificate: CertificatePlan;
  readonly records: RecordsPlan;
  /** What a human is to publish. */
  readonly required: readonly RequiredRecord[];
  readonly delivery: Delivery;
  /** The certificate in hand has ended. */
  readonly expired: boolean;
  /** Addresses that are not known to present the key that the hosts were given, in words. */
  readonly lagging: readonly string[];
  /** Addresses that a probe saw with a key that no TLSA record of theirs names: DANE senders defer mail to them. */
  readonly unpinned: readonly string[];
}

const eventMs = 2000;

function newState(desired: DesiredExchanger, [current, next]: readonly [StoredKey, StoredKey]): ExchangerState {
  return {
    formatVersion: 1,
    kind: 'exchanger',
    namespace: desired.namespace,
    name: desired.name,
    issuer: desired.issuer,
    rollover: { phase: 'Steady', current: current.spkiSha256, next: next.spkiSha256, published: false },
    keys: [current, next],
    applied: [],
    spent: [],
  };
}

/**
 * The ordered changes that bring an exchanger nearer to what is desired, and the waits for what may not happen yet.
 * @returns undefined where there is neither stored state nor keys to begin with.
 */
export function planExchanger(
  desired: DesiredExchanger,
  observed: ObservedExchanger,
  now: number,
): ExchangerPlan | undefined {
  const known = observed.state ?? (observed.freshKeys && newState(desired, observed.freshKeys));
  if (known === undefined) return undefined;
  const stored = withoutStaleIntents(desired, observed, known);
  const rollover = step(stored.rollover, rolloverFacts(desired, observed, stored, now));
  const given = givenKey(rollover.state);
  const records = planRecords({
    wanted: wantedRecords(desired, observed, stored, rollover, now),
    applied: stored.applied,
    views: observed.views,
    marked: (live) => {
      const host = hostOf(desired, live.name);
      const speaks = host !== undefined && isMarked(observed, stored.applied, host);
      return speaks && isOfHostShape(live, observed.installationId);
    },
    stranger: (name) => strangerAt({ ...observed, lives: observed.views, applied: stored.applied }, name),
    traits: observed.traits,
    leads: observed.leads,
    adopt: desired.adopt,
    removalHeld: ({ type }) => (type === 'TLSA' ? observed.removalHeld : undefined),
    now,
  });
  const mounted = givenBy(observed.mounted, stored.keys);
  const named = { issuer: desired.issuer, secretName: desired.secretName };
  const keys = keysOf(rollover.state, mounted === undefined ? stored.keys : [...stored.keys, mounted]);
  const certificate = planCertificate({
    ...observed.certificate,
    state: { ...withoutLost(stored, keys), ...named, rollover: rollover.state, ...marking(stored, records) },
    key: keyNamed({ keys }, given),
    leads: observed.leads,
    names: desired.certificateNames,
    now,
  });
  const state = certificate.state as ExchangerState;
  const delivery = planDelivery(desired, observed.mounted, state, rollover);
  const steps = delivery.status === 'Delivering' ? deliverTo(desired, observed.mounted, state) : [];
  const { suspended } = desired;
  const { settling, state: before } = observed;
  const { changes, waits } = assemble({ stored: before, state, certificate, records, steps, suspended, settling });
  const later = rollover.waits.map(({ message, until }) => ({
    why: message,
    forMs: until === undefined ? eventMs : Math.max(0, until - now),
  }));
  const expired = state.certificate !== undefined && state.certificate.notAfter <= now;
  const lagging = laggingAddresses(observed.hosts, { spkiSha256: given, certificate: state.certificate }, now);
  const unpinned = observed.hosts.flatMap((host) =>
    unpinnedAddresses(host, ownTlsa(observed, stored, host.host)?.values),
  );
  const required = requiredOf(observed.leads, records, certificate);
  return {
    changes,
    waits: [...waits, ...later],
    state,
    certificate,
    records,
    required,
    delivery,
    expired,
    lagging,
    unpinned,
  };
}

/**
 * Mark and TLSA set go out together: where the mark stands that was a mere intent, a set that stands otherwise than it
 * was intended was published by a later state than this one.
 */
function withoutStaleIntents(
  desired: DesiredExchanger,
  observed: ObservedExchanger,
  state: ExchangerState,
): ExchangerState {
  const applied = state.applied.filter((entry) => {
    const host = entry.type === 'TLSA' && entry.standing === 'Intended' ? hostOf(desired, entry.name) : undefined;
    const live = observed.views.get(`${entry.name} ${entry.type}`)?.live;
    return (
      host === undefined || live === undefined || equalSets(live, entry) || !isMarked(observed, state.applied, host)
    );
  });
  return applied.length === state.applied.length ? state : { ...state, applied };
}

/** What is applied now, and the hosts that it marks no more. */
function marking(
  { applied: before }: ExchangerState,
  { applied }: RecordsPlan,
): Pick<ExchangerState, 'applied' | 'leftHosts'> {
  const marked = markedHosts(applied);
  const leftHosts = markedHosts(before).filter((host) => !marked.includes(host));
  return { applied, ...(leftHosts.length === 0 ? {} : { leftHosts }) };
}

/** What was made for a key that is none of ours any more is of no use; hosts that had left before are free by now. */
function withoutLost(stored: ExchangerState, keys: readonly StoredKey[]): ExchangerState {
  const { certificate, leftHosts: _left, ...rest } = stored;
  const usable = keys.some(({ spkiSha256 }) => spkiSha256 === certificate?.spkiSha256);
  return { ...rest, keys, ...(usable && certificate !== undefined ? { certificate } : {}) };
}

function hostOf(desired: DesiredExchanger, name: string): string | undefined {
  return desired.hosts.find(({ host }) => name === markName(host) || name === tlsaName(host, 25))?.host;
}
