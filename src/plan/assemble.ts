import { canonical } from '../api/canonical.ts';
import type { Reason } from '../api/reasons.ts';
import type { RecordChange } from '../dns/change.ts';
import type { CertificatePlan } from './certificate.ts';
import { type Change, humanMs, inLane, type Wait } from './change.ts';
import { recordKey } from './record-view.ts';
import type { RecordsPlan } from './records.ts';
import type { RestartPlan } from './restart.ts';
import type { RevocationPlan } from './revocation.ts';
import type { State } from './state.ts';

const stores: ReadonlySet<Change['do']> = new Set(['Order', 'SelfSign', 'FetchCertificate', 'SaveState']);

/** Whether a step among these stores the state that it was planned with. */
export const storesState = (changes: readonly Change[]): boolean => changes.some((change) => stores.has(change.do));

/** Keys of a new exchanger are stored before anything depends on them, also where no order may be opened yet. */
export function withFirstSave(certificate: CertificatePlan, stored: State | undefined): CertificatePlan {
  if (stored !== undefined || storesState(certificate.changes)) return certificate;
  const { state } = certificate;
  const why = 'the keys are stored before anything depends on them';
  return { ...certificate, changes: [...certificate.changes, { do: 'SaveState', why, state }] };
}

const second = 1000;
const byHumans: ReadonlySet<Reason> = new Set(['AwaitingHuman', 'DelegationMissing', 'WildcardSynthesised']);

/** A state without what merely confirms: it can be stored with the next step, as long as there is one soon. */
function essence(state: State): State {
  const applied = state.applied.map((entry) => {
    const { since: _since, ...rest } = entry;
    return { ...rest, standing: 'Intended' as const };
  });
  if (state.kind === 'domain') return { ...state, spent: [], applied };
  return { ...state, spent: [], applied, rollover: { ...state.rollover, published: false } };
}

/** A set that was seen everywhere is so no longer: what waits for its age must not go by the old date. */
const undated = (stored: State, state: State): boolean => {
  const dated = new Set(stored.applied.filter(({ since }) => since !== undefined).map(recordKey));
  return state.applied.some((entry) => entry.since === undefined && dated.has(recordKey(entry)));
};

/** Whether the difference to what is stored must be written now. */
function worthSaving(stored: State | undefined, state: State, settling: boolean): boolean {
  if (stored === undefined) return false;
  if (undated(stored, state)) return true;
  const plain = (value: State): string => canonical(settling ? essence(value) : value);
  return plain(stored) !== plain(state);
}

/** Record changes of one lane to one zone travel together: all of them are made or none. */
function mergeRecords(changes: readonly Change[]): readonly Change[] {
  const merged: Change[] = [];
  for (const change of changes) {
    const at = merged.findIndex(
      (earlier) =>
        earlier.do === 'Records' &&
        change.do === 'Records' &&
        earlier.provider === change.provider &&
        earlier.zone === change.zone &&
        earlier.urgency === change.urgency &&
        earlier.lane === change.lane,
    );
    const earlier = merged[at];
    if (earlier?.do === 'Records' && change.do === 'Records') {
      const aliases = { ...earlier.aliases, ...change.aliases };
      merged[at] = { ...earlier, changes: [...earlier.changes, ...change.changes], aliases };
    } else {
      merged.push(change);
    }
  }
  return merged;
}

/** Why a record set is changed: the end of a sentence that begins with the set. */
export function whyChanged({ before, after }: RecordChange): string {
  if (before === undefined) return 'is wanted and nothing stands there';
  return after === undefined ? 'is no longer wanted' : 'differs from what is wanted';
}

/** The records, each a change of its own; `mergeRecords` puts them together. */
function recordChanges(records: RecordsPlan): readonly Change[] {
  return records.changes.map(
    ({ provider, zone, change, aliases }): Change => ({
      do: 'Records',
      why: `${recordKey(change)} ${whyChanged(change)}`,
      provider,
      zone,
      changes: [change],
      urgency: 'now',
      aliases,
    }),
  );
}

/**
 * Puts the parts of a plan in order: what steps depend on is stored before them; then the certificate goes its way, and
 * beside it the steps of the kind itself and after them the records, so that neither stops the other. A suspended
 * object changes nothing but its certificate.
 */
export function assemble(parts: {
  readonly stored: State | undefined;
  readonly state: State;
  readonly certificate: CertificatePlan;
  readonly records: RecordsPlan;
  readonly steps: readonly Change[];
  readonly restarts?: RestartPlan;
  readonly revocations?: RevocationPlan;
  readonly suspended: boolean;
  /** Steps follow each other quickly at the moment: what merely confirms is stored with the next of them. */
  readonly settling: boolean;
}): { readonly changes: readonly Change[]; readonly waits: readonly Wait[] } {
  const { certificate, records, suspended } = parts;
  // What a first issuance stores is the state that the records depend on; a renewal's state is stored before.
  const renewing = parts.stored?.certificate !== undefined;
  const isFirst = ({ do: what }: Change): boolean => (renewing ? what === 'SaveState' : stores.has(what));
  const first = certificate.changes.filter(isFirst);
  // After a removal nothing shows any more that the set stood, and caches hold it.
  const removes = records.changes.some(({ change }) => change.after === undefined);
  const settling = parts.settling && records.pending.length > 0 && !removes;
  const saving: readonly Change[] =
    first.length === 0 && worthSaving(parts.stored, parts.state, settling)
      ? [{ do: 'SaveState', why: 'what follows depends on it', state: parts.state }]
      : [];
  // While a first order is being opened the records wait a moment, to travel with its challenges in one message.
  const holding = suspended || first.some((change) => change.do === 'Order');
  const proving = certificate.changes.filter((change) => !isFirst(change));
  const changes = [
    ...saving,
    ...first,
    ...inLane('Certificate', proving),
    ...inLane('Own', [...parts.steps, ...(holding ? [] : recordChanges(records))]),
    ...inLane('Restarts', parts.restarts?.changes ?? []),
    ...inLane('Revocations', parts.revocations?.changes ?? []),
  ];
  const begun = [...certificate.waits, ...(parts.restarts?.waits ?? []), ...(parts.revocations?.waits ?? [])];
  const waits = holding
    ? begun
    : [
        ...begun,
        ...records.pending.map(({ message, reason }) => ({
          why: message,
          forMs: byHumans.has(reason) ? humanMs : second,
        })),
        ...records.refused.map(({ message }) => ({ why: message, forMs: 30 * second })),
      ];
  return { changes: mergeRecords(changes), waits };
}
