import { adoptedWait, adoptedWith, givenValues, heldUnion, ours, withAdopted, without } from './adoption.ts';
import { advance } from './phases.ts';
import {
  contradicts,
  covered,
  deliveryWait,
  everywhere,
  givenKey,
  hasStood,
  lagging,
  ripeAt,
  standingWait,
  swapWait,
  zoneWait,
} from './keystate.ts';
import type { Contradiction, LiveSet, RolloverFacts, RolloverState, RolloverStep, RolloverWait } from './keystate.ts';
import { tlsaOfKey } from './tlsa.ts';

/**
 * How long a TLSA set must have stood, in milliseconds, before what depends on it may happen: twice the largest TTL at
 * which an earlier answer may be cached, and the provider's settle time. Counted from when all servers show the set.
 * `ttls` and `settleSeconds` are in seconds; `negative` only at a first publication.
 * Source: RFC 7671 §8.1.
 */
export function gate(input: {
  readonly ttls: { readonly old: number; readonly new: number; readonly negative?: number };
  readonly settleSeconds: number;
}): number {
  // RFC 7671 §8.1: at least two TTLs; cached signatures count, hence the larger of old and new.
  const longest = Math.max(0, input.ttls.old, input.ttls.new, input.ttls.negative ?? 0);
  return (2 * longest + Math.max(0, input.settleSeconds)) * 1000;
}

/**
 * One step of the key rollover: where it stands, what the DNS and the Secret should hold now, and what it waits for. At
 * most one phase is passed a call, every removal and swap on proof alone. While nothing changes the same state comes
 * back.
 *
 *     Steady ──next has stood──▶ Armed ──certificate──▶ Swapping ──all present next──▶ Retiring ──grace──▶ Steady
 *
 * Source: RFC 7671 §8.1, §8.4, RFC 7672 §2.2, §3.1.
 */
export function step(before: RolloverState, facts: RolloverFacts): RolloverStep {
  const advanced = advance(withSightings(before, facts), facts);
  const publication = publish(advanced.state, facts);
  const state = publication.state;
  // What is published in this very step is in no cache yet.
  const { published } = state.adopted === undefined ? advanced.state : state;
  const delivery = deliver({ ...state, published }, facts);
  const allPresent = everywhere(givenKey(state), facts);
  return {
    state,
    publish: publication.values,
    deliver: delivery.key,
    certify: keysInUse(state, facts.delivered),
    makeSpare: state.phase === 'Retiring' && state.spare === undefined,
    ...(facts.wanted === 'Compromised' && state.phase === 'Retiring' && allPresent ? { revoke: state.current } : {}),
    ...(advanced.rotatedOut === undefined ? {} : { rotatedOut: advanced.rotatedOut }),
    waits: [...advanced.waits, ...publication.waits, ...delivery.waits],
  };
}

/**
 * The old key may still be served until every host presents the next one, so that it is renewed until then; and so is
 * what the Secret holds, as long as a way back that was decided has not come as far.
 */
function keysInUse(state: RolloverState, delivered: string | undefined): readonly string[] {
  const meant = keysMeant(state);
  const between = delivered !== undefined && [state.current, state.next].includes(delivered);
  return between && !meant.includes(delivered) ? [...meant, delivered] : meant;
}

function keysMeant(state: RolloverState): readonly string[] {
  switch (state.phase) {
    case 'Steady':
      return [state.current];
    case 'Armed':
    case 'Swapping':
      return [state.current, state.next];
    case 'Retiring':
      return [state.next];
  }
}

/**
 * The keys as the Secret of the hosts tells of them, where a restore put the state behind it: hosts that were given the
 * next key are on their way to it, and a key that the state never knew, and that our TLSA records pin, is the current one.
 */
function withGiven(state: RolloverState, { delivered, wanted, relied }: RolloverFacts): RolloverState {
  // In these phases nothing but the current key is ever given.
  const early = state.phase === 'Armed' || (state.phase === 'Steady' && wanted !== 'Back');
  if (early && delivered === state.next && state.next !== state.current) return { ...state, phase: 'Swapping' };
  if (delivered === undefined || ours(state).includes(tlsaOfKey(delivered))) return state;
  if (!relied.includes(tlsaOfKey(delivered))) return state;
  const { spare: _spare, presentedSince: _since, ...rest } = state;
  return { ...rest, phase: 'Steady', current: delivered, next: state.spare ?? state.next };
}

/**
 * Values that are relied on and that the state does not know were published by a later one: they are kept for now, and
 * with them the keys that agents attest. A key that a probe alone saw is never published.
 */
