/** The record sets that an exchanger wants: the mark of each host, and its TLSA set as far as it may stand. */
import { covered, type RolloverFacts, type RolloverStep } from '../dane/keystate.ts';
import { tlsaOfKey } from '../dane/tlsa.ts';
import { type DesiredExchanger, tlsaNames } from '../desired/exchanger.ts';
import { equalSets, type RecordSet } from '../dns/rrset.ts';
import type { ObservedExchanger } from './exchanger.ts';
import { ownTlsa } from './live-tlsa.ts';
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
function standingTlsa(observed: ObservedExchanger, state: ExchangerState, name: string): Standing | undefined {
  const entry = state.applied.find((one) => one.name === name && one.type === 'TLSA');
  const live = observed.views.get(`${name} TLSA`)?.live;
  const ours = ownTlsa(observed, state, name)?.values;
  if (entry === undefined) return ours && { values: ours, hold: unproven };
  const values = [...new Set([...entry.values, ...(ours ?? [])])].sort();
  if (entry.since !== undefined || (live !== undefined && equalSets(live, entry))) return { values };
  return ours && { values, hold: unproven };
}

const unproven = 'waits until every host presents the key';

interface Context {
  readonly desired: DesiredExchanger;
  readonly rollover: RolloverStep;
  readonly presented: RolloverFacts['presented'];
}

/** The TLSA set of one host at one port, and what is to be known of it. */
interface Place {
  readonly grant: DesiredExchanger['hosts'][number]['grant'];
  readonly name: string;
  readonly stands: Standing | undefined;
  readonly live: RecordSet | undefined;
}

/**
 * What the rollover publishes there, or, while it keeps what stands, that, or the mere intent. A host that has none, as
 * one that was just added, gets one only when it presents a key of the set itself.
 */
function wantedTlsa({ grant, name, stands, live }: Place, context: Context): readonly WantedSet[] {
  const { desired, rollover, presented } = context;
  const set = (values: readonly string[], hold?: string): readonly WantedSet[] => {
    const bare = live === undefined;
    const risky = bare && !covered(values, presented);
    return [{ ...grant, name, type: 'TLSA', ttl: desired.dane.ttlSeconds, values, hold: risky ? unproven : hold }];
  };
  if (rollover.publish !== 'Keep') return rollover.publish.length === 0 ? [] : set(rollover.publish);
  if (stands !== undefined) return set(stands.values, stands.hold);
  if (desired.dane.mode === 'Off') return [];
  const { current, next } = rollover.state;
  return set([...new Set([current, next].map(tlsaOfKey))].sort(), unproven);
}

export function wantedRecords(
  desired: DesiredExchanger,
  observed: ObservedExchanger,
  state: ExchangerState,
  rollover: RolloverStep,
  now: number,
): readonly WantedSet[] {
  return desired.hosts.flatMap(({ host, grant }) => {
    const seen = observed.hosts.find((one) => one.host === host);
    const values = [markValue(observed.installationId)];
    const mark: WantedSet = { ...grant, name: markName(host), type: 'TXT', ttl: markTtlSeconds, values };
    const places = tlsaNames(host, desired.dane)
      .map((name): Place => {
        const live = observed.views.get(`${name} TLSA`)?.live;
        return { grant, name, live, stands: standingTlsa(observed, state, name) };
      })
      .filter(({ stands }) => seen?.security.verdict === 'Secure' || stands !== undefined);
    if (places.length === 0) return [mark];
    const presented = seen === undefined ? [] : presentedAt(seen, now, rollover.state.adopted);
    const able = observed.traits[grant.provider]?.tlsa !== false;
    const tlsa = able ? places.flatMap((place) => wantedTlsa(place, { desired, rollover, presented })) : [];
    // The mark says that the sets beside it are ours: it comes with the first one, and beside no stranger's.
    const foreign = places.some(({ live, stands }) => live !== undefined && stands === undefined);
    const theirs = foreign ? 'waits until the TLSA set is ours' : undefined;
    const held = tlsa.every(({ hold }) => hold !== undefined) ? tlsa[0]?.hold : undefined;
    return [{ ...mark, hold: held ?? theirs }, ...tlsa];
  });
}
