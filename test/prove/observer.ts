import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { capabilities } from '../lab/capabilities.ts';
import { inLabNamespace, labDir } from '../lab/namespace.ts';
import { hunt, type Hunted, tableOf } from '../observer/hunt.ts';

/** Each mutant of the product must be named by the observer, who must be silent without it. */
export async function proveObserver(
  quick: boolean,
  only: string | undefined,
): Promise<Readonly<Record<string, number>>> {
  const { node, why } = capabilities();
  if (!node) throw new Error(`it needs a lab of its own, and this machine can't have one: ${why}`);
  const dir = mkdtempSync(join(tmpdir(), 'mailseal-observer-'));
  try {
    const file = join(dir, 'hunted.json');
    const flags = [...(quick ? ['--quick'] : []), ...(only === undefined ? [] : ['--only', only])];
    const code = await inLabNamespace(import.meta.filename, [file, ...flags]);
    if (!existsSync(file)) throw new Error(`the lab ended with exit code ${code} before all mutants were tried`);
    return judged(JSON.parse(readFileSync(file, 'utf8')) as readonly Hunted[]);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const isGood = ({ caught, control }: Hunted): boolean => caught !== undefined && control.length === 0;

function judged(hunted: readonly Hunted[]): Readonly<Record<string, number>> {
  process.stderr.write(`${tableOf(hunted)}\n`);
  const bad = hunted.filter((one) => !isGood(one));
  if (bad.length === 0) return { mutants: hunted.length, missed: 0, 'false alarms': 0 };
  const told = bad.map(({ invariant, caught, control }) =>
    [`${invariant}: ${caught ?? 'not found'}`, ...control.map((sentence) => `without it: ${sentence}`)].join('; '),
  );
  throw new Error(`${bad.length} of ${hunted.length} mutants were not told from the program:\n${told.join('\n')}`);
}

/** `node observer.ts RESULT_FILE [--quick] [--only I2,I7]`, inside the namespaces of a lab. */
async function huntHere(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { quick: { type: 'boolean', default: false }, only: { type: 'string' } },
    allowPositionals: true,
  });
  const { quick, only } = values;
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const hunted = await hunt({ dir: labDir(), quick, only, lanes: only === undefined ? 3 : 1, say });
  writeFileSync(positionals[0] ?? '', JSON.stringify(hunted));
  // Anything but 0 keeps the logs of the lab.
  process.exitCode = hunted.every(isGood) ? 0 : 1;
}

if (import.meta.main) await huntHere();
