/**
 * Every external write of every scenario, found in an undisturbed run, and then one run for each of them and each
 * moment, in which the operator is killed there. A kill is named `new-domain:32:before`, by the write's place in the
 * undisturbed run; what goes on at the same time may change places from one campaign to the next, and so each has a
 * steady name too: `new-domain:update dns#2:before`.
 */
import { messageOf } from '../../src/errors.ts';
import { type Kill, type Moment, moments, type Spot } from './gate.ts';
import { domainOf, startGround } from './ground.ts';
import { type Ground, type Lane, startLane } from './lane.ts';
import { type Outcome, run } from './run.ts';
import { plays, type Scenario, scenarios } from './scenarios.ts';

export interface CampaignSpec {
  /** State directory, inside the namespaces of a lab. */
  readonly dir: string;
  /** Kills of each scenario; all when absent. They are spread evenly over writes and moments. */
  readonly sample?: number | undefined;
  /** The one kill that is wanted, by either of its names. */
  readonly only?: string | undefined;
  readonly lanes: number;
  readonly say: (line: string) => void;
}

export interface Failure {
  readonly name: string;
  readonly steady: string;
  readonly problems: readonly string[];
}

export interface CampaignResult {
  readonly figures: Readonly<Record<string, number>>;
  readonly failures: readonly Failure[];
}

interface NamedKill extends Kill {
  readonly name: string;
  readonly steady: string;
  readonly scenario: Scenario;
}

type Outcomes = Readonly<Partial<Record<Scenario, Outcome>>>;
type Reference = readonly (readonly [Scenario, Outcome])[];

/** Runs that one lane has room for: more than there are writes and moments. */
const runsOfLane = 400;

export async function runCampaign(spec: CampaignSpec): Promise<CampaignResult> {
  const began = performance.now();
  const ground = await startGround(spec.dir, { lanes: spec.lanes, runs: runsOfLane });
  const lanes: Lane[] = [];
  try {
    lanes.push(await startLane(ground, 0));
    const reference = await undisturbed(ground, lanes[0], spec);
    const wanted = chosen(killsOf(reference), spec);
    for (let lane = 1; lane < spec.lanes; lane += 1) lanes.push(await startLane(ground, lane));
    const results = await killEach(ground, lanes, { spec, reference, wanted });
    const failures = results.flatMap(({ failure }) => failure ?? []);
    const seconds = Math.round((performance.now() - began) / 1000);
    const figures = {
      ...Object.fromEntries(reference.map(([name, { writes }]) => [`writes of ${name}`, writes.length])),
      kills: results.filter(({ struck }) => struck).length,
      failures: failures.length,
      'spots not met': results.filter(({ struck }) => !struck).length,
      seconds,
    };
    return { figures, failures };
  } finally {
    await Promise.all(lanes.map((lane) => lane.stop()));
    await ground.stop();
  }
}

/** The scenario that a kill belongs to, by either of its names. */
const scenarioOf = (name: string): Scenario | undefined =>
  scenarios.find((scenario) => name.startsWith(`${scenario}:`));

