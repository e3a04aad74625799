import { setTimeout as pause } from 'node:timers/promises';
import { createTerm, type MayWrite } from '../kube/guard.ts';
import type { Kube } from '../kube/types.ts';
import type { World } from '../world.ts';
import type { Controllers } from './controllers.ts';

/** Milliseconds that a write under way may take at the end: less than the Lease is still ours. Each is compared where it arrives. */
const mostMs = 5000;

export interface TermParts {
  readonly kube: Kube;
  readonly isLeader: () => boolean;
  readonly controllers: Pick<Controllers, 'run'>;
  readonly createWorld: (kube: Kube, mayWrite: MayWrite) => World;
}

/**
 * Looks at everything until `signal` aborts. Then nothing more is written: it resolves as soon as no write is under way,
 * and waits for no look. One that waits for a slow peer goes on by itself, and all that it would write is refused.
 */
export async function serveTerm(parts: TermParts, signal: AbortSignal): Promise<void> {
  const term = createTerm(parts.kube, parts.isLeader);
  const world = parts.createWorld(term.kube, term.mayWrite);
  await parts.controllers.run(world, signal);
  // What waits for company on its way to a zone is refused, too.
  const written = Promise.all([term.end(), world.zoneWriter.flush()]);
  await Promise.race([written, pause(mostMs, undefined, { ref: false })]);
}
