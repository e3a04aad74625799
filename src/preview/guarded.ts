import type { MailDomain, MailExchanger } from '../api/types.ts';
import type { Change } from '../plan/change.ts';
import type { State } from '../plan/state.ts';
import { labelOf } from '../reconcile/common.ts';
import type { World } from '../world.ts';
import type { ObjectPreview } from './preview.ts';

/** What the guard against mass changes would hold back, as far as it can be told from the objects that are planned. */
export function guarded<T extends Pick<ObjectPreview, 'waits'>>(
  world: Pick<World, 'cache' | 'ledger'>,
  object: MailDomain | MailExchanger,
  plan: { readonly changes: readonly Change[]; readonly state: Pick<State, 'applied'> },
  planned: T,
): T {
  const owner = labelOf(object);
  world.ledger.note(owner, plan.state.applied);
  const grantOf = (name: string) => world.cache.providers().find(({ metadata }) => metadata.name === name);
  const { refused } = world.ledger.admit({ owner, changes: plan.changes, wasRefused: false }, grantOf);
  return {
    ...planned,
    waits: [...refused.map((why) => ({ what: `of these objects alone: ${why}` })), ...planned.waits],
  };
}
