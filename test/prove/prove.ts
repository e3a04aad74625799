/**
 * `npm run prove -- NAME [--quick] [--only CASE | --seed N] [--json FILE]`: long campaigns. A short form of each is in the tests:
 * test/dane/rollover.{exhaustive,model}.test.ts, test/kube/chaos.live.test.ts, test/faults/kill-everywhere.lab.test.ts,
 * test/faults/faults.lab.test.ts, test/deletion/deletion.lab.test.ts, test/observer/observer.lab.test.ts, test/foreign,
 * test/e2e/rollover-live.lab.test.ts. The exit code is 0 if the campaign holds, 1 if not, 2 if the command line could not be read.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { proveDeletion } from './deletion.ts';
import { proveAcmeFaults, proveFaults } from './faults.ts';
import { proveForeignRecords } from './foreign-records.ts';
import { proveKillEverywhere } from './kill-everywhere.ts';
import { proveKubeFaults } from './kube-faults.ts';
import { proveObserver } from './observer.ts';
import { proveRolloverLive } from './rollover-live.ts';
import { proveRolloverModel } from './rollover-model.ts';

export interface Campaign {
  readonly says: string;
  /** Resolves with figures when all of it holds; rejects with what does not. */
  readonly run: (quick: boolean, only: string | undefined) => Promise<Readonly<Record<string, number>>>;
}

const campaigns: Readonly<Record<string, Campaign>> = {
  'rollover-model': {
    says: 'the rollover in every state of bounded cases, with a mutant for each invariant, and in many random worlds',
    run: proveRolloverModel,
  },
  'rollover-live': {
    says: 'keys changed in every way there is under a DANE sender that never stops: 0 deferred, 0 unverified',
    run: proveRolloverLive,
  },
  'kube-faults': {
    says: 'cache and election behind a proxy that drops, delays, repeats and refuses, against a real API server',
    run: proveKubeFaults,
  },
  'kill-everywhere': {
    says: 'the operator killed before and after every external write; --only new-domain:17:after-lost is one of them',
    run: proveKillEverywhere,
  },
  deletion: {
    says: 'a deletion in every state that a domain may be in: each ends within a minute, and leaves what it should',
    run: proveDeletion,
  },
  faults: {
    says: 'a table of faults, each injected while the operator works; --only watch plays those whose names begin so',
    run: proveFaults,
  },
  'acme-faults': {
    says: 'the part of the table that a CA may do: refused nonces, 429, lost orders and accounts, ARI, other chains',
    run: proveAcmeFaults,
  },
  'foreign-records': {
    says: 'I5 in random sequences of wishes, foreign hands, crashes and faults; --seed 17 is one of them',
    run: proveForeignRecords,
  },
  observer: {
    says: 'a seeded defect for each invariant, which the observer must name; --only I2,I7 tries those two',
    run: proveObserver,
  },
};

const usage = `usage: npm run prove -- NAME [--quick] [--only CASE | --seed N] [--json FILE]\n${Object.entries(
  campaigns,
)
  .map(([name, { says }]) => `  ${name.padEnd(15)} ${says}\n`)
  .join('')}`;

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      seed: { type: 'string' },
      json: { type: 'string' },
    },
    allowPositionals: true,
  });
  const [name = ''] = positionals;
  const campaign = campaigns[name];
  if (campaign === undefined || positionals.length !== 1) {
    process.stderr.write(usage);
    return 2;
  }
  const result = await campaign.run(values.quick, values.only ?? values.seed).then(
    (figures) => ({ name, ok: true, figures }),
    (error: unknown) => ({
      name,
      ok: false,
      figures: {},
      problem: error instanceof Error ? error.message : String(error),
    }),
  );
  process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`);
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(result, undefined, 2)}\n`);
  return result.ok ? 0 : 1;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS'))) throw error;
  process.stderr.write(`prove: ${error.message}\n${usage}`);
  process.exitCode = 2;
}
