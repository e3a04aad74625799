/**
 * `npm run bench -- NAME [--quick] [--json FILE]`: measures, compares with the aims, and prints a table. The exit code
 * is 0 if every aim is met, 1 if one is not or the bench failed, 2 if the command line could not be read.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { capabilities } from '../test/lab/capabilities.ts';
import { inLabNamespace } from '../test/lab/namespace.ts';
import { type Report, type Row, table } from './report.ts';

/** Each runs inside the namespaces of a lab as `node SCRIPT ROWS_FILE [FLAG]…`, and writes its rows there. */
const benches: Readonly<Record<string, { readonly script: string; readonly says: string }>> = {
  acme: {
    script: 'acme.ts',
    says: 'a thousand certificates of one name, beside lego and beside the least that ACME takes',
  },
  converge: {
    script: 'converge.ts',
    says: 'many domains at once, beside the same orders and updates driven raw; then idle',
  },
  dns: {
    script: 'dns.ts',
    says: 'a thousand domains and one change through every DNS API, beside the least it needs',
  },
  failover: {
    script: 'failover.ts',
    says: 'from the end of a leader to the first write of the next',
  },
  'first-light': {
    script: 'first-light.ts',
    says: 'from apply to Ready, what it costs, and what an idle operator takes',
  },
  'policy-server': {
    script: 'policy-server.ts',
    says: 'processor time a connection beside nginx, and five thousand hosts',
  },
  rollover: {
    script: 'rollover.ts',
    says: 'a thousand exchangers whose keys are replaced at once, beside the same orders and updates driven raw',
  },
};

const usage = `usage: npm run bench -- NAME [--quick] [--json FILE]
       npm run bench -- converge [--size N]… [--brief] [--profile FOLDER] [--json FILE]
       npm run bench -- rollover [--size N]… [--profile FOLDER] [--quick] [--json FILE]
       npm run bench -- dns [--only API]… [--quick] [--json FILE]\n${Object.entries(benches)
         .map(([name, { says }]) => `  ${name.padEnd(14)} ${says}\n`)
         .join('')}`;

async function measure(script: string, flags: readonly string[]): Promise<readonly Row[]> {
  const dir = mkdtempSync(join(tmpdir(), 'mailseal-bench-'));
  try {
    const file = join(dir, 'rows.json');
    const code = await inLabNamespace(join(import.meta.dirname, script), [file, ...flags]);
    if (code !== 0) throw new Error(`the bench ended with exit code ${code}`);
    return JSON.parse(readFileSync(file, 'utf8')) as readonly Row[];
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      size: { type: 'string', multiple: true, default: [] },
      only: { type: 'string', multiple: true, default: [] },
      profile: { type: 'string' },
      brief: { type: 'boolean', default: false },
    },
    allowPositionals: true,
  });
  const { quick, json, size, only, profile, brief } = values;
  const [name = ''] = positionals;
  const bench = benches[name];
  if (bench === undefined || positionals.length !== 1) {
    process.stderr.write(usage);
    return 2;
  }
  const { node, why } = capabilities();
  if (!node) throw new Error(`it measures in a lab of its own, and this machine can't: ${why}`);
  const flags = [
    ...(quick ? ['--quick'] : []),
    ...(brief ? ['--brief'] : []),
    ...size.map((count) => `--size=${count}`),
    ...only.map((api) => `--only=${api}`),
    ...(profile === undefined ? [] : [`--profile=${resolve(profile)}`]),
  ];
  const report: Report = { name, rows: await measure(bench.script, flags) };
  process.stdout.write(`${table(report)}\n`);
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(report, undefined, 2)}\n`);
  return report.rows.some(({ met }) => met === false) ? 1 : 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const isUsage = error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n${isUsage ? usage : ''}`);
  process.exitCode = isUsage ? 2 : 1;
}
