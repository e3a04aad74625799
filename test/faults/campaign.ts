/**
 * Every external write of every scenario, found in an undisturbed run, and then one run for each of them and each
 * moment, in which the operator is killed there. A kill is named `new-domain:32:before`, by the write's place in the
 * undisturbed run; what goes on at the same time may change places from one campaign to the next, and so each has a
 * steady name too: `new-domain:update dns#2:before`.
 */
import { type Moment, moments, type Spot } from './gate.ts';
import { domainOf, startGround } from './ground.ts';
import { type Ground, type Lane, startLane } from './lane.ts';
import { type Outcome, run } from './run.ts';
import { plays, type Scenario, scenarios } from './scenarios.ts';
import {
  broken,
  isMissed,
  judged,
  type NamedKill,
  type Outcomes,
  type Result,
  shortcomings,
  verdicts,
} from './verdicts.ts';

export interface CampaignSpec {
  /** State directory, inside the namespaces of a lab. */
  readonly dir: string;
  /** Kills of each scenario; all when absent. They are spread evenly over writes and moments, and need two lanes. */
  readonly sample?: number | undefined;
  /** The one kill that is wanted, by either of its names; it needs two lanes. */
  readonly only?: string | undefined;
  readonly lanes: number;
  readonly say: (line: string) => void;
}

export interface CampaignResult {
  readonly figures: Readonly<Record<string, number>>;
  /** In lines: kills that were not survived, spots that were never met. */
  readonly shortcomings: readonly string[];
}

/** How often a kill is tried whose spot is not met: what goes on at the same time is not the same in every run. */
const tries = 3;
/** Runs that all lanes have room for: more than one scenario has writes and moments, failures included. */
const mostRuns = 400;
/** Where many lanes are looked at: looking costs more than what is looked at. */
const lookEveryMs = 1000;

const lastScenario: Scenario = scenarios.at(-1) ?? 'new-domain';

export async function runCampaign(spec: CampaignSpec): Promise<CampaignResult> {
  const began = performance.now();
  const { dir, lanes: count, only, sample } = spec;
  if (only !== undefined && scenarioOf(only) === undefined)
    throw new Error(`there is no scenario of ${only}; there are ${scenarios.join()}`);
  const few = only === undefined ? sample : 1;
  const runs = few === undefined ? Math.ceil(mostRuns / count) : few * tries + 1;
  const ground = await startGround(dir, { lanes: count, runs });
  const lanes: Lane[] = [];
  try {
    const starts = Array.from({ length: count }, (_, lane) =>
      startLane(ground, lane).then((one) => (lanes[lane] = one)),
    );
    await Promise.all(starts);
    const { writes, results } =
      few === undefined ? await killEverywhere(ground, lanes, spec) : await killSome(ground, lanes, few, spec);
    const figures = {
      ...writes,
      kills: results.filter(({ struck }) => struck).length,
      failures: results.filter(({ failure }) => failure !== undefined).length,
      'spots not met': results.filter(isMissed).length,
      seconds: Math.round((performance.now() - began) / 1000),
    };
    return { figures, shortcomings: shortcomings(results) };
  } finally {
    await Promise.all(lanes.map((lane) => lane.stop()));
    await ground.stop();
  }
}

interface Toll {
  /** How many there are, by scenario. */
  readonly writes: Readonly<Record<string, number>>;
  readonly results: readonly Result[];
}

function laneAt(lanes: readonly Lane[], index: number): Lane {
  const lane = lanes[index];
  if (lane === undefined) throw new Error(`there is no lane ${index}`);
  return lane;
}

async function undisturbed(
  ground: Ground,
  lane: Lane,
  { say, only }: CampaignSpec,
  ended: (scenario: Scenario, outcome: Outcome) => void = () => undefined,
): Promise<Outcomes> {
  const upTo = scenarioOf(only ?? '') ?? lastScenario;
  const outcomes = await run(ground, lane, {
    domain: domainOf(0, 0),
    kills: {},
    upTo,
    ended,
  });
  for (const scenario of scenarios) {
    const outcome = outcomes[scenario];
    if (outcome === undefined) continue;
    const { problems, writes, seconds } = outcome;
    const orders = writes.filter(({ what }) => what === 'acme order-plz').length;
    const { certificates } = plays[scenario];
    const wrong = [
      ...problems,
      ...(orders === certificates ? [] : [`${orders} orders for ${certificates} certificates`]),
    ];
    if (wrong.length > 0) throw new Error(`undisturbed, ${scenario} fails: ${wrong.join('; ')}`);
    say(`${scenario}, undisturbed: ${writes.length} writes in ${seconds.toFixed(1)} s`);
    writes.forEach(({ what, turn }, index) => say(`  ${index + 1} ${what} (${turn})`));
  }
  return outcomes;
}

const writesOf = (outcomes: Outcomes): Toll['writes'] =>
  Object.fromEntries(Object.entries(outcomes).map(([name, { writes }]) => [`writes of ${name}`, writes.length]));

/** The scenario that a kill belongs to, by either of its names. */
const scenarioOf = (name: string): Scenario | undefined =>
  scenarios.find((scenario) => name.startsWith(`${scenario}:`));

function killsOf(scenario: Scenario, { writes }: Outcome): readonly NamedKill[] {
  return writes.flatMap((spot: Spot, index) =>
    moments.map((moment: Moment) => ({
      ...spot,
      moment,
      scenario,
      name: `${scenario}:${index + 1}:${moment}`,
      steady: `${scenario}:${spot.what}#${spot.turn}:${moment}`,
    })),
  );
}

