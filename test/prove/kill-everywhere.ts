import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type CampaignResult, runCampaign } from '../faults/campaign.ts';
import { capabilities } from '../lab/capabilities.ts';
import { inLabNamespace, labDir } from '../lab/namespace.ts';

/** Kills of each scenario, in a quick campaign. */
const sample = 1;

/** The operator killed around every external write of its scenarios, or around some; `only` names one kill. */
export async function proveKillEverywhere(
  quick: boolean,
  only: string | undefined,
): Promise<Readonly<Record<string, number>>> {
  const { node, why } = capabilities();
  if (!node) throw new Error(`it kills in a lab of its own, and this machine can't have one: ${why}`);
  const dir = mkdtempSync(join(tmpdir(), 'mailseal-kills-'));
  try {
    const file = join(dir, 'result.json');
    const few = quick || only !== undefined;
    const flags = [
      ...(quick ? ['--sample', String(sample)] : []),
      ...(only === undefined ? [] : ['--only', only]),
      '--lanes',
      few ? '2' : '4',
    ];
    const code = await inLabNamespace(import.meta.filename, [file, ...flags]);
    if (!existsSync(file)) throw new Error(`the campaign ended with exit code ${code} before it had a result`);
    return judged(JSON.parse(readFileSync(file, 'utf8')) as CampaignResult);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function judged({ figures, shortcomings }: CampaignResult): Readonly<Record<string, number>> {
  process.stderr.write(`${figures['kills']} kills, ${figures['failures']} failures\n`);
  if (shortcomings.length > 0) throw new Error(shortcomings.join('\n'));
  return figures;
}

/** `node kill-everywhere.ts RESULT_FILE [--sample N] [--only NAME] [--lanes N]`, inside the namespaces of a lab. */
async function campaignHere(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { sample: { type: 'string' }, only: { type: 'string' }, lanes: { type: 'string', default: '1' } },
    allowPositionals: true,
  });
  const result = await runCampaign({
    dir: labDir(),
    sample: values.sample === undefined ? undefined : Number(values.sample),
    only: values.only,
    lanes: Number(values.lanes),
    say: (line) => void process.stderr.write(`${line}\n`),
  });
  writeFileSync(positionals[0] ?? '', JSON.stringify(result));
  // Anything but 0 keeps the logs of the lab.
  process.exitCode = result.shortcomings.length === 0 ? 0 : 1;
}

if (import.meta.main) await campaignHere();
