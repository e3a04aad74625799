/**
 * A thousand domains with four record sets each, in one zone and in a zone each, through every DNS API that the
 * operator writes by: calls and seconds, beside the least that the API needs and beside a loop of single records. Then
 * one change in zones of ten names, a thousand and a hundred thousand. `externalDns` and `manual` write no DNS.
 */
import { writeFileSync } from 'node:fs';
import type { Placed } from './converge-floor.ts';
import { atSpeed, skip } from './dns-clock.ts';
import { startCloudflareGround, startRoute53Ground } from './dns-clouds.ts';
import type { Floor } from './dns-floors.ts';
import {
  type Filled,
  type Ground,
  startBindGround,
  startKnotGround,
  startPowerdnsGround,
  startWebhookGround,
} from './dns-servers.ts';
import { changeOne, type Found, publish, publishByScript, publishOneByOne } from './dns-work.ts';
import { compared, median, type Row, row } from './report.ts';

const [file = '', ...flags] = process.argv.slice(2);
const quick = flags.includes('--quick');
const count = quick ? 100 : 1000;
const sample = quick ? 3 : 10;
const sizes = [10, 1000, quick ? 10_000 : 100_000] as const;
const changes = 5;
const most = 1.3;
const flatWithin = 1.1;

/** Says how long it took on a clock that nobody speeds up. */
async function step<T>(what: string, work: () => Promise<T>): Promise<T> {
  const began = Date.now();
  const result = await work();
  process.stderr.write(`${what}: ${((Date.now() - began) / 1000).toFixed(1)} s\n`);
  return result;
}

const number = (at: number): string => String(at).padStart(4, '0');
/** In the order in which Kubernetes lists them. */
const inOne = (zone: string, many: number): readonly Placed[] =>
  Array.from({ length: many }, (_, at) => ({ domain: `d${number(at)}.${zone}`, zone }));
const inEach = (letter: string, many: number): readonly Placed[] =>
  Array.from({ length: many }, (_, at) => ({
    domain: `${letter}${number(at)}.test`,
    zone: `${letter}${number(at)}.test`,
  }));

const domains = { one: inOne('many.test', count), each: inEach('z', count) } as const;
const samples = { one: inOne('loop.test', sample), each: inEach('l', sample) } as const;
const filled = (names: number): Filled => ({ name: `n${names}.test`, names });
const zones: readonly Filled[] = [
  ...new Set([domains, samples].flatMap(({ one, each }) => [...one, ...each].map(({ zone }) => zone))),
]
  .map((name): Filled => ({ name, names: 0 }))
  .concat(sizes.map(filled));

const total = ({ reads, writes }: { readonly reads: number; readonly writes: number }): number => reads + writes;

interface Published {
  readonly ours: Found;
  readonly floor: Floor;
  readonly floorSeconds: number;
  /** For as many domains as ours. */
  readonly loop: { readonly calls: number; readonly seconds: number };
}

/** Whoever counts calls has seen none for as long as it remembers. */
const rested = async ({ limit }: Ground): Promise<void> => (limit === undefined ? undefined : skip(limit.remembers));

async function measure(ground: Ground, how: 'one' | 'each'): Promise<Published> {
  const { access, limit } = ground;
  const limited = how === 'each' ? limit : undefined;
  const floor = ground.floor(domains[how], how);
  await rested(ground);
  const script = limited === undefined ? await publishByScript(access, domains[how]) : undefined;
  await rested(ground);
  const atPace = <T>(work: () => Promise<T>): Promise<T> => (limit === undefined ? work() : atSpeed(limit.speed, work));
  const ours = await (limited === undefined
    ? publish(access, domains[how])
    : atPace(() => publish(access, domains[how])));
  await rested(ground);
  const one = await atPace(() => publishOneByOne(access, samples[how]));
  const times = count / sample;
  return {
    ours,
    floor,
    floorSeconds: script?.seconds ?? limit?.seconds(floor.reads.calls + floor.writes.calls) ?? 0,
    loop: { calls: total(one) * times, seconds: limit?.pace(total(one) * times) ?? one.seconds * times },
  };
}

