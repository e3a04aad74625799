/** Plays rows of the table on lanes that share one ground, and says what came of each. */
import { messageOf } from '../../../src/errors.ts';
import type { Running } from '../../lab/process.ts';
import { domainOf, startGround } from '../ground.ts';
import { type Ground, type Lane, type OperatorOptions, startLane } from '../lane.ts';
import { clean, grant } from '../objects.ts';
import type { Invariant } from '../../observer/sightings.ts';
import { createLife, observe, play, run } from '../run.ts';
import { joined } from '../gate.ts';
import type { Scenario } from '../scenarios.ts';
import { clearWays } from '../ways.ts';
import { createTestimony, type Testimony } from '../witness.ts';
import { calm, type Fault, type Stage } from './fault.ts';
import { faults } from './faults.ts';

export interface TableSpec {
  /** State directory, inside the namespaces of a lab. */
  readonly dir: string;
  /** Only those that are marked for it. */
  readonly quick: boolean;
  /** Names, or their beginnings, separated by commas. */
  readonly only?: string | undefined;
  readonly lanes: number;
  readonly say: (line: string) => void;
}

export interface Played {
  readonly name: string;
  readonly fault: string;
  readonly holds: string;
  readonly problems: readonly string[];
  readonly seconds: number;
}

/** The scenarios that a fault may disturb. */
const scenarios = ['new-domain', 'spec-change', 'second-domain', 'renewal'] as const satisfies readonly Scenario[];

/** Domains of a lane beside those that its rows begin with. */
const spare = 20;

type Zones = Readonly<Partial<Record<Scenario, readonly string[]>>>;

export async function playTable(spec: TableSpec): Promise<readonly Played[]> {
  const wanted = chosen(spec);
  const count = Math.min(spec.lanes, wanted.length);
  const ground = await startGround(spec.dir, { lanes: count, runs: wanted.length + 1 + spare });
  const lanes: Lane[] = [];
  try {
    for (let lane = 0; lane < count; lane += 1) lanes.push(await startLane(ground, lane));
    const zones = await undisturbed(ground, lanes[0]);
    const todo = [...wanted];
    const played = new Map<string, Played>();
    const used = lanes.map(() => wanted.length);
    const further = (index: number) => (): string => domainOf(index, (used[index] = (used[index] ?? 0) + 1));
    const drive = async (lane: Lane, index: number): Promise<void> => {
      for (let turn = 1, fault = todo.shift(); fault !== undefined; turn += 1, fault = todo.shift()) {
        const place = { ground, lane, domain: domainOf(index, turn), another: further(index), zones };
        const one = await playOne(place, fault);
        played.set(fault.name, one);
        spec.say(`${one.problems.length === 0 ? 'survived' : 'NOT SURVIVED'} ${one.name} ${one.seconds.toFixed(1)} s`);
        for (const problem of one.problems) spec.say(`    ${problem}`);
      }
    };
    await Promise.all(lanes.map(drive));
    return wanted.flatMap(({ name }) => played.get(name) ?? []);
  } finally {
    await Promise.all(lanes.map((lane) => lane.stop()));
    await ground.stop();
  }
}

function chosen({ quick, only }: TableSpec): readonly Fault[] {
  const names = only?.split(',') ?? [];
  const found = faults.filter(
    (one) => (!quick || one.quick === true) && (names.length === 0 || names.some((name) => one.name.startsWith(name))),
  );
  if (found.length === 0) throw new Error(`there is no such fault; there are ${faults.map(({ name }) => name).join()}`);
  return found;
}

/** What the zone of a domain holds in the end when nothing goes wrong. */
async function undisturbed(ground: Ground, lane: Lane | undefined): Promise<Zones> {
  const last = scenarios.at(-1);
  if (lane === undefined || last === undefined) throw new Error('a table needs a lane and a scenario');
  const outcomes = await run(ground, lane, { domain: domainOf(0, 0), kills: {}, upTo: last });
  const zones = scenarios.map((scenario) => {
    const { problems, zone } = outcomes[scenario] ?? { problems: ['it was not reached'], zone: [] };
    if (problems.length > 0) throw new Error(`undisturbed, ${scenario} fails: ${problems.join('; ')}`);
    return [scenario, zone] as const;
  });
  return Object.fromEntries(zones);
}

