/** The change of the hosts' key to one of another algorithm: the next key is made anew, and then the hosts are moved to it. */
import { adoptedWith } from '../dane/adoption.ts';
import { everywhere, type RolloverFacts, withNext } from '../dane/keystate.ts';
import { tlsaOfKey } from '../dane/tlsa.ts';
import type { DesiredExchanger } from '../desired/exchanger.ts';
import { wantedNow } from './rotation.ts';
import type { ExchangerState, StoredKey } from './state.ts';

type Wish = Pick<DesiredExchanger, 'algorithm'>;

const isOf = ({ keys }: ExchangerState, spkiSha256: string, { algorithm }: Wish): boolean =>
  keys.some((key) => key.spkiSha256 === spkiSha256 && key.algorithm === algorithm);

/** Whether another next key is to be drawn, of the algorithm that is wanted now. */
export const isNextOfAnother = (wish: Wish, state: ExchangerState): boolean =>
  state.rollover.phase === 'Steady' && !isOf(state, state.rollover.next, wish);

/**
 * The state with a next key of the algorithm that is wanted, once every host presents the current one. Caches and hosts
 * may hold more than is known: the record of the next key before stays until they can't, as any that is not ours to give.
 */
export function withNextOf(
  wish: Wish,
  state: ExchangerState,
  drawn: StoredKey | undefined,
  facts: RolloverFacts,
): ExchangerState {
  const { rollover, keys, order } = state;
  if (drawn?.algorithm !== wish.algorithm || !isNextOfAnother(wish, state)) return state;
  // What is compromised goes as soon as it can: to the key that stands.
  if (facts.wanted === 'Compromised') return state;
  if (facts.held || !everywhere(rollover.current, facts) || order?.spkiSha256 === rollover.next) return state;
  const adopted = adoptedWith(rollover, [tlsaOfKey(rollover.next)]);
  return {
    ...state,
    keys: [...keys, drawn],
    rollover: { ...withNext(rollover, drawn.spkiSha256, facts), ...(rollover.published ? { adopted } : {}) },
  };
}

/** What the rollover is asked for: a spec that names another algorithm wants it as soon as caches know its key. */
export function wantedOf(
  desired: Pick<DesiredExchanger, 'algorithm' | 'rotation'>,
  state: ExchangerState,
  now: number,
): RolloverFacts['wanted'] {
  const { current, next } = state.rollover;
  const wanted = wantedNow(desired.rotation, state.rotation ?? { since: now }, current, now);
  if (wanted !== 'Nothing' && wanted !== 'Rotate') return wanted;
  const moves = !isOf(state, current, desired) && isOf(state, next, desired);
  return moves ? 'RotateNow' : wanted;
}
