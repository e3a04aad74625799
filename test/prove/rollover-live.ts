import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { capabilities } from '../lab/capabilities.ts';
import { inLabNamespace, labDir } from '../lab/namespace.ts';
import { chosenActs, playActs, type Result } from '../rollover-live/play.ts';

/** Keys are changed in every way there is while a DANE sender is at work; `only` plays the acts whose names hold it. */
export async function proveRolloverLive(
  quick: boolean,
  only: string | undefined,
): Promise<Readonly<Record<string, number>>> {
  // A word that names no act is told at once, and not by a lab.
  chosenActs({ quick, only });
  const { node, why } = capabilities();
  if (!node) throw new Error(`it needs a lab of its own, and this machine can't have one: ${why}`);
  const dir = mkdtempSync(join(tmpdir(), 'mailseal-rollover-'));
  try {
    const file = join(dir, 'result.json');
    const flags = [...(quick ? ['--quick'] : []), ...(only === undefined ? [] : ['--only', only])];
    const code = await inLabNamespace(import.meta.filename, [file, ...flags]);
    if (!existsSync(file)) throw new Error(`it ended with exit code ${code} before it had a result`);
    const { figures, shortcomings } = JSON.parse(readFileSync(file, 'utf8')) as Result;
    if (shortcomings.length > 0) throw new Error([...shortcomings, JSON.stringify(figures)].join('\n'));
    return figures;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** `node rollover-live.ts RESULT_FILE [--quick] [--only WORD]`, inside the namespaces of a lab. */
async function playHere(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { quick: { type: 'boolean', default: false }, only: { type: 'string' } },
    allowPositionals: true,
  });
  const result = await playActs(join(labDir(), 'rollover'), chosenActs(values), (line) => {
    process.stderr.write(`${line}\n`);
  });
  writeFileSync(positionals[0] ?? '', JSON.stringify(result));
  // Anything but 0 keeps the logs of the lab.
  process.exitCode = result.shortcomings.length === 0 ? 0 : 1;
}

if (import.meta.main) await playHere();
