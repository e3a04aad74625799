/**
 * The key rollover of an external issuer. It knows no next key in advance: whoever fills the source Secret brings a key
 * when it is to be used already. So a new key there becomes the next one, is published beside the current one, waits for
 * the gate, and is given to the hosts with its certificate; the last one to come wins. A certificate for a key that the
 * hosts have is copied at once.
 */
import { adoptedWith } from '../dane/adoption.ts';
import {
  everywhere,
  givenKey,
  type RolloverFacts,
  type RolloverState,
  type RolloverStep,
  withNext,
} from '../dane/keystate.ts';
import { tlsaOfKey } from '../dane/tlsa.ts';
import type { DesiredExchanger } from '../desired/exchanger.ts';
import { withNextOf } from './algorithm.ts';
import type { CertificatePlan } from './certificate.ts';
import { type Change, humanMs, type Wait } from './change.ts';
import type { ObservedExchanger } from './exchanger.ts';
import { rolloverFacts } from './keys.ts';
import { certificateOf, filed } from './lane.ts';
import { isEnding } from './presented.ts';
import { type ObservedSource, planSource } from './source.ts';
import { wantedNow } from './rotation.ts';
import type { ExchangerState, StoredKey } from './state.ts';

/** A source is not watched, which would take the right to read all Secrets of a namespace: it is read so often. */
const revisitMs = 5 * 60_000;

interface Prepared {
  readonly stored: ExchangerState;
  readonly facts: RolloverFacts;
}

const known = (keys: readonly StoredKey[], key: StoredKey): readonly StoredKey[] =>
  keys.some(({ spkiSha256 }) => spkiSha256 === key.spkiSha256) ? keys : [...keys, key];

/** State and facts for one step of the rollover, with the keys that the issuer gives. */
export function prepared(
  desired: DesiredExchanger,
  observed: ObservedExchanger,
  stored: ExchangerState,
  now: number,
): Prepared {
  const facts = rolloverFacts(desired, observed, stored, now);
  if (observed.certificate.issuer.kind !== 'external') return withNextKeys(desired, observed, { stored, facts }, now);
  const { source } = observed;
  if (source?.is !== 'Fit') {
    const wanted = facts.wanted === 'Back' ? 'Back' : 'Nothing';
    return { stored, facts: { ...facts, wanted, spare: stored.rollover.next } };
  }
  const { key, certificate } = source;
  const rollover = withSourceKey(stored.rollover, key.spkiSha256, facts);
  const named = { ...stored, rollover, keys: known(stored.keys, key) };
  const given = [rollover.current, rollover.next].includes(key.spkiSha256);
  const same = certificateOf(named, key.spkiSha256)?.chain === certificate.chain;
  const state = given && !same ? (filed(named, certificate) as ExchangerState) : named;
  const after = rolloverFacts(desired, observed, state, now);
  return {
    stored: state,
    facts: {
      ...after,
      wanted: wantedOf(rollover, key.spkiSha256, facts.wanted),
      spare: given ? rollover.next : key.spkiSha256,
      certificates: [...new Set([...after.certificates, ...(given ? [key.spkiSha256] : [])])],
    },
  };
}

/** With another next key, where it is wanted: after an external issuer, which gave none in advance, or of another algorithm. */
function withNextKeys(
  desired: DesiredExchanger,
  observed: ObservedExchanger,
  { stored, facts }: Prepared,
  now: number,
): Prepared {
  const { rollover } = stored;
  const { spareKey } = observed;
  const bare = rollover.next === rollover.current && rollover.phase === 'Steady';
  const state =
    bare && spareKey !== undefined && !facts.held
      ? { ...stored, keys: known(stored.keys, spareKey), rollover: withNext(rollover, spareKey.spkiSha256, facts) }
      : withNextOf(desired, stored, spareKey, facts);
  return state === stored ? { stored, facts } : { stored: state, facts: rolloverFacts(desired, observed, state, now) };
}

/** Whether what is asked for can be met: a new key is in the source, or none. */
function wantedOf(rollover: RolloverState, key: string, wanted: RolloverFacts['wanted']): RolloverFacts['wanted'] {
  if (wanted === 'Back') return 'Back';
  if (rollover.next === rollover.current || key !== rollover.next) return 'Nothing';
  return wanted === 'Compromised' ? 'Compromised' : 'RotateNow';
}

