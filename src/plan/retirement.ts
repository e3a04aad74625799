/** What happens after a MailDomain or MailExchanger was deleted, until no sender relies on it any more. */
import { formatPolicy } from '../mtasts/policy.ts';
import { isMeant, mintId, type PromiseEnd, promisedUntil, type Publication } from '../mtasts/lifecycle.ts';
import { formatStsRecord, stsRecordName } from '../mtasts/record.ts';
import type { RequiredRecord } from '../api/types.ts';
import type { Traits } from '../desired/zones.ts';
import { assemble } from './assemble.ts';
import { type CertificatePlan, planCertificate } from './certificate.ts';
import type { Change, Wait } from './change.ts';
import type { ObservedDomain } from './domain.ts';
import { policyAddressSets } from './domain-records.ts';
import { withFound } from './found.ts';
import { shortened } from './history.ts';
import type { Leads } from './leads.ts';
import { strangerAt } from './ownership.ts';
import { datePublications } from './publication.ts';
import { type RecordProblem, type RecordView, type WantedSet } from './record-view.ts';
import { planRecords } from './records.ts';
import { leftToHumans, type ObservedRemoval, planRemoval } from './removal.ts';
import { announcement, dateRemoval, dateReturn } from './withdrawal-dates.ts';
import { condemn, planRevocations } from './revocation.ts';
import { holdOf, planServe, servingOf } from './serving.ts';
import type { AppliedSet, DomainState, ExchangerState, State } from './state.ts';

/** `Withdrawing`: `none` is not everywhere yet; `Holding`: it is; `Removing`: records go; `Done`: all has gone. */
type RetirementPhase = 'Withdrawing' | 'Holding' | 'Removing' | 'Done';

export interface RetirementPlan {
  readonly phase: RetirementPhase;
  readonly changes: readonly Change[];
  readonly waits: readonly Wait[];
  readonly state: State;
  /** Milliseconds since 1970: until then senders may hold to a promise; undefined while they still see one, or had none. */
  readonly due: number | undefined;
  /** What stands in the way, for a human. */
  readonly refused: readonly RecordProblem[];
  readonly problem: CertificatePlan['problem'];
  readonly asksCaa?: CertificatePlan['asksCaa'];
  /** `recordKey` of what a human has to remove, if whoever can write the zone is not given back to us. */
  readonly byHand: readonly string[];
  /** What a human is to publish or to remove meanwhile. */
  readonly required: readonly RequiredRecord[];
}

export interface ObservedDomainRetirement
  extends ObservedRemoval<DomainState>,
    Pick<ObservedDomain, 'settling' | 'pods' | 'addresses' | 'outsideFetch' | 'entry'> {
  readonly views: ReadonlyMap<string, RecordView>;
  readonly leads: Leads;
  /** Undefined where the issuer or its challenges can't be asked: then nothing is renewed for now. */
  readonly certificate: ObservedDomain['certificate'] | undefined;
}

/** Seconds: `none` needs no long memory (RFC 8461 §8.3). */
const noneMaxAgeSeconds = 86_400;
const second = 1000;
const nothing: ReadonlySet<string> = new Set();
/** Whether a domain still needs what is left of its hosts. */
const lookAgainMs = 30 * 60 * second;
/** A change of keys takes hours. */
const movingMs = 60 * second;
/** An object that has gone waits no longer for a CA that does not revoke its certificate: an hour or so. */
const mostRefusals = 7;

const policyHostOf = ({ domain }: Pick<DomainState, 'domain'>): string => `mta-sts.${domain}`;

/** RFC 8461 §8.3: a policy is withdrawn by a new one that asks for nothing. */
function withdrawal(state: DomainState, now: number): Publication {
  const last = state.publications.at(-1);
  if (last?.mode === 'none' && isMeant(last)) return last;
  const body = formatPolicy({ mode: 'none', maxAgeSeconds: noneMaxAgeSeconds, mxs: [] });
  const used = state.publications.map(({ id }) => id);
  return { id: mintId(now, body, used), body, mode: 'none', maxAgeSeconds: noneMaxAgeSeconds, mxs: [], mintedAt: now };
}

