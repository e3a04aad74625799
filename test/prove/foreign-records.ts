import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { inMemory, playMany, seedsFrom } from '../foreign/campaign.ts';
import { hunted, mutants } from '../foreign/mutants.ts';
import { shrink, type Servers, told } from '../foreign/play.ts';
import { bindServers, powerdnsServers } from '../foreign/real.ts';
import { capabilities } from '../lab/capabilities.ts';
import { inLabNamespace } from '../lab/namespace.ts';

interface Result {
  readonly figures: Readonly<Record<string, number>>;
  readonly problems: readonly string[];
}

/** Sequences in memory, on each real server, and at most for each mutant. */
const whole = { memory: 10_000, real: 200, mutant: 1500 } as const;
const quick = { memory: 500, real: 20, mutant: 1500 } as const;

const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** Plays sequences of these numbers; what failed is told as short as it can be. */
async function played(name: string, seeds: readonly number[], servers: Servers): Promise<Result> {
  const onPlayed = (sequences: number): void => {
    if (sequences % 100 === 0 || sequences === seeds.length) say(`${name}: ${sequences} of ${seeds.length} sequences`);
  };
  const { sequences, writes, failed } = await playMany(seeds, servers, { onPlayed });
  const problems: string[] = [];
  for (const verdict of failed) problems.push(`${name}, ${told(await shrink(verdict, servers))}`);
  return { figures: { [`${name} sequences`]: sequences, [`${name} writes`]: writes }, problems };
}

/** Defects that were put in, and must show. */
async function hunt(sequences: number): Promise<Result> {
  const problems: string[] = [];
  for (const mutant of mutants) {
    const how = await hunted(mutant, sequences);
    say(`${mutant.defect}: ${how ?? 'not found'}`);
    if (how === undefined) problems.push(`a defect that was put in was not found: ${mutant.defect}`);
  }
  return { figures: { mutants: mutants.length, missed: problems.length }, problems };
}

/** The same on BIND and PowerDNS, in a lab. */
async function onRealServers(seeds: readonly number[]): Promise<Result> {
  const { node, why } = capabilities();
  if (!node) throw new Error(`it needs a lab of its own, and this machine can't have one: ${why}`);
  const dir = mkdtempSync(join(tmpdir(), 'mailseal-foreign-'));
  try {
    const file = join(dir, 'result.json');
    const code = await inLabNamespace(import.meta.filename, [file, '--seeds', seeds.join(',')]);
    if (!existsSync(file)) throw new Error(`the lab ended with exit code ${code} before all sequences were played`);
    return JSON.parse(readFileSync(file, 'utf8')) as Result;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Random sequences in memory and on real servers, and the mutants; `only` is the number of one sequence. */
export async function proveForeignRecords(isQuick: boolean, only: string | undefined): Promise<Result['figures']> {
  const amount = isQuick ? quick : whole;
  const seed = only === undefined ? undefined : Number(only);
  if (seed !== undefined && !Number.isInteger(seed)) throw new Error(`${only} is not the number of a sequence`);
  const seeds = (count: number): readonly number[] => (seed === undefined ? seedsFrom(1, count) : [seed]);
  const results = [await played('memory', seeds(amount.memory), inMemory)];
  if (seed === undefined) results.push(await hunt(amount.mutant));
  results.push(await onRealServers(seeds(amount.real)));
  const problems = results.flatMap((result) => result.problems);
  if (problems.length > 0) throw new Error(problems.join('\n'));
  return Object.assign({}, ...results.map(({ figures }) => figures)) as Result['figures'];
}

/** `node foreign-records.ts RESULT_FILE --seeds 1,2,3`, inside the namespaces of a lab. */
async function playHere(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { seeds: { type: 'string', default: '' } },
    allowPositionals: true,
  });
  const seeds = values.seeds.split(',').map(Number);
  const results: Result[] = [];
  for (const start of [() => bindServers(41), () => powerdnsServers(42)]) {
    const servers = await start();
    try {
      results.push(await played(servers.name, seeds, servers));
    } finally {
      await servers.stop();
    }
  }
  const figures = Object.assign({}, ...results.map((result) => result.figures)) as Result['figures'];
  const problems = results.flatMap((result) => result.problems);
  writeFileSync(positionals[0] ?? '', JSON.stringify({ figures, problems } satisfies Result));
  // Anything but 0 keeps the logs of the lab.
  process.exitCode = problems.length === 0 ? 0 : 1;
}

if (import.meta.main) await playHere();
