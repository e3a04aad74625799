import { writeFileSync, readFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chosenStates, type Fate, playStates, startStates, unexpected } from '../deletion/play.ts';
import { capabilities } from '../lab/capabilities.ts';
import { inLabNamespace, labDir } from '../lab/namespace.ts';

interface Result {
  readonly fates: readonly Fate[];
  readonly unexpected: readonly string[];
}

/** A deletion in every state that a MailDomain may be in, or in some; `only` names them by how their words begin. */
export async function proveDeletion(
  quick: boolean,
  only: string | undefined,
): Promise<Readonly<Record<string, number>>> {
  // A word that names none is told at once, and not by a lab.
  chosenStates({ quick, only });
  const { node, why } = capabilities();
  if (!node) throw new Error(`it needs a lab of its own, and this machine can't have one: ${why}`);
  const dir = mkdtempSync(join(tmpdir(), 'mailseal-deletions-'));
  try {
    const file = join(dir, 'result.json');
    const flags = [...(quick ? ['--quick'] : []), ...(only === undefined ? [] : ['--only', only])];
    const code = await inLabNamespace(import.meta.filename, [file, ...flags]);
    if (!existsSync(file)) throw new Error(`it ended with exit code ${code} before it had a result`);
    return judged(JSON.parse(readFileSync(file, 'utf8')) as Result);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function judged({ fates, unexpected: lines }: Result): Readonly<Record<string, number>> {
  const bad = fates.filter(({ problem }) => problem !== undefined);
  if (bad.length > 0 || lines.length > 0) {
    throw new Error([...bad.map(({ words, problem }) => `one that ${words}: ${problem}`), ...lines].join('\n'));
  }
  const longest = Math.max(...fates.map(({ seconds = 0 }) => seconds));
  return { states: fates.length, 'longest in seconds': Number(longest.toFixed(1)) };
}

/** `node deletion.ts RESULT_FILE [--quick] [--only WORDS]`, inside the namespaces of a lab. */
async function playHere(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { quick: { type: 'boolean', default: false }, only: { type: 'string' } },
    allowPositionals: true,
  });
  const chosen = chosenStates(values);
  const ground = await startStates(join(labDir(), 'deletion'), chosen, []);
  try {
    const fates = await playStates(ground, chosen);
    for (const { words, seconds, problem } of fates) {
      process.stderr.write(`${problem ?? `${seconds?.toFixed(1)} s`}: one that ${words}\n`);
    }
    writeFileSync(positionals[0] ?? '', JSON.stringify({ fates, unexpected: unexpected(ground) } satisfies Result));
  } finally {
    await ground.stop();
  }
}

if (import.meta.main) await playHere();