/** Some runs on one lane while the undisturbed one is played on the other, scenario by scenario behind it. */
async function killSome(ground: Ground, lanes: readonly Lane[], runs: number, spec: CampaignSpec): Promise<Toll> {
  const endings = scenarios.map((scenario) => [scenario, Promise.withResolvers<Outcome>()] as const);
  const ended = new Map(endings.map(([scenario, { resolve }]) => [scenario, resolve]));
  const behind = <T>(make: (scenario: Scenario, outcome: Outcome) => T): Partial<Record<Scenario, Promise<T>>> =>
    Object.fromEntries(
      endings.map(([scenario, { promise }]) => [scenario, promise.then((outcome) => make(scenario, outcome))]),
    );
  const kill = async (): Promise<readonly Result[]> => {
    const results: Result[] = [];
    for (let turn = 0; turn < runs; turn += 1) {
      const picked: NamedKill[] = [];
      const outcomes = await run(ground, laneAt(lanes, 1), {
        domain: domainOf(1, turn),
        kills: behind((scenario, outcome) => {
          const one =
            spec.only === undefined ? sampled(scenario, outcome, turn, runs) : named(scenario, outcome, spec.only);
          if (one !== undefined) picked.push(one);
          return one;
        }),
        upTo: scenarioOf(spec.only ?? '') ?? lastScenario,
        reference: behind((_, { zone }) => zone),
      });
      for (const [one, outcome] of verdicts(picked, outcomes)) {
        if (outcome !== undefined) results.push(judged(one, outcome, spec.say));
      }
    }
    return results;
  };
  const reference = undisturbed(ground, laneAt(lanes, 0), spec, (scenario, outcome) => ended.get(scenario)?.(outcome));
  const [outcomes, first] = await Promise.all([reference, kill()]);
  const missed = first.filter(isMissed).map((result) => result.kill);
  const work = workOf(outcomes, missed, 1);
  const again = await drive({ ground, lane: laneAt(lanes, 1), index: 1, from: runs }, work, spec);
  return { writes: writesOf(outcomes), results: [...first.filter((result) => !isMissed(result)), ...again] };
}

/** Spots at even distances, and at each the next moment: all three are met whatever the distance. */
function sampled(scenario: Scenario, outcome: Outcome, turn: number, runs: number): NamedKill | undefined {
  const spot = Math.floor(((turn + 0.5) * outcome.writes.length) / runs);
  const moment = (turn + scenarios.indexOf(scenario)) % moments.length;
  return killsOf(scenario, outcome)[spot * moments.length + moment];
}

function named(scenario: Scenario, outcome: Outcome, wanted: string): NamedKill | undefined {
  if (scenario !== scenarioOf(wanted)) return undefined;
  const all = killsOf(scenario, outcome);
  const found = all.find(({ name, steady }) => name === wanted || steady === wanted);
  if (found === undefined)
    throw new Error(`there is no kill ${wanted}: they go from ${all[0]?.name} to ${all.at(-1)?.name}`);
  return found;
}

interface Work {
  readonly todo: ReadonlyMap<Scenario, NamedKill[]>;
  /** How often each was tried. */
  readonly tried: Map<NamedKill, number>;
  /** What the zone holds after an undisturbed run. */
  readonly zones: Readonly<Partial<Record<Scenario, Outcome['zone']>>>;
}

function workOf(reference: Outcomes, kills: readonly NamedKill[], tried: number): Work {
  const zones = scenarios.flatMap((scenario) => {
    const zone = reference[scenario]?.zone;
    return zone === undefined ? [] : [[scenario, zone] as const];
  });
  return {
    todo: Map.groupBy(kills, ({ scenario }) => scenario),
    tried: new Map(kills.map((kill) => [kill, tried])),
    zones: Object.fromEntries(zones),
  };
}

interface Place {
  readonly ground: Ground;
  readonly lane: Lane;
  readonly index: number;
  /** Of its runs. */
  readonly from: number;
}

async function killEverywhere(ground: Ground, lanes: readonly Lane[], spec: CampaignSpec): Promise<Toll> {
  const reference = await undisturbed(ground, laneAt(lanes, 0), spec);
  const kills = scenarios.flatMap((scenario) => {
    const outcome = reference[scenario];
    return outcome === undefined ? [] : killsOf(scenario, outcome);
  });
  const work = workOf(reference, kills, 0);
  const results = await Promise.all(lanes.map((lane, index) => drive({ ground, lane, index, from: 1 }, work, spec)));
  return { writes: writesOf(reference), results: results.flat() };
}

/** A run takes a kill of each scenario; when a scenario fails, those of the later ones go to another run. */
async function drive({ ground, lane, index, from }: Place, work: Work, spec: CampaignSpec): Promise<readonly Result[]> {
  const { todo, tried, zones } = work;
  const results: Result[] = [];
  const next = (): readonly NamedKill[] => scenarios.flatMap((scenario) => todo.get(scenario)?.pop() ?? []);
  for (let turn = from, kills = next(); kills.length > 0; turn += 1, kills = next()) {
    const outcomes = await run(ground, lane, {
      domain: domainOf(index, turn),
      kills: Object.fromEntries(kills.map((kill) => [kill.scenario, kill])),
      upTo: kills.at(-1)?.scenario ?? lastScenario,
      reference: zones,
      lookEveryMs,
    }).catch((error: unknown) => broken(kills, error));
    for (const [kill, outcome] of verdicts(kills, outcomes)) {
      const times = (tried.get(kill) ?? 0) + 1;
      const missed = outcome !== undefined && outcome.problems.length === 0 && !outcome.struck;
      if (missed) tried.set(kill, times);
      if (outcome === undefined || (missed && times < tries)) todo.get(kill.scenario)?.unshift(kill);
      else results.push(judged(kill, outcome, spec.say));
    }
  }
  return results;
}