function publishedRows(name: string, { ours, floor, floorSeconds, loop }: Published): readonly Row[] {
  const { reads, writes } = floor;
  return [
    row(`${name}: reads (floor: ${reads.what})`, ours.reads, 'calls', null, reads.calls),
    row(`${name}: writes (floor: ${writes.what})`, ours.writes, 'calls', null, writes.calls),
    compared(`${name}: all calls`, total(ours), reads.calls + writes.calls, 'calls', most),
    floorSeconds > 0
      ? compared(`${name}: seconds`, ours.seconds, floorSeconds, 's', null)
      : row(`${name}: seconds`, ours.seconds, 's', null),
    compared(`${name}: all calls, beside a loop`, total(ours), loop.calls, 'calls', 1),
    compared(`${name}: seconds, beside a loop`, ours.seconds, loop.seconds, 's', null),
  ];
}

interface Cost {
  readonly calls: number;
  readonly bytes: number;
  readonly ms: number;
}

async function costIn(ground: Ground, size: number): Promise<Cost> {
  const zone = filled(size).name;
  const access = ground.accessTo?.(zone) ?? ground.access;
  const found = await changeOne(access, zone, changes, () => rested(ground));
  return {
    calls: median(found.map(total)),
    bytes: median(found.map(({ bytes }) => bytes)),
    ms: median(found.map(({ seconds }) => seconds * 1000)),
  };
}

async function costRows(ground: Ground): Promise<readonly Row[]> {
  const costs: (readonly [number, Cost])[] = [];
  for (const size of sizes) costs.push([size, await costIn(ground, size)]);
  const [small, ...others] = costs;
  if (small === undefined) return [];
  const aim = ground.flat ? flatWithin : null;
  return others.flatMap(([size, cost]) => {
    const what = `${ground.name}, one change among ${size.toLocaleString('en')} names, beside 10`;
    return [
      compared(`${what}: calls`, cost.calls, small[1].calls, 'calls', aim),
      compared(`${what}: on the wire`, cost.bytes, small[1].bytes, 'bytes', aim),
      compared(`${what}: time (median)`, cost.ms, small[1].ms, 'ms', null),
    ];
  });
}

const grounds = {
  bind: startBindGround,
  knot: startKnotGround,
  powerdns: startPowerdnsGround,
  webhook: startWebhookGround,
  // Last, for their clock goes ahead of the others'.
  route53: startRoute53Ground,
  cloudflare: startCloudflareGround,
} as const;

async function main(): Promise<void> {
  const rows: Row[] = [];
  const only = flags.filter((flag) => flag.startsWith('--only=')).map((flag) => flag.slice('--only='.length));
  const unknown = only.find((name) => !(name in grounds));
  if (unknown !== undefined) throw new Error(`--only takes ${Object.keys(grounds).join(', ')}, not ${unknown}`);
  for (const [name, start] of Object.entries(grounds)) {
    if (only.length > 0 && !only.includes(name)) continue;
    const ground = await step(`${name} with ${zones.length} zones`, () => start(zones));
    const many = count.toLocaleString('en');
    const one = await step(`${name}: ${many} domains in 1 zone`, () => measure(ground, 'one'));
    const each = await step(`${name}: ${many} domains in ${many} zones`, () => measure(ground, 'each'));
    rows.push(...publishedRows(`${ground.name}, 1 zone`, one), ...publishedRows(`${ground.name}, ${many} zones`, each));
    rows.push(...(await step(`${name}: one change`, () => costRows(ground))));
    await ground.stop();
  }
  writeFileSync(file, JSON.stringify(rows));
}

try {
  await main();
} catch (error) {
  process.stderr.write(`bench failed: ${error instanceof Error ? error.stack : String(error)}\n`);
  process.exitCode = 1;
}
// Whatever a failed step left running ends with the namespaces.
process.exit();
