import type { Attestation } from '../api/attestation.ts';
import type { RequiredRecord } from '../api/types.ts';
import { deliveryWait, givenKey } from '../dane/keystate.ts';
import { step } from '../dane/rollover.ts';
import { tlsaName } from '../dane/tlsa.ts';
import type { DesiredExchanger } from '../desired/exchanger.ts';
import type { Traits } from '../desired/zones.ts';
import type { Answer } from '../dns/answer.ts';
import type { ZoneHealth } from '../dns/zonehealth.ts';
import type { SecretObject } from '../api/object.ts';
import type { SmtpProbe } from '../pki/observed.ts';
import { assemble, storesState, withFirstSave } from './assemble.ts';
import { type CertificateInput, type CertificatePlan, planCertificate, serves } from './certificate.ts';
import type { Change, Wait } from './change.ts';
import { wantedRecords } from './exchanger-records.ts';
import { type Delivery, deliverTo, planDelivery, renewedDelivery } from './delivery.ts';
import { hostOf, newState, stateAfter, withoutStaleIntents } from './exchanger-state.ts';
import { type ImportedKey, withImported } from './import.ts';
import { keyNamed } from './keys.ts';
import { arranged, keyToCertify } from './lane.ts';
import { type Leads, requiredOf } from './leads.ts';
import { ownTlsa } from './live-tlsa.ts';
import { lostNames } from './lost-names.ts';
import { isMarked, isOfHostShape, strangerAt } from './ownership.ts';
import { laggingAddresses, showsEnding, unpinnedAddresses } from './presented.ts';
import { planRecords, type RecordsPlan } from './records.ts';
import { type RecordView } from './record-view.ts';
import { planRestarts, type RestartPlan } from './restart.ts';
import { condemn, planRevocations, type RevocationPlan } from './revocation.ts';
import type { ObservedSource } from './source.ts';
import { prepared, type SourcePlan, sourcePlan } from './sourcing.ts';
import type { ExchangerState, StoredKey } from './state.ts';
import { attestedPods, laggingPods, type ObservedWorkloads, provesKeys } from './workloads.ts';

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
  /** Sets of other ports than 25, of the host and of what its aliases lead to, as far as they were looked at. */
  readonly portTlsa?: readonly { readonly name: string; readonly answer: Answer }[];
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
  /** When the clock was last set, as `RolloverFacts` has it. */
  readonly steadySince?: number | undefined;
  /** Two keys for the case that there is no state yet, or not any more: the one that the hosts have, if any, and a new one. */
  readonly freshKeys: readonly [StoredKey, StoredKey] | undefined;
  /** A further key, drawn while a rotation waits for the one that is to stand beside its next. */
  readonly spareKey?: StoredKey | undefined;
  /** The key that the user gives to us to be the current one, as long as it can be. */
  readonly imported?: ImportedKey | undefined;
  readonly mounted: MountedSecret;
  /** Those that are to be restarted when what the Secret holds has changed. */
  readonly workloads: ObservedWorkloads;
  readonly views: ReadonlyMap<string, RecordView>;
  readonly traits: Traits;
  readonly leads: Leads;
  /** Why TLSA sets that are not wanted any more, or not where they stand, must not go now. */
  readonly removalHeld?: string | undefined;
  readonly hosts: readonly ObservedHost[];
  readonly certificate: Pick<CertificateInput, 'issuer' | 'order' | 'challenges' | 'spentLive' | 'caa'>;
  /** Of an external issuer. */
  readonly source?: ObservedSource | undefined;
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
  readonly restarts: RestartPlan;
  readonly revocations: RevocationPlan;
  /** The certificate in hand has ended. */
  readonly expired: boolean;
  /** Addresses that are not known to present the key that the hosts were given, in words. */
  readonly lagging: readonly string[];
  /** For less than an hour the hosts have been on their way to the next key. */
  readonly moving: boolean;
  /** Addresses that a probe saw with a key that no TLSA record of theirs names: DANE senders defer mail to them. */
  readonly unpinned: readonly string[];
  /** Of an external issuer. */
  readonly source: SourcePlan | undefined;
  /** What is looked at again though nothing is left to do. */
  readonly revisit: readonly Wait[];
}

