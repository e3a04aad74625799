import { deliveryWait, everywhere, hasStood, lagging, ripeAt, standingWait, swapWait } from './keystate.ts';
import type { RolloverFacts, RolloverState, RolloverWait } from './keystate.ts';
import { tlsaOfKey } from './tlsa.ts';

const weekMs = 7 * 86_400_000;

/** The state after at most one passed phase, and what holds the next one up. */
export interface Advance {
  readonly state: RolloverState;
  readonly waits: readonly RolloverWait[];
  /** The key that a finished rotation took out. */
  readonly rotatedOut?: string;
}

/** Passes the phase if everything that must be proven is. RFC 7671 §8.1, §8.4. */
export function advance(state: RolloverState, facts: RolloverFacts): Advance {
  switch (state.phase) {
    case 'Steady':
      return fromSteady(state, facts);
    case 'Armed':
      return fromArmed(state, facts);
    case 'Swapping':
      return fromSwapping(state, facts);
    case 'Retiring':
      return fromRetiring(state, facts);
  }
}

function stay(state: RolloverState, ...waits: readonly RolloverWait[]): Advance {
  return { state, waits };
}

function wantsRotation(facts: RolloverFacts): boolean {
  return facts.wanted === 'Rotate' || facts.wanted === 'RotateNow' || facts.wanted === 'Compromised';
}

/** A next key that nothing presses for has stood a week: resolvers may serve stale answers so long (RFC 8767). */
function neededMs(facts: RolloverFacts): number {
  return facts.wanted === 'Rotate' ? Math.max(weekMs, facts.gateMs) : facts.gateMs;
}

function fromSteady(state: RolloverState, facts: RolloverFacts): Advance {
  // `next` is `current` while there is none.
  if (!wantsRotation(facts) || state.next === state.current) return stay(state);
  const forbidden = swapWait(state, facts);
  if (forbidden !== undefined) return stay(state, forbidden);
  if (!hasStood(state, facts, state.next, neededMs(facts))) return stay(state, nextWait(state, facts));
  return { state: { ...state, phase: 'Armed' }, waits: [] };
}

function nextWait(state: RolloverState, facts: RolloverFacts): RolloverWait {
  const wait = standingWait(facts, state.next, neededMs(facts), 'The next key may be used');
  if (facts.wanted !== 'Compromised') return wait;
  const cost = 'Until then the hosts keep the compromised key: a swap now would lose the mail of DANE senders.';
  return { ...wait, message: `${wait.message} ${cost}` };
}

function fromArmed(state: RolloverState, facts: RolloverFacts): Advance {
  const disarmed: RolloverState = { ...state, phase: 'Steady' };
  if (!wantsRotation(facts)) return stay(disarmed);
  if (!hasStood(state, facts, state.next, facts.gateMs)) return stay(disarmed, nextWait(state, facts));
  const forbidden = swapWait(state, facts) ?? deliveryWait(state, facts, state.next);
  if (forbidden !== undefined) return stay(state, forbidden);
  if (!facts.certificates.includes(state.next)) {
    return stay(state, { reason: 'OrderPending', message: 'The next key waits for its certificate.' });
  }
  return { state: { ...state, phase: 'Swapping' }, waits: [] };
}

function fromSwapping(state: RolloverState, facts: RolloverFacts): Advance {
  if (facts.wanted === 'Back') return backToCurrent(state, facts);
  if (everywhere(state.next, facts)) {
    return { state: { ...state, phase: 'Retiring', presentedSince: facts.now }, waits: [] };
  }
  return stay(state, laggingWait(state.next, facts));
}

function backToCurrent(state: RolloverState, facts: RolloverFacts): Advance {
  const forbidden = swapWait(state, facts) ?? deliveryWait(state, facts, state.current);
  if (forbidden !== undefined) return stay(state, forbidden);
  if (!hasStood(state, facts, state.current, facts.gateMs)) {
    return stay(state, standingWait(facts, state.current, facts.gateMs, 'The current key may be used again'));
  }
  if (!facts.certificates.includes(state.current)) {
    return stay(state, { reason: 'OrderPending', message: 'The current key waits for a valid certificate.' });
  }
  return { state: { ...state, phase: 'Steady' }, waits: [] };
}

/** Names where the key that was given out is not, or not known to be. At most ten places, for a status has bounds. */
function laggingWait(key: string, facts: RolloverFacts): RolloverWait {
  if (facts.delivered !== key) {
    return {
      reason: 'AwaitingDelivery',
      message: 'The Secret of the hosts does not hold the key that they are to have.',
    };
  }
  if (facts.presented.length === 0) {
    return { reason: 'AwaitingDelivery', message: 'No address has been seen to present the key it was given.' };
  }
  const all = lagging(key, facts);
  const other = all.filter((one) => one.known).map((one) => one.where);
  const named = (other.length > 0 ? other : all.map((one) => one.where)).slice(0, 10).join(', ');
  if (other.length > 0)
    return { reason: 'KeyMismatch', message: `Still with another key: ${named}. Restart the mail server there.` };
  return { reason: 'AwaitingDelivery', message: `Not yet seen to present the key it was given: ${named}.` };
}

function fromRetiring(state: RolloverState, facts: RolloverFacts): Advance {
  if (!everywhere(state.next, facts)) return stay(state, laggingWait(state.next, facts));
  const spare = state.spare;
  if (spare === undefined)
    return stay(state, { reason: 'Waiting', message: 'The key after the next one is being made.' });
  const forbidden = swapWait(state, facts);
  if (forbidden !== undefined) return stay(state, forbidden);
  // RFC 7671 §8.1: the old record goes only when the new key is in place everywhere; a grace covers hosts seen in
  // haste.
  const until = ripeAt(facts, state.presentedSince ?? facts.now, facts.gateMs);
  if (facts.now < until) {
    const message = `The old key's TLSA record goes after ${new Date(until).toISOString()}.`;
    return stay(state, { reason: 'Waiting', message, until });
  }
  for (const key of [state.next, spare]) {
    if (!hasStood(state, facts, key, 0)) {
      return stay(state, standingWait(facts, key, 0, "The old key's TLSA record may go"));
    }
  }
  const { spare: _spare, presentedSince: _since, contradicted: _old, nextContradicted, ...rest } = state;
  const dropped = [...(state.dropped ?? []), tlsaOfKey(state.current)];
  return {
    state: {
      ...rest,
      phase: 'Steady',
      current: state.next,
      next: spare,
      dropped,
      ...(nextContradicted === undefined ? {} : { contradicted: nextContradicted }),
      // Nobody looked for the spare key in sets of others.
      ...(state.published ? {} : { nextContradicted: {} }),
    },
    waits: [],
    rotatedOut: state.current,
  };
}
