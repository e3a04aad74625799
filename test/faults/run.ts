/** One run: a domain that is new or whose spec changes, with the operator killed at one spot, or at none. */
import { conditionOf } from '../../src/api/conditions.ts';
import { apiVersion, type MailDomain, type MailExchanger } from '../../src/api/types.ts';
import { messageOf } from '../../src/errors.ts';
import type { KubeObject } from '../../src/kube/types.ts';
import { places } from '../lab/lab.ts';
import { type Running, tail, waitFor } from '../lab/process.ts';
import type { Kill, Spot } from './gate.ts';
import { type Ground, type Lane, tenant } from './lane.ts';
import { applyDomain, clean, grant, objectName, type Scenario, scenarios } from './objects.ts';
import { createTestimony, type Testimony } from './witness.ts';
import { readZone } from './zone.ts';

export interface RunSpec {
  /** `l0r17.kill.test`: in the zone already, with its MX host, and nobody else's. */
  readonly domain: string;
  readonly kills: Readonly<Partial<Record<Scenario, Kill>>>;
  /** The scenario after which the run ends. */
  readonly upTo: Scenario;
  /** What the zone holds after an undisturbed run; absent in that run itself. */
  readonly reference?: Readonly<Record<Scenario, readonly string[]>> | undefined;
}

export interface Outcome {
  readonly writes: readonly Spot[];
  readonly zone: readonly string[];
  readonly problems: readonly string[];
  /** Whether the operator was killed. */
  readonly struck: boolean;
  readonly seconds: number;
}

/** Bounds for a machine that has other things to do. */
const readyMs = 120_000;
const zoneMs = 30_000;
const quietMs = 1000;

/** The operator of a run: killed once, at the spot, and then started again. */
export interface Life {
  readonly start: () => void;
  /** What the gate calls at the spot. */
  readonly kill: () => void;
  /** Resolves when an operator that was killed runs again; at once where none was. */
  readonly again: () => Promise<void>;
  /** Why there is no operator, where nobody killed it. */
  readonly trouble: () => string | undefined;
  readonly stop: () => Promise<void>;
}

export function createLife(lane: Lane): Life {
  let operator: Running | undefined;
  let again = Promise.resolve();
  let restarting = false;
  const restart = async (): Promise<void> => {
    await operator?.ended;
    lane.gate.reopen();
    operator = lane.startOperator();
    restarting = false;
  };
  return {
    start: () => {
      operator ??= lane.startOperator();
    },
    kill: () => {
      operator?.signal('SIGKILL');
      restarting = true;
      again = restart();
    },
    again: () => again,
    trouble: () =>
      operator?.alive() === false && !restarting ? `the operator ended by itself: ${tail(operator.log, 3)}` : undefined,
    stop: async () => {
      await again;
      await operator?.stop(3000);
    },
  };
}

/** Cleans the lane, and resolves with what came of each scenario. */
export async function run(
  ground: Ground,
  lane: Lane,
  spec: RunSpec,
): Promise<Partial<Readonly<Record<Scenario, Outcome>>>> {
  await clean(lane);
  await grant(ground, lane, spec.domain);
  const testimony = createTestimony({ domain: spec.domain, policyServers: lane.policyServers });
  const life = createLife(lane);
  const outcomes: Partial<Record<Scenario, Outcome>> = {};
  try {
    for (const scenario of scenarios.slice(0, scenarios.indexOf(spec.upTo) + 1)) {
      const outcome = await play({ lane, spec, scenario, testimony, life });
      outcomes[scenario] = outcome;
      if (outcome.problems.length > 0) break;
    }
  } finally {
    await life.stop();
  }
  return outcomes;
}

export interface Scene {
  readonly lane: Lane;
  readonly spec: RunSpec;
  readonly scenario: Scenario;
  readonly testimony: Testimony;
  readonly life: Life;
}

