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
import { type Scenario, scenarios } from './objects.ts';
import { type Outcome, run, type RunSpec } from './run.ts';

export interface CampaignSpec {
  /** State directory, inside the namespaces of a lab. */
  readonly dir: string;
  /** Kills at most; all when absent. They are spread evenly over scenarios, writes and moments. */
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

type Reference = Readonly<Record<Scenario, Outcome>>;

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
      ...Object.fromEntries(scenarios.map((name) => [`writes of ${name}`, reference[name].writes.length])),
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

async function undisturbed(ground: Ground, lane: Lane | undefined, { say }: CampaignSpec): Promise<Reference> {
  if (lane === undefined) throw new Error('a campaign needs a lane');
  const outcomes = await run(ground, lane, { domain: domainOf(0, 0), kills: {}, upTo: 'spec-change' });
  for (const scenario of scenarios) {
    const { problems, writes, seconds } = outcomes[scenario] ?? { problems: ['it was not reached'], writes: [] };
    if (problems.length > 0) throw new Error(`undisturbed, ${scenario} fails: ${problems.join('; ')}`);
    say(`${scenario}, undisturbed: ${writes.length} writes in ${(seconds ?? 0).toFixed(1)} s`);
    writes.forEach(({ what, turn }, index) => say(`  ${index + 1} ${what} (${turn})`));
  }
  return outcomes as Reference;
}

function killsOf(reference: Reference): readonly NamedKill[] {
  return scenarios.flatMap((scenario) =>
    reference[scenario].writes.flatMap((spot: Spot, index) =>
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
  if (sample === undefined || sample >= all.length) return all;
  // Spots at even distances, and at each the next moment: all three are met whatever the distance.
  const spots = all.length / moments.length;
  return Array.from({ length: sample }, (_, index) => {
    const spot = Math.floor(((index + 0.5) * spots) / sample);
    return all[spot * moments.length + (index % moments.length)];
  }).filter((kill) => kill !== undefined);
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

/** A run takes a kill of each scenario; when the first fails, the second gets a run of its own. */
async function killEach(
  ground: Ground,
  lanes: readonly Lane[],
  { spec, reference, wanted }: Work,
): Promise<readonly Result[]> {
  const todo: Record<Scenario, NamedKill[]> = {
    'new-domain': wanted.filter(({ scenario }) => scenario === 'new-domain'),
    'spec-change': wanted.filter(({ scenario }) => scenario === 'spec-change'),
  };
  const zones = { 'new-domain': reference['new-domain'].zone, 'spec-change': reference['spec-change'].zone };
  const results: Result[] = [];
  const next = (): readonly NamedKill[] => scenarios.flatMap((scenario) => todo[scenario].shift() ?? []);
  const drive = async (lane: Lane, index: number): Promise<void> => {
    for (let turn = 1, kills = next(); kills.length > 0; turn += 1, kills = next()) {
      const runSpec: RunSpec = {
        domain: domainOf(index, turn),
        kills: Object.fromEntries(kills.map((kill) => [kill.scenario, kill])),
        upTo: kills.at(-1)?.scenario ?? 'new-domain',
        reference: zones,
      };
      const outcomes = await run(ground, lane, runSpec).catch((error: unknown) => broken(kills, error));
      for (const kill of kills) {
        const outcome = outcomes[kill.scenario];
        if (outcome === undefined && kills[0] !== kill) todo[kill.scenario].push(kill);
        else results.push(judged(kill, outcome, spec));
      }
    }
  };
  await Promise.all(lanes.map(drive));
  return results;
}

/** A run that could not be played to its end counts as one that failed. */
function broken(kills: readonly NamedKill[], error: unknown): Partial<Record<Scenario, Outcome>> {
  const outcome: Outcome = { writes: [], zone: [], problems: [messageOf(error)], struck: false, seconds: 0 };
  return Object.fromEntries(kills.slice(0, 1).map(({ scenario }) => [scenario, outcome]));
}

function judged(kill: NamedKill, outcome: Outcome | undefined, { say }: CampaignSpec): Result {
  const problems = outcome?.problems ?? ['the scenario before it failed'];
  const struck = outcome?.struck ?? false;
  const verdict = problems.length > 0 ? `FAILED: ${problems.join('; ')}` : struck ? 'survived' : 'not met';
  say(`${kill.name} (${kill.steady}): ${verdict} ${(outcome?.seconds ?? 0).toFixed(1)} s`);
  const failure = problems.length === 0 ? undefined : { name: kill.name, steady: kill.steady, problems };
  return { struck, failure };
}