function withRelied(state: RolloverState, facts: RolloverFacts): RolloverState {
  const { dropped, ...rest } = state;
  const leaving = without(dropped?.filter((value) => facts.relied.includes(value)) ?? [], facts.given ?? []);
  const published = state.published || facts.relied.length > 0;
  const going: RolloverState = { ...rest, published, ...(leaving.length === 0 ? {} : { dropped: leaving }) };
  const found = without(facts.relied, [...withAdopted(state), ...leaving]);
  if (facts.dane === 'Off' || found.length === 0) return going;
  const attested = facts.attested.flatMap(({ key }) => (key === undefined ? [] : [tlsaOfKey(key)]));
  // What was seen of the hosts before is no proof for what is found now.
  const { presentedSince: _since, ...anew } = going;
  return { ...anew, adopted: adoptedWith(state, [...found, ...without(attested, ours(state))]) };
}

/** Notes the spare key and the clock of a removal, and forgets a withdrawn set once no cache holds it. */
function withSightings(before: RolloverState, facts: RolloverFacts): RolloverState {
  const state = withRelied(withGiven(before, facts), facts);
  const { presentedSince, goneSince: _gone, adopted, contradicted: _current, nextContradicted: _next, ...rest } = state;
  const contradicted = contradiction(state.contradicted, state.current, state, facts);
  const nextContradicted = contradiction(state.nextContradicted, state.next, state, facts);
  const counting = state.phase === 'Retiring' || state.adopted !== undefined;
  const given = givenKey(state);
  const otherInSecret = facts.delivered !== undefined && facts.delivered !== given;
  const otherKey = otherInSecret || lagging(given, facts).some((one) => one.known);
  const since = presentedSince ?? (everywhere(given, facts) ? facts.now : undefined);
  const spare = state.phase === 'Retiring' ? (state.spare ?? facts.spare) : undefined;
  const goneSince = goneSinceOf(state, facts);
  const gone = goneSince !== undefined && facts.now >= ripeAt(facts, goneSince, facts.gateMs);
  return {
    ...rest,
    published: state.published && !gone,
    ...(goneSince === undefined || gone ? {} : { goneSince }),
    ...(adopted === undefined || gone ? {} : { adopted }),
    ...(spare === undefined ? {} : { spare }),
    ...(contradicted === undefined ? {} : { contradicted }),
    ...(nextContradicted === undefined ? {} : { nextContradicted }),
    ...(counting && !otherKey && since !== undefined ? { presentedSince: since } : {}),
  };
}

/** What caches may hold of sets that are not ours and do not match the key. */
function contradiction(
  before: Contradiction | undefined,
  key: string,
  { published }: RolloverState,
  facts: RolloverFacts,
): Contradiction | undefined {
  // Where a set of ours stands its age is what waits for it; of others nothing is known but what was seen.
  const live = published ? facts.live.filter(({ foreign }) => foreign === true) : facts.live;
  if (contradicts(key, { live })) return {};
  if (before === undefined) return undefined;
  if (facts.live.some(({ outcome }) => outcome === 'Unknown')) return {};
  const endedAt = before.endedAt ?? facts.now;
  return facts.now >= ripeAt(facts, endedAt, facts.gateMs) ? undefined : { endedAt };
}

/** Since when nothing of a set that was withdrawn is to be seen. */
function goneSinceOf(state: RolloverState, { dane, relied, live, now }: RolloverFacts): number | undefined {
  const known = withAdopted(state);
  const shows = ({ outcome, values }: LiveSet): boolean =>
    outcome === 'Unknown' || values.some((value) => known.includes(value));
  if (dane !== 'Off' || !state.published || relied.length > 0 || live.some(shows)) return undefined;
  return state.goneSince ?? now;
}

interface Publication {
  readonly state: RolloverState;
  readonly values: readonly string[] | 'Keep';
  readonly waits: readonly RolloverWait[];
}

function publish(state: RolloverState, facts: RolloverFacts): Publication {
  if (facts.dane === 'Off') return withdraw(state, facts);
  // RFC 7672 §2.2: only in a secure zone; where it is not, nothing is added and nothing taken away.
  const wait = facts.zone === 'Secure' ? undefined : zoneWait(state, facts);
  if (facts.zone !== 'Secure') return { state, values: 'Keep', waits: wait === undefined ? [] : [wait] };
  if (!state.published) return firstPublication(state, facts);
  return facts.relied.length === 0 ? publishAgain(state, facts) : dropAdopted(state, facts);
}

