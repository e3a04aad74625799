/** The durable state of an exchanger from one look to the next. */
import type { RolloverStep } from '../dane/keystate.ts';
import { type DesiredExchanger, tlsaNames } from '../desired/exchanger.ts';
import { equalSets } from '../dns/rrset.ts';
import type { ObservedExchanger } from './exchanger.ts';
import { givenBy, keysOf } from './keys.ts';
import { isMarked, markedHosts, markName } from './ownership.ts';
import type { RecordsPlan } from './records.ts';
import { remember } from './rotation.ts';
import type { ExchangerState, StoredKey } from './state.ts';

/** Of an exchanger that has none yet, or not any more. */
export function newState(
  desired: DesiredExchanger,
  [current, next]: readonly [StoredKey, StoredKey],
  now: number,
): ExchangerState {
  return {
    formatVersion: 1,
    kind: 'exchanger',
    namespace: desired.namespace,
    name: desired.name,
    issuer: desired.issuer,
    rollover: { phase: 'Steady', current: current.spkiSha256, next: next.spkiSha256, published: false },
    rotation: { since: now },
    keys: [current, next],
    applied: [],
    spent: [],
  };
}

/**
 * Mark and TLSA set go out together: where the mark stands that was a mere intent, a set that stands otherwise than it
 * was intended was published by a later state than this one.
 */
export function withoutStaleIntents(
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

/** What is to be stored after one step of the rollover; the certificates are as they were. */
export function stateAfter(
  desired: DesiredExchanger,
  observed: ObservedExchanger,
  { stored, rollover, records }: { stored: ExchangerState; rollover: RolloverStep; records: RecordsPlan },
  now: number,
): ExchangerState {
  const { leftHosts: _left, restart: _restart, sourceSecretName: _source, ...kept } = stored;
  const known = [...stored.keys, givenBy(observed.mounted, stored.keys), observed.spareKey];
  const phases = { before: stored.rollover, after: rollover.state };
  return {
    ...kept,
    issuer: desired.issuer,
    secretName: desired.secretName,
    ...(desired.sourceSecretName === undefined ? {} : { sourceSecretName: desired.sourceSecretName }),
    ...(desired.restart.length === 0 ? {} : { restart: desired.restart }),
    rollover: rollover.state,
    rotation: remember(stored.rotation ?? { since: now }, phases, desired.rotation, now),
    keys: keysOf(
      rollover.state,
      known.filter((key) => key !== undefined),
    ),
    ...marking(stored, records),
  };
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

/** The host that a mark or a TLSA set is about. */
export function hostOf(desired: DesiredExchanger, name: string): string | undefined {
  return desired.hosts.find(({ host }) => name === markName(host) || tlsaNames(host, desired.dane).includes(name))
    ?.host;
}