export async function play(scene: Scene): Promise<Outcome> {
  const { lane, spec, scenario, testimony, life } = scene;
  lane.gate.arm({ spot: spec.kills[scenario], kill: life.kill, witness: testimony });
  const begin = performance.now();
  await applyDomain(lane, spec.domain, scenario);
  life.start();
  const problems = await untilReady(scene);
  if (problems.length === 0) await untilQuiet(lane);
  if (lane.gate.struck()) {
    await life.again();
    // A spot behind Ready: what the second operator makes of it counts too.
    if (problems.length === 0) problems.push(...(await untilReady(scene)));
    if (problems.length === 0) await untilQuiet(lane);
  }
  const zone = problems.length === 0 ? await settledZone(scene, problems) : [];
  problems.push(...testimony.problems(), ...orderProblems(testimony, scenario));
  const seconds = (performance.now() - begin) / 1000;
  return { writes: lane.gate.seen(), zone, problems, struck: lane.gate.struck(), seconds };
}

/** Resolves when nothing was written for a while. */
async function untilQuiet({ gate }: Lane): Promise<void> {
  let [count, since] = [-1, performance.now()];
  await waitFor('nothing more is written', () => {
    if (gate.seen().length !== count) [count, since] = [gate.seen().length, performance.now()];
    return performance.now() - since > quietMs;
  });
}

/** Certificates of the scenarios so far: host and policy, and the host's again with a further name. */
const certificates: Readonly<Record<Scenario, number>> = { 'new-domain': 2, 'spec-change': 3 };

/** I6: the order that is stored is gone on with; only one that could not be stored any more is lost. */
function orderProblems(testimony: Testimony, scenario: Scenario): readonly string[] {
  const wanted = certificates[scenario];
  const [orders, finalized] = [testimony.accepted('acme order-plz'), testimony.accepted('acme finalize-order')];
  const most = wanted + Object.keys(certificates).length;
  return [
    ...(finalized === wanted ? [] : [`${finalized} orders were finalized for ${wanted} certificates`]),
    ...(orders <= most ? [] : [`${orders} orders were opened for ${wanted} certificates`]),
  ];
}

async function untilReady({ lane, spec: { domain }, scenario, testimony, life }: Scene): Promise<string[]> {
  const get = async <T extends KubeObject>(kind: string): Promise<T | undefined> =>
    lane.kube.get<T>({ apiVersion, kind, namespace: tenant, name: objectName });
  const problems = new Set<string>();
  let last: MailDomain | undefined;
  try {
    await waitFor(
      `${domain} is Ready (${scenario})`,
      async () => {
        const trouble = life.trouble();
        if (trouble !== undefined) return problems.add(trouble).size;
        last = await get<MailDomain>('MailDomain');
        const exchanger = await get<MailExchanger>('MailExchanger');
        for (const { type, reason, message } of [last, exchanger].flatMap((one) => one?.status?.conditions ?? [])) {
          if (reason === 'Conflict') problems.add(`${type} Conflict: ${message}`);
        }
        const ready = conditionOf(last?.status?.conditions, 'Ready');
        // A domain is Ready while the host's certificate with a further name is still on its way.
        const issued = testimony.accepted('acme finalize-order') >= certificates[scenario];
        return issued && ready?.status === 'True' && ready.observedGeneration === last?.metadata.generation;
      },
      { timeoutMs: readyMs, everyMs: 150 },
    );
  } catch (error) {
    const said = (last?.status?.conditions ?? []).map(({ type, status, reason, message }) =>
      [type, status, reason, message].join(' '),
    );
    problems.add(`${messageOf(error)}: ${said.join('; ')}`);
  }
  return [...problems];
}

/** What stands in the end; a difference from the reference is added to `problems`. */
async function settledZone({ spec, scenario }: Scene, problems: string[]): Promise<readonly string[]> {
  // A challenge that has served goes with the next batch, whenever that is.
  const lasting = async (): Promise<readonly string[]> =>
    (await readZone(places.primary.v4, spec.domain)).filter((line) => !line.startsWith('_acme-challenge.'));
  const reference = spec.reference?.[scenario];
  let zone = await lasting();
  if (reference === undefined) return zone;
  const same = async (): Promise<boolean> => {
    zone = await lasting();
    return zone.join('\n') === reference.join('\n');
  };
  try {
    await waitFor(`the zone of ${spec.domain} is as in an undisturbed run`, same, { timeoutMs: zoneMs, everyMs: 250 });
  } catch (error) {
    const extra = zone.filter((line) => !reference.includes(line)).map((line) => `+ ${line}`);
    const missing = reference.filter((line) => !zone.includes(line)).map((line) => `- ${line}`);
    problems.push(`${messageOf(error)}: ${[...missing, ...extra].join(', ')}`);
  }
  return zone;
}