/** RFC 7671 §8.4: one change at a time. Only while the hosts are not moved from one key to another does a third count. */
function withSourceKey(rollover: RolloverState, key: string, facts: RolloverFacts): RolloverState {
  const { phase, current, next, dropped, ...rest } = rollover;
  const moving = phase === 'Swapping' || phase === 'Retiring';
  if (moving || facts.held || facts.wanted === 'Back' || key === next) return rollover;
  // Nobody was given or told of any key yet.
  if (facts.delivered === undefined && !rollover.published) return { ...rollover, current: key, next: key };
  const before: RolloverState = { ...rest, ...withoutKey(dropped, key), phase: 'Steady', current, next };
  const anew = withNext(before, key, facts);
  if (next === current || !rollover.published) return anew;
  const value = tlsaOfKey(next);
  // The record of a key that some host may still have, as after a way back, goes only when all were seen with another.
  if (!everywhere(current, facts)) return { ...anew, adopted: adoptedWith(rollover, [value]) };
  return { ...anew, dropped: [...(anew.dropped ?? []), value] };
}

function withoutKey(dropped: RolloverState['dropped'], key: string): Pick<RolloverState, 'dropped'> {
  const others = dropped?.filter((value) => value !== tlsaOfKey(key)) ?? [];
  return others.length === 0 ? {} : { dropped: others };
}

/** A certificate that the source has for a key in use, where nothing else can be planned: nothing may stop a renewal. */
export function renewedFrom(
  state: ExchangerState,
  source: ObservedSource | undefined,
): readonly Extract<Change, { do: 'SaveState' }>[] {
  if (source?.is !== 'Fit') return [];
  const { certificate } = source;
  const before = certificateOf(state, certificate.spkiSha256);
  if (before === undefined || before.chain === certificate.chain) return [];
  const why = 'the source Secret holds a renewed certificate for a key that the hosts have';
  return [{ do: 'SaveState', why, state: filed(state, certificate) }];
}

/** How an exchanger stands that gets its certificates from elsewhere. */
export interface SourcePlan {
  /** No next key stands beside the current one. */
  readonly bare: boolean;
  /** Why what the source holds is not, or will not in time be, what the hosts have. */
  readonly problem: CertificatePlan['problem'];
  /** What only whoever fills it can do. */
  readonly waits: readonly Wait[];
  /** When to read it again. */
  readonly revisit: readonly Wait[];
}

/** Undefined where the issuer is not external. */
export function sourcePlan(
  { namespace, sourceSecretName = '', rotation }: DesiredExchanger,
  observed: ObservedExchanger,
  after: { readonly state: ExchangerState; readonly step: RolloverStep },
  now: number,
): SourcePlan | undefined {
  const { source } = observed;
  if (observed.certificate.issuer.kind !== 'external') return undefined;
  const { rollover, certificate } = after.state;
  const revisit = [{ why: 'the source Secret is read again', forMs: revisitMs }];
  const bare = rollover.next === rollover.current;
  const memory = after.state.rotation ?? { since: now };
  const wanted = wantedNow({ ...rotation, everyDays: 0 }, memory, rollover.current, now);
  const asks = bare && (wanted === 'RotateNow' || wanted === 'Compromised');
  const why = `mailseal.dev/rotate-now asks for another key: have one put into Secret ${namespace}/${sourceSecretName}, with its certificate`;
  const plan = { bare, revisit, waits: asks ? [{ why, forMs: humanMs }] : [] };
  if (certificate === undefined || source?.is === 'Unfit') return { ...plan, problem: planSource(source).problem };
  const ends = new Date(certificate.notAfter).toISOString();
  const which = `Secret ${namespace}/${sourceSecretName}`;
  if (source === undefined || source.key.spkiSha256 === givenKey(rollover)) {
    const message = `the certificate of the hosts ends at ${ends}, and ${which} holds none that lasts longer: see there why it is not renewed`;
    return { ...plan, problem: isEnding(certificate, now) ? { reason: 'CertificateEnding', message } : undefined };
  }
  // The first wait is that of the phase: what keeps the new key from the hosts.
  const [wait] = after.step.waits;
  const late = wait?.until !== undefined && wait.until >= certificate.notAfter;
  if (!late && !isEnding(certificate, now)) return { ...plan, problem: undefined };
  const held = wait === undefined ? '' : `: ${wait.message}`;
  const message = `the certificate of the hosts ends at ${ends}, and the new key in ${which} may not be given to them yet${held}`;
  return { ...plan, problem: { reason: 'CertificateEnding', message } };
}
