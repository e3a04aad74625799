/** What a row of the table is: something bad that happens to an operator at work, and what must hold all the same. */
import { apiVersion } from '../../../src/api/types.ts';
import type { Proxy } from '../../kube/proxy.ts';
import { type Running, waitFor } from '../../lab/process.ts';
import { tenant } from '../cluster.ts';
import type { Ground, Lane, OperatorOptions } from '../lane.ts';
import { objectName } from '../objects.ts';
import type { Scenario } from '../scenarios.ts';
import type { Witness } from '../gate.ts';
import type { Observer } from '../../observer/observer.ts';
import type { Invariant } from '../../observer/sightings.ts';
import type { Life } from '../run.ts';
import type { Testimony } from '../witness.ts';

export interface Fault {
  /** For `--only`: `watch-events-dropped`. */
  readonly name: string;
  /** In words, as a row of the table says it. */
  readonly fault: string;
  /** What must hold, as a sentence. */
  readonly holds: string;
  /** What the fault breaks by itself, whatever an operator does, and why: the observer does not judge it. */
  readonly excuses?: Readonly<Partial<Record<Invariant, string>>>;
  /** One of the few that `npm test` plays. */
  readonly quick?: boolean;
  /** Resolves with what did not hold; to reject says the same. */
  readonly play: (stage: Stage) => Promise<readonly string[]>;
}

/** A lane of its own for one fault: nothing in its cluster but the grants, no operator yet, a domain that is new. */
export interface Stage {
  readonly ground: Ground;
  readonly lane: Lane;
  /** In the zone already, with its MX host. */
  readonly domain: string;
  /** A further domain, which is in the zone with its MX host too. */
  readonly another: () => string;
  /** What it saw of all writes so far. */
  readonly testimony: Testimony;
  /** Looks on from before the row's first moment until after its last. */
  readonly observer: Observer;
  /** For the gate of an operator that `converge` does not start: both of these. */
  readonly witness: Witness;
  /** The operator without election; whoever starts others ends them. */
  readonly life: Life;
  /** The operator of `life` that was started last. */
  readonly operator: () => Running | undefined;
  /** What the operators of `life` that are started from now on have of their own. */
  readonly dress: (options: OperatorOptions) => void;
  /**
   * Applies what the scenario says (nothing, when it was applied before), starts the operator if none runs, and
   * resolves with what is not as in an undisturbed run once it is Ready and nothing more is written.
   */
  readonly converge: (scenario: Scenario, patienceMs?: number) => Promise<readonly string[]>;
  /** Takes all faults off the ways of the lane. */
  readonly clear: () => void;
  /** The same with another cluster of this lane; what was started on this one ends, its observer too. */
  readonly move: (to: Lane) => Promise<Stage>;
  /** What the row started ends with it. */
  readonly atEnd: (stop: () => Promise<void>) => void;
}

/** Takes all faults out of a proxy. */
export function calm(proxy: Proxy): void {
  proxy.setFault(() => undefined);
  proxy.setLines((line) => [line]);
}

/** What most faults must come to. */
export const asUndisturbed = 'Ready; zone, keys and orders as in an undisturbed run';

/** A fault that did not happen proves nothing. */
export const happened = (times: number): readonly string[] => (times > 0 ? [] : ['the fault did not happen']);

/** How many orders were opened so far. */
export const ordersOf = ({ testimony }: Stage): number => testimony.accepted('acme order-plz');

/** Resolves once more orders were opened than `before`. */
export async function orderOpened(stage: Stage, before = 0): Promise<void> {
  await waitFor('an order was opened', () => ordersOf(stage) > before, { everyMs: 20 });
}

/** Somebody else changes the world: what stands then is his, until the operator has looked again. */
export async function byOthers({ observer }: Stage, change: () => unknown): Promise<void> {
  observer.told({ is: 'changed-by-others' });
  await change();
  observer.told({ is: 'changed-by-others' });
}

/** Someone wants to know: a look that does not wait for its turn. */
export async function ask({ lane }: Stage): Promise<void> {
  const stamp = new Date().toISOString();
  for (const kind of ['MailDomain', 'MailExchanger']) {
    const ref = { apiVersion, kind, namespace: tenant, name: objectName };
    await lane.kube.annotate(ref, { 'mailseal.dev/requested-at': stamp });
  }
}
