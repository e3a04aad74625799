/** TLSA values that stood before us, beside those of our keys. */
import { ripeAt } from './keystate.ts';
import type { RolloverFacts, RolloverState, RolloverWait } from './keystate.ts';
import { tlsaOfKey } from './tlsa.ts';

/** The values that stand for the keys of this state. */
export function ours(state: RolloverState): readonly string[] {
  const spare = state.spare === undefined ? [] : [state.spare];
  return [...new Set([state.current, state.next, ...spare].map(tlsaOfKey))].sort();
}

/** What is published: ours, and what was there before us as long as it is needed. */
export function withAdopted(state: RolloverState): readonly string[] {
  return [...new Set([...ours(state), ...(state.adopted ?? [])])].sort();
}

/** The values that stay though they are not of our present keys, with more of them. */
export const adoptedWith = ({ adopted = [] }: RolloverState, more: readonly string[]): readonly string[] =>
  [...new Set([...adopted, ...more])].sort();

export const without = (values: readonly string[], others: readonly string[]): readonly string[] =>
  values.filter((value) => !others.includes(value));

/** What stands, and is not ours, in the sets that the administrator lets us take over before anything of ours is published. */
export function givenValues(state: RolloverState, facts: RolloverFacts): readonly string[] {
  if (!facts.adopt) return [];
  const secure = facts.live.filter((set) => set.outcome === 'Secure').flatMap((set) => set.values);
  return without([...new Set(secure)].sort(), ours(state));
}

/** Says what would become of the sets that are given to us, were the rollover not held. */
export function heldUnion(union: RolloverState): RolloverWait {
  const values = withAdopted(union).join(' | ');
  return { reason: 'Suspended', message: `Held: the TLSA sets that are given to Mailseal would become ${values}.` };
}

/** Until when the values that stood before us stay. */
export function adoptedWait(facts: RolloverFacts, since: number = facts.now): RolloverWait {
  const until = ripeAt(facts, since, facts.gateMs);
  const message = `What stood in the TLSA sets before Mailseal goes after ${new Date(until).toISOString()}.`;
  return { reason: 'Waiting', message, until };
}