function promiseEnd(state: DomainState, traits: Traits): PromiseEnd {
  const txt = announcement(state);
  const settle = traits[txt?.provider ?? '']?.settleSeconds ?? 0;
  return promisedUntil(state.publications, {
    txtTtlSeconds: Math.max(300, txt?.ttl ?? 0, txt?.previousTtl ?? 0) + settle,
  });
}

/** The records as they stand, with the id of the withdrawal, and the address where the policy pods are reached now. */
function keptRecords(
  { applied, ...state }: DomainState,
  addresses: ObservedDomainRetirement['addresses'],
  id: string,
  hold: string | undefined,
): readonly WantedSet[] {
  const sts = stsRecordName(state.domain);
  const place = applied.find(({ name }) => name === policyHostOf(state)) ?? applied[0];
  if (place === undefined) return [];
  const here = policyAddressSets(policyHostOf(state), addresses, applied).map((set): WantedSet => {
    const { ttl, provider, zone, delegatedFrom } = place;
    return { ...set, ttl, provider, zone, delegatedFrom, settleSeconds: 0 };
  });
  const isAddress = ({ name, type }: AppliedSet): boolean => name === place.name && (type === 'A' || type === 'AAAA');
  const kept = applied.flatMap((entry): readonly WantedSet[] => {
    const { name, type, ttl, values, provider, zone, delegatedFrom } = entry;
    if (isAddress(entry)) return here.filter((set) => set.type === type);
    const set = { name, type, ttl, provider, zone, delegatedFrom, settleSeconds: 0 };
    return [name === sts ? { ...set, values: [formatStsRecord(id)], hold } : { ...set, values }];
  });
  return [...kept, ...here.filter((set) => !kept.includes(set))];
}

/** Serves `none`, announces it, and keeps it up with a valid certificate. */
function planHolding(observed: ObservedDomainRetirement, found: DomainState, now: number): RetirementPlan {
  const { testingSince: _, ...stored } = found;
  const publication = withdrawal(stored, now);
  const known = stored.publications.includes(publication);
  const minted = known ? stored : { ...stored, publications: [...shortened(stored.publications, now), publication] };
  const serving = servingOf(observed, publication, minted);
  const hold = holdOf(publication, serving, []);
  const records = planRecords({
    wanted: keptRecords(minted, observed.addresses, publication.id, hold),
    applied: minted.applied,
    views: observed.views,
    marked: () => false,
    stranger: (name) => strangerAt({ ...observed, lives: observed.views, applied: minted.applied }, name),
    traits: observed.traits,
    leads: undefined,
    adopt: nothing,
    now,
  });
  const told = datePublications(minted, records, hold === undefined, now);
  const dated = dateRemoval(dateReturn({ ...told, applied: records.applied }, observed), observed, now);
  const names = [policyHostOf(stored)];
  const certificate: CertificatePlan =
    observed.certificate === undefined
      ? { state: dated, changes: [], waits: [], problem: undefined, required: [] }
      : planCertificate({ ...observed.certificate, leads: observed.leads, state: dated, key: dated.key, names, now });
  const state = certificate.state as DomainState;
  const steps = planServe(policyHostOf(stored), observed.entry, state, publication);
  const { settling, state: before } = observed;
  const parts = { stored: before, state, certificate, records, steps, suspended: false, settling };
  const { changes, waits } = assemble(parts);
  const end = promiseEnd(state, observed.traits);
  const due = 'until' in end ? end.until : undefined;
  const lag = serving.lagging.map((why): Wait => ({ why, forMs: second }));
  if (due !== undefined) {
    lag.push({ why: 'serve mode none until no sender can hold to an earlier policy', forMs: Math.max(0, due - now) });
  }
  const phase = due === undefined || !serving.everywhere ? 'Withdrawing' : 'Holding';
  const { refused } = records;
  const txt = announcement(state);
  const byHand = due === undefined && txt !== undefined ? leftToHumans([txt], observed.gone) : [];
  const required = [...records.required, ...certificate.required];
  return {
    phase,
    changes,
    waits: [...waits, ...lag],
    state,
    due,
    refused,
    problem: certificate.problem,
    asksCaa: certificate.asksCaa,
    byHand,
    required,
  };
}

