/** One run: the life of a domain up to some scenario, with the operator killed at one spot of each, or at none. */
import { messageOf } from '../../src/errors.ts';
import { type Running, tail, waitFor } from '../lab/process.ts';
import { observeLane } from '../observer/lane.ts';
import type { Observer } from '../observer/observer.ts';
import type { Told } from '../observer/sightings.ts';
import { passDays } from './aging.ts';
import { joined, type Kill, type Spot } from './gate.ts';
import type { Ground, Lane } from './lane.ts';
import { clean, grant, secondOf } from './objects.ts';
import { plays, type Scenario, scenarios, type Stage, watchedObjects } from './scenarios.ts';
import { mxAddress } from './ways.ts';
import { createTestimony, type Testimony } from './witness.ts';
import { settledZone, type Zone } from './zone.ts';

export interface RunSpec {
  /** `r17.lane0.test`: in the zone already, with its MX host, and nobody else's. */
  readonly domain: string;
  /** They may come from an undisturbed run that goes on at the same time. */
  readonly kills: Readonly<Partial<Record<Scenario, Kill | Promise<Kill | undefined>>>>;
  /** The scenario after which the run ends. */
  readonly upTo: Scenario;
  /** What the zone holds after an undisturbed run; absent in that run itself. */
  readonly reference?: Readonly<Partial<Record<Scenario, Zone | Promise<Zone>>>> | undefined;
  /** Milliseconds between the looks of the observer, where it is not to look as often as usual. */
  readonly lookEveryMs?: number;
  /** Is told of each scenario as it ends. */
  readonly ended?: (scenario: Scenario, outcome: Outcome) => void;
}

export interface Outcome {
  readonly writes: readonly Spot[];
  readonly zone: Zone;
  readonly problems: readonly string[];
  /** Whether the operator was killed. */
  readonly struck: boolean;
  readonly seconds: number;
}

/** Bounds for a machine that has other things to do. */
const endMs = 120_000;
const quietMs = 1000;
const dayMs = 86_400_000;

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

/** @param told learns of the kill and of the start after it. */
export function createLife(lane: Lane, told: (told: Told) => void): Life {
  let operator: Running | undefined;
  let again = Promise.resolve();
  let restarting = false;
  const restart = async (): Promise<void> => {
    await operator?.ended;
    lane.gate.reopen();
    operator = lane.startOperator();
    restarting = false;
    told({ is: 'started' });
  };
  return {
    start: () => {
      operator ??= lane.startOperator();
    },
    kill: () => {
      operator?.signal('SIGKILL');
      told({ is: 'killed' });
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

/** Cleans the lane, and resolves with what came of each scenario; the observer looks on. */
export async function run(
  ground: Ground,
  lane: Lane,
  spec: RunSpec,
): Promise<Partial<Readonly<Record<Scenario, Outcome>>>> {
  await clean(lane);
  await grant(ground, lane, spec.domain);
  const testimony = createTestimony();
  const observer = await observe(ground, lane, spec.domain, spec.lookEveryMs);
  const life = createLife(lane, observer.told);
  const outcomes: Partial<Record<Scenario, Outcome>> = {};
  const wanted = scenarios.slice(0, scenarios.indexOf(spec.upTo) + 1);
  try {
    for (const scenario of wanted) {
      const outcome = await play({ ground, lane, spec, scenario, testimony, life, observer });
      outcomes[scenario] = outcome;
      spec.ended?.(scenario, outcome);
      if (outcome.problems.length > 0) break;
    }
  } finally {
    await life.stop();
    await observer.stop();
  }
  const last = outcomes[spec.upTo];
  if (last === undefined) return outcomes;
  return { ...outcomes, [spec.upTo]: { ...last, problems: [...new Set([...last.problems, ...observer.problems()])] } };
}

/** Has the observer look on from now on at a domain, at the one beside it and at their MX host. */
export function observe(ground: Ground, lane: Lane, domain: string, everyMs?: number): Promise<Observer> {
  const address = mxAddress(lane.index);
  return observeLane(ground, lane, {
    domains: [domain, secondOf(domain)],
    zones: [domain.slice(domain.indexOf('.') + 1)],
    hosts: [`mx.${domain}`, `smtp.${domain}`].map((host) => ({ host, address })),
    ...(everyMs === undefined ? {} : { everyMs }),
  });
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
  readonly observer: Observer;
}

const stageOf = ({ ground, lane, spec: { domain } }: Scene): Stage => ({ ground, lane, domain });

/** Time passes while no operator is at work. */
async function passTime(scene: Scene): Promise<void> {
  const { lane, scenario, life, observer } = scene;
  const { meanwhile, days } = plays[scenario];
  if (meanwhile === undefined && days === undefined) return;
  const stage = stageOf(scene);
  await life.stop();
  await meanwhile?.(stage);
  if (days !== undefined) {
    await passDays(lane.kube, days);
    const passed = scenarios.slice(0, scenarios.indexOf(scenario) + 1).map((one) => plays[one].days ?? 0);
    observer.told({ is: 'clock', aheadMs: passed.reduce((sum, one) => sum + one, 0) * dayMs });
  }
  await Promise.all([stage.domain, secondOf(stage.domain)].map((name) => stage.ground.forget(name)));
}

/** Plays one scenario from where the one before it ended. */
export async function play(scene: Scene): Promise<Outcome> {
  const { lane, spec, scenario, testimony, life, observer } = scene;
  const { gate } = lane;
  const spot = await spec.kills[scenario];
  const begin = performance.now();
  await passTime(scene);
  gate.arm({ spot, kill: life.kill, witness: joined(testimony, observer.wires()) });
  await plays[scenario].act?.(stageOf(scene));
  life.start();
  const problems = await untilEnd(scene);
  if (problems.length === 0) await untilQuiet(lane);
  if (gate.struck()) {
    await life.again();
    // A spot behind the end: what the second operator makes of it counts too.
    if (problems.length === 0) problems.push(...(await untilEnd(scene)));
    if (problems.length === 0) await untilQuiet(lane);
  }
  let zone: Zone = [];
  if (problems.length === 0) {
    const settled = await settledZone(spec.domain, secondOf(spec.domain), await spec.reference?.[scenario]);
    zone = settled.zone;
    problems.push(...settled.problems);
  }
  if (problems.length === 0) await observer.look().then(() => observer.told({ is: 'settled' }));
  problems.push(...testimony.problems(), ...orderProblems(scene), ...observer.problems());
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