interface Place {
  readonly ground: Ground;
  readonly lane: Lane;
  readonly domain: string;
  readonly another: () => string;
  readonly zones: Zones;
}

async function playOne(place: Place, fault: Fault): Promise<Played> {
  const { ground, lane, domain } = place;
  const began = performance.now();
  const problems: string[] = [];
  await clean(lane);
  await grant(ground, lane, domain);
  const opened = await openStage({ ...place, fault, testimony: createTestimony() });
  try {
    problems.push(...(await fault.play(opened.stage)));
  } catch (error) {
    problems.push(messageOf(error));
  } finally {
    opened.stage.clear();
    lane.gate.listen(() => undefined);
    problems.push(...(await opened.close()));
  }
  const seconds = (performance.now() - began) / 1000;
  return { name: fault.name, fault: fault.fault, holds: fault.holds, problems: [...new Set(problems)], seconds };
}

interface Opened {
  readonly stage: Stage;
  /** Ends what was started on it; resolves with what the observer said. */
  readonly close: () => Promise<readonly string[]>;
}

async function openStage(place: Place & { readonly fault: Fault; readonly testimony: Testimony }): Promise<Opened> {
  const { ground, lane, domain, another, zones, fault, testimony } = place;
  const observer = await observe(ground, lane, domain);
  for (const invariant of Object.keys(fault.excuses ?? {}) as Invariant[]) observer.told({ is: 'excused', invariant });
  const witness = joined(testimony, observer.wires());
  let options: OperatorOptions = {};
  let operator: Running | undefined;
  const startOperator = (): Running => (operator = lane.startOperator(options));
  const life = createLife({ ...lane, startOperator }, observer.told);
  const stops: (() => Promise<void>)[] = [];
  let moved: Opened | undefined;
  const end = async (): Promise<void> => {
    await life.stop();
    for (const stop of stops.splice(0)) await stop();
    await observer.stop();
  };
  const stage: Stage = {
    ground,
    lane,
    domain,
    another,
    testimony,
    observer,
    witness,
    life,
    operator: () => operator,
    dress: (next) => {
      options = next;
    },
    converge: async (scenario, patienceMs) => {
      const spec = { domain, kills: {}, upTo: scenario, reference: zones };
      return (await play({ ground, lane, spec, scenario, testimony, life, patienceMs, observer })).problems;
    },
    clear: () => {
      calm(lane.api);
      calm(lane.ca);
      clearWays(lane.ways);
    },
    atEnd: (stop) => void stops.push(stop),
    move: async (to) => {
      await end();
      moved = await openStage({ ...place, lane: to, zones: renamed(zones, lane, to) });
      return moved.stage;
    },
  };
  return {
    stage,
    close: async () => {
      const later = (await moved?.close()) ?? [];
      if (moved === undefined) await end();
      return [...observer.problems(), ...later];
    },
  };
}

const lastOctet = (address: string): string => address.slice(address.lastIndexOf('.'));

/** The policies are served at other addresses. */
function renamed(zones: Zones, from: Lane, to: Lane): Zones {
  const places = from.policyServers.map((one, at) => [lastOctet(one), lastOctet(to.policyServers[at] ?? '')] as const);
  const line = (text: string): string =>
    places.reduce((before, [old, next]) => before.replace(`LANE${old}`, `LANE${next}`), text);
  return Object.fromEntries(Object.entries(zones).map(([scenario, lines]) => [scenario, lines.map(line)]));
}

/** As Markdown. */
export function tableOf(played: readonly Played[]): string {
  const rows = played.map(({ fault, holds, problems, seconds }) =>
    [fault, holds, problems.length === 0 ? 'yes' : 'NO', seconds.toFixed(0)].join(' | '),
  );
  return ['fault | what must hold | survived | seconds', '--- | --- | --- | ---', ...rows]
    .map((row) => `| ${row} |`)
    .join('\n');
}