function ending(removal: ReturnType<typeof planRemoval>, last: readonly Change[], due?: number): RetirementPlan {
  const { state, waits, done, byHand } = removal;
  const changes = done ? last : removal.changes;
  const required = byHand.map((key): RequiredRecord => {
    const [name = '', type = ''] = key.split(' ');
    return { name, type: type as RequiredRecord['type'], values: [], seen: false };
  });
  return {
    phase: done ? 'Done' : 'Removing',
    changes,
    waits,
    state,
    due,
    refused: [],
    problem: undefined,
    byHand,
    required,
  };
}

const nothingDone = { changes: [], due: undefined, refused: [], problem: undefined, byHand: [], required: [] } as const;

const forget = (state: State): Change => ({ do: 'ForgetState', why: 'all that it speaks of has gone', state });

/**
 * A domain's retirement: `none` until the last promise has passed, then the TXT records, then what they led to. One that
 * never announced a policy has promised nothing.
 */
export function planDomainRetirement(observed: ObservedDomainRetirement, now: number): RetirementPlan {
  const state = dateReturn(withFound(observed.state, observed, now).state, observed);
  const announced = state.publications.some(({ shownSince }) => shownSince !== undefined);
  const end = promiseEnd(state, observed.traits);
  if (announced && !('until' in end && now >= end.until)) return planHolding(observed, state, now);
  const host = policyHostOf(state);
  const unserve: Change = { do: 'Unserve', why: 'nobody can be led here any more', host };
  return ending(
    planRemoval(observed, now),
    [unserve, forget(state)],
    announced && 'until' in end ? end.until : undefined,
  );
}

/**
 * An exchanger's retirement: TLSA records go while the hosts still present their key; what the hosts mount stays.
 */
export function planExchangerRetirement(
  observed: ObservedRemoval<ExchangerState> & {
    /** A domain whose policy names hosts of it, and nobody else provides for them. */
    readonly neededBy: string | undefined;
    /** Why TLSA sets are not to be removed now. */
    readonly moving: string | undefined;
  },
  now: number,
): RetirementPlan {
  const { state, neededBy, moving } = observed;
  if (moving !== undefined && state.applied.some(({ type, standing }) => type === 'TLSA' && standing !== 'Found')) {
    const why = `TLSA records are removed later: ${moving}`;
    return { ...nothingDone, phase: 'Removing', state, waits: [{ why, forMs: movingMs }] };
  }
  const revocations = planRevocations(condemn(state, {}, now), { busy: false, suspended: false }, now);
  if (revocations.changes.length > 0)
    return { ...nothingDone, phase: 'Removing', state, ...revocations, problem: undefined };
  const { certificate } = state;
  const gone = state.applied.length === 0;
  // A renewal is under way where all has gone and one is needed; else an open order is given up.
  const removal = gone && neededBy !== undefined ? undefined : planRemoval(observed, now);
  if (neededBy === undefined || certificate === undefined || removal?.done === false) {
    const last = ending(removal ?? planRemoval(observed, now), [forget(state)]);
    const trying = state.revocations?.some(({ failures = 0 }) => failures < mostRefusals) === true;
    return last.phase === 'Done' && trying && revocations.waits.length > 0
      ? { ...last, phase: 'Removing', changes: [], waits: revocations.waits }
      : last;
  }
  const why = `the policy of ${neededBy} still names the hosts: their certificate is renewed, with the same key`;
  const { withdrawn: _, ...rest } = state;
  const changes: readonly Change[] = gone ? [] : [{ do: 'SaveState', why, state: { ...rest, applied: [] } }];
  const forMs = Math.min(lookAgainMs, Math.max(second, certificate.renewAt - now));
  return { ...nothingDone, phase: 'Holding', changes, waits: [{ why, forMs }], state };
}
