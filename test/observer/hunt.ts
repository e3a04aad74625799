/**
 * Every mutant in its scenario, and each scenario with the program as it is: what the observer must name, and where he
 * must be silent.
 */
import { join } from 'node:path';
import { messageOf } from '../../src/errors.ts';
import { domainOf, startGround } from '../faults/ground.ts';
import { type Ground, type Lane, startLane } from '../faults/lane.ts';
import { bundleEdited, type Mutant, mutants } from './mutants.ts';
import { playTrial } from './play.ts';
import { briefProfile, type ScenarioName, scenarios } from './scenarios.ts';

export interface HuntSpec {
  /** State directory, inside the namespaces of a lab. */
  readonly dir: string;
  /** Invariants, separated by commas; all when absent. */
  readonly only?: string | undefined;
  /** Only those that are found soon. */
  readonly quick: boolean;
  readonly lanes: number;
  readonly say: (line: string) => void;
}

export interface Hunted {
  readonly invariant: string;
  readonly defect: string;
  readonly scenario: string;
  /** The sentence that names the invariant; undefined where there was none. */
  readonly caught: string | undefined;
  /** What was said of the program as it is. */
  readonly control: readonly string[];
}

/** Scenarios that wait for clocks. */
const slow: ReadonlySet<ScenarioName> = new Set([
  'brief-certificates',
  'brief-certificates-suspended',
  'two-operators',
  'bad-neighbours',
  'blind',
  'unreachable-host',
]);

export async function hunt(spec: HuntSpec): Promise<readonly Hunted[]> {
  const wanted = chosen(spec);
  const validitySeconds = { default: 90 * 86_400, [briefProfile.name]: briefProfile.seconds };
  const ground = await startGround(spec.dir, { lanes: 2 * spec.lanes, runs: 2 * wanted.length + 2, validitySeconds });
  const said = new Map<string, Promise<readonly string[]>>();
  const lanes = createLanes(ground, spec.lanes);
  let bundling: Promise<unknown> = Promise.resolve();
  const bundled = (mutant: Mutant): Promise<string> => {
    const made = bundling.then(() => bundleEdited(mutant.edits, join(spec.dir, 'mutants', mutant.invariant)));
    bundling = made.catch(() => undefined);
    return made;
  };
  const play = async (name: ScenarioName, mutant?: Mutant): Promise<readonly string[]> => {
    const label = mutant === undefined ? `${name}, as it is` : `${name} with ${mutant.invariant}`;
    const program = mutant && (await bundled(mutant));
    const { volumeDelayMs } = scenarios[name];
    const pods = mutant?.pods === true ? program : undefined;
    const own = pods === undefined && volumeDelayMs === undefined ? undefined : { program: pods, volumeDelayMs };
    const problems = await lanes.with(own, async (lane, index, domain) => {
      const trial = { scenario: scenarios[name], index, domain, program };
      return playTrial(ground, lane, trial).catch((error: unknown) => [`the trial broke: ${messageOf(error)}`]);
    });
    spec.say(`${label}: ${problems.join('; ') || 'silent'}`);
    return problems;
  };
  const control = (name: ScenarioName): Promise<readonly string[]> => {
    const known = said.get(name) ?? play(name);
    said.set(name, known);
    return known;
  };
  try {
    return await Promise.all(
      wanted.map(async (mutant): Promise<Hunted> => {
        const { invariant, defect, scenario } = mutant;
        const [problems, silent] = await Promise.all([play(scenario, mutant), control(scenario)]);
        const caught = problems.find((sentence) => sentence.startsWith(`${invariant} at `));
        return { invariant, defect, scenario, caught, control: silent };
      }),
    );
  } finally {
    await lanes.stop();
    await ground.stop();
  }
}

function chosen({ only, quick }: HuntSpec): readonly Mutant[] {
  const names = only?.split(',');
  const found = mutants.filter(
    ({ invariant, scenario }) => names?.includes(invariant) ?? (!quick || !slow.has(scenario)),
  );
  if (found.length === 0)
    throw new Error(`there is no such mutant; there are ${mutants.map((m) => m.invariant).join()}`);
  return found;
}

/** What sets a lane apart that serves one trial only. */
interface OwnLane {
  /** What its pods run. */
  readonly program: string | undefined;
  readonly volumeDelayMs: number | undefined;
}

interface Lanes {
  /** Runs `what` on a lane that is free, or on one of its own. */
  readonly with: <T>(
    own: OwnLane | undefined,
    what: (lane: Lane, index: number, domain: string) => Promise<T>,
  ) => Promise<T>;
  readonly stop: () => Promise<void>;
}

function createLanes(ground: Ground, count: number): Lanes {
  const free = Array.from({ length: count }, (_, index) => index);
  const started = new Map<number, Lane>();
  const waiting: ((index: number) => void)[] = [];
  const runs = new Map<number, number>();
  const take = (): Promise<number> | number => free.shift() ?? new Promise((resolve) => waiting.push(resolve));
  const give = (index: number): void => {
    const next = waiting.shift();
    if (next === undefined) free.push(index);
    else next(index);
  };
  const domain = (index: number): string => {
    const run = runs.get(index) ?? 0;
    runs.set(index, run + 1);
    return domainOf(index, run);
  };
  return {
    with: async (own, what) => {
      const index = await take();
      try {
        if (own !== undefined) {
          const at = count + index;
          const program = own.program ?? ground.program;
          const lane = await startLane({ ...ground, program }, at, own);
          try {
            return await what(lane, at, domain(at));
          } finally {
            await lane.stop();
          }
        }
        const lane = started.get(index) ?? (await startLane(ground, index));
        started.set(index, lane);
        return await what(lane, index, domain(index));
      } finally {
        give(index);
      }
    },
    stop: async () => void (await Promise.all([...started.values()].map((lane) => lane.stop()))),
  };
}

/** As Markdown. */
export function tableOf(hunted: readonly Hunted[]): string {
  const rows = hunted.map(({ invariant, defect, scenario, caught, control }) =>
    [
      invariant,
      `${defect} (${scenario})`,
      caught === undefined ? 'NO' : 'yes',
      control.length === 0 ? 'yes' : 'NO',
    ].join(' | '),
  );
  return ['invariant | mutant | caught | control silent', '--- | --- | --- | ---', ...rows]
    .map((row) => `| ${row} |`)
    .join('\n');
}