const eventMs = 2000;
const moveMs = 60 * 60_000;

/**
 * The ordered changes that bring an exchanger nearer to what is desired, and the waits for what may not happen yet.
 * @returns undefined where there is neither stored state nor keys to begin with.
 */
export function planExchanger(
  desired: DesiredExchanger,
  observed: ObservedExchanger,
  now: number,
): ExchangerPlan | undefined {
  const begun = observed.state ?? (observed.freshKeys && newState(desired, observed.freshKeys, now));
  if (begun === undefined) return undefined;
  const known = withoutStaleIntents(desired, observed, begun);
  const imported =
    observed.imported === undefined ? known : withImported(known, observed.imported, observed.certificate);
  const { stored, facts } = prepared(desired, observed, imported, now);
  const rollover = step(stored.rollover, facts);
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
  const at = condemn(stateAfter(desired, observed, { stored, rollover, records }, now), rollover, now);
  const wish = { names: desired.certificateNames, issuer: observed.certificate.issuer, now };
  const ordered = planCertificate({
    ...observed.certificate,
    source: observed.source,
    state: arranged(at, rollover.certify),
    key: keyNamed(
      at,
      keyToCertify(at, rollover.certify, (one) => serves(one, wish)),
    ),
    leads: observed.leads,
    ...wish,
  });
  const certificate = withFirstSave(ordered, observed.state);
  const state = certificate.state as ExchangerState;
  const delivery = planDelivery(desired, observed.mounted, state, rollover, lostNames(desired, observed, state, now));
  const delivering = delivery.status === 'Delivering';
  const steps = (delivering ? deliverTo : renewedDelivery)(desired, observed.mounted, state);
  const { suspended } = desired;
  const restarts = planRestarts({
    namespace: desired.namespace,
    // What is replaced in this very look is nothing to start with.
    workloads: { ...observed.workloads, held: delivering ? undefined : observed.workloads.held },
    suspended,
    forbidden: deliveryWait(rollover.state, facts, observed.workloads.held?.key ?? given),
    endsSoon: observed.hosts.some((host) => showsEnding(host, now)),
  });
  const revocations = planRevocations(state, { busy: storesState(certificate.changes), suspended }, now);
  const { settling, state: before } = observed;
  const { changes, waits } = assemble({
    stored: before,
    state,
    certificate,
    records,
    steps,
    suspended,
    settling,
    restarts,
    revocations,
  });
  const later = rollover.waits.map(({ message, until }) => ({
    why: message,
    forMs: until === undefined ? eventMs : Math.max(0, until - now),
  }));
  const expired = state.certificate !== undefined && state.certificate.notAfter <= now;
  const pods = provesKeys(rollover.state) ? attestedPods(observed.workloads, at.keys) : [];
  const lagging = [
    ...laggingAddresses(observed.hosts, { spkiSha256: given, certificate: state.certificate }, now),
    ...laggingPods(pods, given),
  ];
  const unpinned = observed.hosts.flatMap((host) =>
    unpinnedAddresses(host, now, ownTlsa(observed, stored, tlsaName(host.host))?.values),
  );
  const source = sourcePlan(desired, observed, { state, step: rollover }, now);
  const required = requiredOf(observed.leads, records, certificate);
  return {
    changes,
    waits: [...waits, ...later, ...(source?.waits ?? [])],
    state,
    certificate,
    records,
    required,
    delivery,
    restarts,
    revocations,
    expired,
    lagging,
    moving: isMoving(state, now),
    unpinned,
    source,
    revisit: source?.revisit ?? [],
  };
}

const isMoving = ({ rollover, rotation }: ExchangerState, now: number): boolean =>
  rollover.phase === 'Swapping' && now < (rotation?.nextSince ?? now) + moveMs;
