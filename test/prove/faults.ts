import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Played, playTable, tableOf } from '../faults/table/play.ts';
import { capabilities } from '../lab/capabilities.ts';
import { inLabNamespace, labDir } from '../lab/namespace.ts';

/** Every fault of the table, or a sample, or those that `only` names, each injected while the operator works. */
export async function proveFaults(quick: boolean, only: string | undefined): Promise<Readonly<Record<string, number>>> {
  const { node, why } = capabilities();
  if (!node) throw new Error(`it needs a lab of its own, and this machine can't have one: ${why}`);
  const dir = mkdtempSync(join(tmpdir(), 'mailseal-faults-'));
  try {
    const file = join(dir, 'played.json');
    const flags = [...(quick ? ['--quick'] : []), ...(only === undefined ? [] : ['--only', only])];
    const code = await inLabNamespace(import.meta.filename, [file, ...flags]);
    if (!existsSync(file)) throw new Error(`the lab ended with exit code ${code} before the table was played`);
    return judged(JSON.parse(readFileSync(file, 'utf8')) as readonly Played[]);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** The rows of the CA alone: each ends in valid certificates, with the orders of an undisturbed run. */
export const proveAcmeFaults = (quick: boolean, only = 'acme-'): Promise<Readonly<Record<string, number>>> =>
  proveFaults(quick, only);

function judged(played: readonly Played[]): Readonly<Record<string, number>> {
  process.stderr.write(`${tableOf(played)}\n`);
  const failed = played.filter(({ problems }) => problems.length > 0);
  const seconds = Math.round(played.reduce((sum, one) => sum + one.seconds, 0));
  if (failed.length === 0) return { faults: played.length, failures: 0, seconds };
  const told = failed.map(({ name, problems }) => `${name}: ${problems.join('; ')}`);
  throw new Error(`${failed.length} of ${played.length} faults were not survived:\n${told.join('\n')}`);
}

/** `node faults.ts RESULT_FILE [--quick] [--only NAMES]`, inside the namespaces of a lab. */
async function playHere(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { quick: { type: 'boolean', default: false }, only: { type: 'string' } },
    allowPositionals: true,
  });
  const { quick, only } = values;
  const lanes = quick ? 1 : 2;
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const played = await playTable({ dir: labDir(), quick, only, lanes, say });
  writeFileSync(positionals[0] ?? '', JSON.stringify(played));
  // Anything but 0 keeps the logs of the lab.
  process.exitCode = played.every(({ problems }) => problems.length === 0) ? 0 : 1;
}

if (import.meta.main) await playHere();
