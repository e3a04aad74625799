/** One run: the life of a domain up to some scenario, with the operator killed at one spot of each, or at none. */
import { messageOf } from '../../src/errors.ts';
import { places } from '../lab/lab.ts';
import { type Running, tail, waitFor } from '../lab/process.ts';
import type { Kill, Spot } from './gate.ts';
import { type Ground, type Lane, operatorNamespace, tenant } from './lane.ts';
import { clean, grant, secondOf } from './objects.ts';
import { plays, type Scenario, scenarios, secretsOf, type Stage, watchedObjects } from './scenarios.ts';
import { createTestimony, type Testimony } from './witness.ts';
import { readZone } from './zone.ts';

export interface RunSpec {
  /** `l0r17.kill.test`: in the zone already, with its MX host, and nobody else's. */
  readonly domain: string;
  readonly kills: Readonly<Partial<Record<Scenario, Kill>>>;
  /** The scenario after which the run ends. */
  readonly upTo: Scenario;
  /** What the zone holds after an undisturbed run; absent in that run itself. */
  readonly reference?: Readonly<Partial<Record<Scenario, readonly string[]>>> | undefined;
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
const endMs = 120_000;
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
      operator = undefined;
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
  const testimony = createTestimony(lane.policyServers);
  const life = createLife(lane);
  const outcomes: Partial<Record<Scenario, Outcome>> = {};
  try {
    for (const scenario of scenarios.slice(0, scenarios.indexOf(spec.upTo) + 1)) {
      const outcome = await play({ ground, lane, spec, scenario, testimony, life });
      outcomes[scenario] = outcome;
      if (outcome.problems.length > 0) break;
    }
  } finally {
    await life.stop();
  }
  return outcomes;
}

export interface Scene {
  readonly ground: Ground;
  readonly lane: Lane;
  readonly spec: RunSpec;
  readonly scenario: Scenario;
  readonly testimony: Testimony;
  readonly life: Life;
  /** Milliseconds until it must be Ready; two minutes when absent. */
  readonly patienceMs?: number | undefined;
}

const stageOf = ({ ground, lane, spec: { domain } }: Scene): Stage => ({ ground, lane, domain });

/** Plays one scenario from where the one before it ended. */
export async function play(scene: Scene): Promise<Outcome> {
  const { lane, spec, scenario, testimony, life } = scene;
  const stage = stageOf(scene);
  const { gate } = lane;
  const { meanwhile, act } = plays[scenario];
  const begin = performance.now();
  if (meanwhile !== undefined) {
    await life.stop();
    await meanwhile(stage);
    await Promise.all([stage.domain, secondOf(stage.domain)].map((name) => stage.ground.forget(name)));
  }
  const standing = [operatorNamespace, tenant].map((namespace) => secretsOf(lane, namespace));
  testimony.begin((await Promise.all(standing)).flat());
  gate.arm({ spot: spec.kills[scenario], kill: life.kill, witness: testimony });
  await act?.(stage);
  life.start();
  const problems = await untilEnd(scene);
  if (problems.length === 0) await untilQuiet(lane);
  if (gate.struck()) {
    await life.again();
    // A spot behind the end: what the second operator makes of it counts too.
    if (problems.length === 0) problems.push(...(await untilEnd(scene)));
    if (problems.length === 0) await untilQuiet(lane);
  }
  const zone = problems.length === 0 ? await settledZone(scene, problems) : [];
  problems.push(...testimony.problems(), ...orderProblems(scene));
  const seconds = (performance.now() - begin) / 1000;
  return { writes: gate.seen(), zone, problems, struck: gate.struck(), seconds };
}

/** Resolves when nothing was written for a while. */
async function untilQuiet({ gate }: Lane): Promise<void> {
  let [count, since] = [-1, performance.now()];
  await waitFor('nothing more is written', () => {
    if (gate.seen().length !== count) [count, since] = [gate.seen().length, performance.now()];
    return performance.now() - since > quietMs;
  });
}

/** How many certificates the scenarios up to this one ask for. */
const certificatesUpTo = (scenario: Scenario): number =>
  scenarios.slice(0, scenarios.indexOf(scenario) + 1).reduce((sum, one) => sum + plays[one].certificates, 0);

/** I6: the order that is stored is gone on with; only one that could not be stored any more is lost. */
function orderProblems({ scenario, testimony }: Scene): readonly string[] {
  const wanted = certificatesUpTo(scenario);
  const [orders, finalized] = [testimony.accepted('acme order-plz'), testimony.accepted('acme finalize-order')];
  return [
    ...(finalized === wanted ? [] : [`${finalized} orders were finalized for ${wanted} certificates`]),
    ...(orders <= 2 * wanted ? [] : [`${orders} orders were opened for ${wanted} certificates`]),
  ];
}

/** What no object may say in these scenarios: nobody else is there, and nothing unexpected happens. */
const dishonest = new Set(['Conflict', 'InternalError', 'StateUnreadable']);

async function untilEnd(scene: Scene): Promise<string[]> {
  const { scenario, testimony, life } = scene;
  const [stage, certificates] = [stageOf(scene), certificatesUpTo(scenario)];
  const problems = new Set<string>();
  let open: string | undefined;
  try {
    await waitFor(
      `${scenario} of ${stage.domain} ends`,
      async () => {
        const trouble = life.trouble();
        if (trouble !== undefined) return problems.add(trouble).size;
        for (const { type, reason, message } of await conditionsOf(stage)) {
          if (dishonest.has(reason)) problems.add(`${type} ${reason}: ${message}`);
        }
        open = await plays[scenario].missing(stage);
        // A domain is Ready while the host's certificate with a further name is still on its way.
        return open === undefined && testimony.accepted('acme finalize-order') >= certificates;
      },
      { timeoutMs: scene.patienceMs ?? endMs, everyMs: 150 },
    );
  } catch (error) {
    const said = (await conditionsOf(stage)).map(({ type, status, reason, message }) =>
      [type, status, reason, message].join(' '),
    );
    problems.add(`${messageOf(error)}: ${[open ?? 'a certificate is missing', ...said].join('; ')}`);
  }
  return [...problems];
}

const conditionsOf = async (stage: Stage) =>
  (await watchedObjects(stage)).flatMap(({ status }) => status?.conditions ?? []);

/** Of both domains; a challenge that has served goes with the next batch, whenever that is. */
async function lastingZone(domain: string): Promise<readonly string[]> {
  const zones = await Promise.all([domain, secondOf(domain)].map((one) => readZone(places.primary.v4, one)));
  const [first = [], second = []] = zones;
  const lines = [...first, ...second.map((line) => line.replaceAll('DOMAIN', 'SECOND').replaceAll(domain, 'DOMAIN'))];
  return lines.filter((line) => !line.startsWith('_acme-challenge.'));
}

/** What stands in the end; a difference from the reference is added to `problems`. */
async function settledZone({ spec, scenario }: Scene, problems: string[]): Promise<readonly string[]> {
  const reference = spec.reference?.[scenario];
  let zone = await lastingZone(spec.domain);
  if (reference === undefined) return zone;
  const same = async (): Promise<boolean> => {
    zone = await lastingZone(spec.domain);
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