function withdraw(state: RolloverState, facts: RolloverFacts): Publication {
  if (!state.published) return { state, values: 'Keep', waits: [] };
  const forbidden = facts.held ? undefined : zoneWait(state, facts);
  if (facts.held || forbidden !== undefined)
    return { state, values: 'Keep', waits: forbidden === undefined ? [] : [forbidden] };
  return { state, values: [], waits: [] };
}

/** Where a set stands that is not ours, and is given to us, it is never without its values before our key is everywhere. */
function firstPublication(state: RolloverState, facts: RolloverFacts): Publication {
  const key = givenKey(state);
  const foreign = givenValues(state, facts);
  // From now on the age of our own sets is what counts.
  const { contradicted: _current, nextContradicted: _next, ...rest } = state;
  const union: RolloverState = { ...rest, published: true, ...(foreign.length === 0 ? {} : { adopted: foreign }) };
  const blocked = foreign.length > 0 && deliveryWait(state, facts, key)?.reason === 'TLSAMismatch';
  if (facts.held) return { state, values: 'Keep', waits: blocked ? [heldUnion(union)] : [] };
  if (blocked || everywhere(key, facts)) return { state: union, values: withAdopted(union), waits: [] };
  const become = `TLSA sets that are given to Mailseal become ${withAdopted(union).join(' | ')}`;
  const what = foreign.length === 0 ? 'TLSA records are published' : become;
  const message = `${what} once every address of the hosts presents the key.`;
  return { state, values: 'Keep', waits: [{ reason: 'AwaitingDelivery', message }] };
}

/** What stood and does not any more was taken away by hand, or withdrawn later than the state knows. */
function publishAgain(state: RolloverState, facts: RolloverFacts): Publication {
  if (covered(withAdopted(state), facts.presented)) return { state, values: withAdopted(state), waits: [] };
  const message = 'TLSA records are published again once every address of the hosts presents a key of theirs.';
  return { state, values: 'Keep', waits: [{ reason: 'AwaitingDelivery', message }] };
}

/** The values that stood before us go when our key has been everywhere for the gate. */
function dropAdopted(state: RolloverState, facts: RolloverFacts): Publication {
  const since = state.presentedSince;
  const may = everywhere(givenKey(state), facts) && zoneWait(state, facts) === undefined && !facts.held;
  const ripe =
    since !== undefined &&
    facts.now >= ripeAt(facts, since, facts.gateMs) &&
    hasStood(state, facts, givenKey(state), facts.gateMs);
  if (state.adopted === undefined || !may) return { state, values: withAdopted(state), waits: [] };
  if (!ripe) return { state, values: withAdopted(state), waits: [adoptedWait(facts, since)] };
  const { adopted, presentedSince: _since, ...rest } = state;
  const free: RolloverState = { ...rest, dropped: without(adopted, ours(state)) };
  return {
    state: state.phase === 'Retiring' ? { ...free, presentedSince: since } : free,
    values: ours(state),
    waits: [],
  };
}

function deliver(
  state: RolloverState,
  facts: RolloverFacts,
): { readonly key: string | undefined; readonly waits: readonly RolloverWait[] } {
  const key = keyToDeliver(state, facts);
  // A renewal with the same key is no change of key: nothing may stop it.
  if (facts.delivered === key) return { key, waits: [] };
  const forbidden = deliveryWait(state, facts, key) ?? swapInterrupted(state, facts, key);
  if (forbidden !== undefined) return { key: facts.delivered, waits: [forbidden] };
  if (!facts.certificates.includes(key)) {
    return { key: facts.delivered, waits: [{ reason: 'OrderPending', message: 'The key waits for its certificate.' }] };
  }
  return { key, waits: [] };
}

const isSpoilt = ({ current, next }: RolloverState, { delivered }: RolloverFacts): boolean =>
  delivered !== current && delivered !== next;

/**
 * What is to be in the Secret. On the way to the next key others may have spoilt the Secret, and that key's record too:
 * then the hosts go back to the former one, whose record is the older.
 */
function keyToDeliver(state: RolloverState, facts: RolloverFacts): string {
  const given = givenKey(state);
  const shaken = isSpoilt(state, facts) && !hasStood(state, facts, given, facts.gateMs);
  return state.phase === 'Swapping' && shaken ? state.current : given;
}

/**
 * A swap that was decided but not written before a crash is proven again; a Secret spoilt by others is simply mended.
 */
function swapInterrupted(state: RolloverState, facts: RolloverFacts, key: string): RolloverWait | undefined {
  if (isSpoilt(state, facts)) return undefined;
  const forbidden = swapWait(state, facts);
  if (forbidden !== undefined || hasStood(state, facts, key, facts.gateMs)) return forbidden;
  return standingWait(facts, key, facts.gateMs, 'The key may be delivered');
}
