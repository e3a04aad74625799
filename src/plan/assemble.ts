import { canonical } from '../api/canonical.ts';
import type { CertificatePlan } from './certificate.ts';
import type { Change, Wait } from './change.ts';
import type { RecordsPlan } from './records.ts';
import type { State } from './state.ts';

const stores: ReadonlySet<Change['do']> = new Set(['Order', 'SelfSign', 'FetchCertificate', 'SaveState']);
const second = 1000;

/** A state without what merely confirms: it can be stored with the next step, as long as there is one soon. */
function essence(state: State): State {
  const applied = state.applied.map((entry) => {
    const { since: _since, ...rest } = entry;
    return { ...rest, standing: 'Intended' as const };
  });
  if (state.kind === 'domain') return { ...state, spent: [], applied };
  return { ...state, spent: [], applied, rollover: { ...state.rollover, published: false } };
}

/** Whether the difference to what is stored must be written now. */
function worthSaving(stored: State | undefined, state: State, settling: boolean): boolean {
  if (stored === undefined) return false;
  const plain = (value: State): string => canonical(settling ? essence(value) : value);
  return plain(stored) !== plain(state);
}

/** Record changes to one zone travel together. */
function mergeRecords(changes: readonly Change[]): readonly Change[] {
  const merged: Change[] = [];
  for (const change of changes) {
    const at = merged.findIndex(
      (earlier) =>
        earlier.do === 'Records' &&
        change.do === 'Records' &&
        earlier.provider === change.provider &&
        earlier.zone === change.zone &&
        earlier.urgency === change.urgency,
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

/**
 * Puts the parts of a plan in order: what a step depends on is stored before it, then come the
 * steps of the kind itself, then the records, in one change a zone. A suspended object changes nothing but its certificate.
 */
export function assemble(parts: {
  readonly stored: State | undefined;
  readonly state: State;
  readonly certificate: CertificatePlan;
  readonly records: RecordsPlan;
  readonly steps: readonly Change[];
  readonly suspended: boolean;
  /** Steps follow each other quickly at the moment: what merely confirms is stored with the next of them. */
  readonly settling: boolean;
}): { readonly changes: readonly Change[]; readonly waits: readonly Wait[] } {
  const { certificate, records } = parts;
  const waits: Wait[] = [...certificate.waits];
  const changes: Change[] = [];
  // A renewal comes last: a CA that can't be reached must not hold up what needs no certificate of it.
  const renewing = parts.stored?.certificate !== undefined;
  const isLate = ({ do: what }: Change): boolean => renewing && what !== 'SaveState' && what !== 'Records';
  const early = certificate.changes.filter((change) => !isLate(change));
  const storing = early.some((change) => stores.has(change.do));
  if (!storing && worthSaving(parts.stored, parts.state, parts.settling && records.pending.length > 0)) {
    changes.push({ do: 'SaveState', why: 'what follows depends on it', state: parts.state });
  }
  changes.push(...early, ...parts.steps);
  // While an order is being opened the records wait a moment, to travel with its challenges in one message.
  const ordering = early.some((change) => change.do === 'Order');
  if (!parts.suspended && !ordering) {
    for (const { provider, zone, change } of records.changes) {
      const why =
        change.before === undefined
          ? 'is wanted and nothing stands there'
          : change.after === undefined
            ? 'is no longer wanted'
            : 'differs from what is wanted';
      changes.push({
        do: 'Records',
        why: `${change.name} ${change.type} ${why}`,
        provider,
        zone,
        changes: [change],
        urgency: 'now',
        aliases: {},
      });
    }
    for (const { message } of records.pending) waits.push({ why: message, forMs: second });
    for (const { message } of records.refused) waits.push({ why: message, forMs: 30 * second });
  }
  changes.push(...certificate.changes.filter(isLate));
  return { changes: mergeRecords(changes), waits };
}
