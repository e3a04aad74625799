/** The record sets that an exchanger wants: the mark of each host, and its TLSA set as far as it may stand. */
import { covered, type RolloverFacts, type RolloverStep } from '../dane/keystate.ts';
import { tlsaName, tlsaOfKey } from '../dane/tlsa.ts';
import type { DesiredExchanger } from '../desired/exchanger.ts';
import { equalSets } from '../dns/rrset.ts';
import type { ObservedExchanger } from './exchanger.ts';
import { ownTlsa } from './keys.ts';
import { markName, markValue } from './ownership.ts';
import { presentedAt } from './presented.ts';
import type { WantedSet } from './record-view.ts';
import type { ExchangerState } from './state.ts';

const markTtlSeconds = 300;

interface Standing {
  readonly values: readonly string[];
  readonly hold?: string;
}

/**
 * Our set of a host while it is to be kept: restored where it was confirmed, with all that stands there by our hand, be
 * it unknown to the state as after a restore. It goes only where it is withdrawn.
 */
function standingTlsa(observed: ObservedExchanger, state: ExchangerState, host: string): Standing | undefined {
  const name = tlsaName(host, 25);
  const entry = state.applied.find((one) => one.name === name && one.type === 'TLSA');
  const live = observed.views.get(`${name} TLSA`)?.live;
  const ours = ownTlsa(observed, state, host)?.values;
  if (entry === undefined) return ours && { values: ours, hold: unproven };
  const values = [...new Set([...entry.values, ...(ours ?? [])])].sort();
  if (entry.since !== undefined || (live !== undefined && equalSets(live, entry))) return { values };
  return ours && { values, hold: unproven };
}

const unproven = 'waits until every host presents the key';

/**
 * The TLSA set of one host: what the rollover publishes, or, while it keeps what stands, that, or the mere intent. A host
 * that has none, as one that was just added, gets one only when it presents a key of the set itself.
 */
function wantedTlsa(
  { host, grant }: DesiredExchanger['hosts'][number],
  context: {
    readonly desired: DesiredExchanger;
    readonly rollover: RolloverStep;
    readonly presented: RolloverFacts['presented'];
  },
  stands: Standing | undefined,
  bare: boolean,
): readonly WantedSet[] {
  const { desired, rollover, presented } = context;
  const set = (values: readonly string[], hold?: string): readonly WantedSet[] => {
    const risky = bare && !covered(values, presented);
    const name = tlsaName(host, 25);
    return [{ ...grant, name, type: 'TLSA', ttl: desired.dane.ttlSeconds, values, hold: risky ? unproven : hold }];
  };
  if (rollover.publish !== 'Keep') return rollover.publish.length === 0 ? [] : set(rollover.publish);
  if (stands !== undefined) return set(stands.values, stands.hold);
  if (desired.dane.mode === 'Off') return [];
  const { current, next } = rollover.state;
  return set([current, next].map(tlsaOfKey).sort(), unproven);
}

export function wantedRecords(
  desired: DesiredExchanger,
  observed: ObservedExchanger,
  state: ExchangerState,
  rollover: RolloverStep,
  now: number,
): readonly WantedSet[] {
  return desired.hosts.flatMap((entry) => {
    const { host, grant } = entry;
    const seen = observed.hosts.find((one) => one.host === host);
    const stands = standingTlsa(observed, state, host);
    const values = [markValue(observed.installationId)];
    const mark: WantedSet = { ...grant, name: markName(host), type: 'TXT', ttl: markTtlSeconds, values };
    if (seen?.security.verdict !== 'Secure' && stands === undefined) return [mark];
    const presented = seen === undefined ? [] : presentedAt(seen, now);
    const live = observed.views.get(`${tlsaName(host, 25)} TLSA`)?.live;
    const able = observed.traits[entry.grant.provider]?.tlsa !== false;
    const tlsa = able ? wantedTlsa(entry, { desired, rollover, presented }, stands, live === undefined) : [];
    // The mark says that the set beside it is ours: it comes with the first one, and beside no stranger's.
    const theirs = live !== undefined && stands === undefined ? 'waits until the TLSA set is ours' : undefined;
    return [{ ...mark, hold: tlsa[0]?.hold ?? theirs }, ...tlsa];
  });
}
