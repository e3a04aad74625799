/** A plan that would open an order is made once more with what CAA says of it: nobody looks at CAA for any other. */
import { observeCaa } from '../observe/caa.ts';
import type { ObservedCaa } from '../plan/caa.ts';
import type { World } from '../world.ts';

/** `plan` is called a second time only where what it gave first asks for CAA. */
export async function planOrderable<P>(
  world: Pick<World, 'issuerOf' | 'outside'>,
  issuer: string,
  plan: (caa: ObservedCaa | undefined) => P,
  asks: (plan: P) => readonly string[] | undefined,
): Promise<P> {
  const first = plan(undefined);
  const names = asks(first);
  if (names === undefined) return first;
  const api = await world.issuerOf(issuer);
  return api.kind === 'acme' ? plan(await observeCaa(world.outside, api.acme, names)) : first;
}