async function undisturbed(ground: Ground, lane: Lane | undefined, { say, only }: CampaignSpec): Promise<Reference> {
  if (lane === undefined) throw new Error('a campaign needs a lane');
  const upTo = scenarioOf(only ?? '') ?? scenarios[scenarios.length - 1] ?? 'new-domain';
  const outcomes = await run(ground, lane, { domain: domainOf(0, 0), kills: {}, upTo });
  const played = scenarios.flatMap((scenario) => {
    const outcome = outcomes[scenario];
    return outcome === undefined ? [] : [[scenario, outcome] as const];
  });
  for (const [scenario, { problems, writes, seconds }] of played) {
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
  return played;
}

function killsOf(reference: Reference): readonly NamedKill[] {
  return reference.flatMap(([scenario, { writes }]) =>
    writes.flatMap((spot: Spot, index) =>
      moments.map((moment: Moment) => ({
        ...spot,
        moment,
        scenario,
        name: `${scenario}:${index + 1}:${moment}`,
        steady: `${scenario}:${spot.what}#${spot.turn}:${moment}`,
      })),
    ),
  );
}

function chosen(all: readonly NamedKill[], { only, sample }: CampaignSpec): readonly NamedKill[] {
  if (only !== undefined) {
    const found = all.filter(({ name, steady }) => name === only || steady === only);
    if (found.length === 0)
      throw new Error(`there is no kill ${only}: they go from ${all[0]?.name} to ${all.at(-1)?.name}`);
    return found;
  }
  if (sample === undefined) return all;
  return scenarios.flatMap((scenario, nth) => {
    const kills = all.filter((kill) => kill.scenario === scenario);
    const spots = kills.length / moments.length;
    // Spots at even distances, and at each the next moment: all three are met whatever the distance.
    return Array.from({ length: Math.min(sample, spots) }, (_, index) => {
      const spot = Math.floor(((index + 0.5) * spots) / sample);
      return kills[spot * moments.length + ((index + nth) % moments.length)];
    }).filter((kill) => kill !== undefined);
  });
}

interface Result {
  readonly struck: boolean;
  readonly failure: Failure | undefined;
}

interface Work {
  readonly spec: CampaignSpec;
  readonly reference: Reference;
  readonly wanted: readonly NamedKill[];
}

/** How often a kill is tried whose spot is not met: what goes on at the same time is not the same in every run. */
const tries = 3;

/** A run takes a kill of each scenario; when a scenario fails, those of the later ones go to another run. */
async function killEach(
  ground: Ground,
  lanes: readonly Lane[],
  { spec, reference, wanted }: Work,
): Promise<readonly Result[]> {
  const todo = Map.groupBy(wanted, ({ scenario }) => scenario);
  const zones = Object.fromEntries(reference.map(([name, { zone }]) => [name, zone]));
  const results: Result[] = [];
  const tried = new Map<NamedKill, number>();
  const next = (): readonly NamedKill[] => scenarios.flatMap((scenario) => todo.get(scenario)?.shift() ?? []);
  const drive = async (lane: Lane, index: number): Promise<void> => {
    for (let turn = 1, kills = next(); kills.length > 0; turn += 1, kills = next()) {
      const outcomes = await run(ground, lane, {
        domain: domainOf(index, turn),
        kills: Object.fromEntries(kills.map((kill) => [kill.scenario, kill])),
        upTo: kills.at(-1)?.scenario ?? 'new-domain',
        reference: zones,
      }).catch((error: unknown) => broken(kills, error));
      for (const [kill, outcome] of verdicts(kills, outcomes)) {
        const times = (tried.get(kill) ?? 0) + 1;
        const missed = outcome !== undefined && outcome.problems.length === 0 && !outcome.struck;
        if (missed) tried.set(kill, times);
        if (outcome === undefined || (missed && times < tries)) todo.get(kill.scenario)?.push(kill);
        else results.push(judged(kill, outcome, spec));
      }
    }
  };
  await Promise.all(lanes.map(drive));
  return results;
}

/** A run that could not be played to its end counts as one that failed. */
function broken(kills: readonly NamedKill[], error: unknown): Outcomes {
  const outcome: Outcome = { writes: [], zone: [], problems: [messageOf(error)], struck: false, seconds: 0 };
  return Object.fromEntries(kills.slice(0, 1).map(({ scenario }) => [scenario, outcome]));
}

/**
 * What became of each kill of a run; undefined where its turn did not come. What goes wrong in a scenario without a kill
 * is laid to the kill before it.
 */
function verdicts(
  kills: readonly NamedKill[],
  outcomes: Outcomes,
): readonly (readonly [NamedKill, Outcome | undefined])[] {
  const failed = scenarios.find((scenario) => (outcomes[scenario]?.problems.length ?? 0) > 0);
  const place = (scenario: Scenario): number => scenarios.indexOf(scenario);
  const guilty =
    failed === undefined ? undefined : (kills.findLast(({ scenario }) => place(scenario) <= place(failed)) ?? kills[0]);
  return kills.map((kill) => {
    const own = outcomes[kill.scenario];
    if (kill !== guilty || failed === undefined || kill.scenario === failed) return [kill, own];
    const later = outcomes[failed]?.problems ?? [];
    const outcome = own ?? { writes: [], zone: [], struck: false, seconds: 0 };
    return [kill, { ...outcome, problems: later.map((problem) => `then, in ${failed}: ${problem}`) }];
  });
}

function judged(kill: NamedKill, { problems, struck, seconds }: Outcome, { say }: CampaignSpec): Result {
  const verdict = problems.length > 0 ? `FAILED: ${problems.join('; ')}` : struck ? 'survived' : 'not met';
  say(`${kill.name} (${kill.steady}): ${verdict} ${seconds.toFixed(1)} s`);
  const failure = problems.length === 0 ? undefined : { name: kill.name, steady: kill.steady, problems };
  return { struck, failure };
}
