/**
 * All tests of this repository, in three rounds: those without servers, then side by side those with real servers and
 * those that need a Kubernetes node. The latter two run in namespaces of a lab; where none can be made, the tests that
 * need them are left out and named. The last line says `N passed, N failed`; the exit code is 0 only if nothing failed.
 */
import { spawn } from 'node:child_process';
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { capabilities } from './lab/capabilities.ts';
import { labFolder, newLabId, removeLabFolder, removeLeftovers } from './lab/leftovers.ts';
import { inLabNamespace } from './lab/namespace.ts';

type Project = 'unit' | 'live' | 'node';

interface Count {
  readonly passed: number;
  readonly failed: number;
}

/** What we read of the report that vitest's JSON reporter writes. */
interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly testResults: readonly {
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
}

const root = join(import.meta.dirname, '..');
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
const reports = mkdtempSync(join(tmpdir(), 'mailseal-reports-'));

async function runProject(project: Project, inNamespace: boolean, filters: readonly string[]): Promise<Count> {
  const file = join(reports, `${project}.json`);
  const outputs = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`, '--passWithNoTests'];
  const args = ['run', '--project', project, ...outputs, ...filters];
  const code = inNamespace ? await inLabNamespace(vitest, args) : await runHere(args);
  const count = readReport(file);
  // Ended badly although no test failed: an error outside any test, or vitest itself.
  return code !== 0 && count.failed === 0 ? { ...count, failed: 1 } : count;
}

/** Outside namespaces too the tests' servers keep their state in one folder, whose logs are kept when a test failed. */
async function runHere(args: readonly string[]): Promise<number> {
  const id = newLabId();
  mkdirSync(labFolder(id), { mode: 0o755 });
  const env = { ...process.env, MAILSEAL_LAB_DIR: labFolder(id) };
  const child = spawn(process.execPath, [vitest, ...args], { stdio: 'inherit', cwd: root, env });
  const forward = (signal: NodeJS.Signals): void => void child.kill(signal);
  process.on('SIGINT', forward).on('SIGTERM', forward);
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject).once('exit', (code) => resolve(code ?? 1));
  });
  process.off('SIGINT', forward).off('SIGTERM', forward);
  const kept = removeLabFolder(id, code !== 0);
  if (kept !== undefined) console.log(`logs of this round: ${kept}`);
  return code;
}

/** A file that failed without a test that did (it could not be loaded, or not be set up) counts as one that failed. */
function readReport(file: string): Count {
  let report: Report;
  try {
    report = JSON.parse(readFileSync(file, 'utf8')) as Report;
  } catch (error) {
    process.stderr.write(`no report: ${error instanceof Error ? error.message : String(error)}\n`);
    return { passed: 0, failed: 1 };
  }
  const broken = report.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some(({ status }) => status === 'failed'),
  );
  return { passed: report.numPassedTests, failed: report.numFailedTests + broken.length };
}

async function main(filters: readonly string[]): Promise<void> {
  removeLeftovers();
  let interrupted = false;
  const interrupt = (): void => void (interrupted = true);
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  const can = capabilities();
  const counts: Count[] = [];
  counts.push(await runProject('unit', false, filters));
  // Servers wait more than they work: side by side, in labs of their own, the two take as long as the longer.
  const withServers = can.node ? (['live', 'node'] as const) : (['live'] as const);
  if (!interrupted)
    counts.push(...(await Promise.all(withServers.map((project) => runProject(project, can.node, filters)))));
  if (!can.node) {
    const left = globSync('test/**/*.{lab,node}.test.ts', { cwd: root }).sort();
    console.log(`left out, because ${can.why}\n${left.map((file) => `  ${file}`).join('\n')}`);
  }
  const passed = counts.reduce((sum, count) => sum + count.passed, 0);
  const failed = counts.reduce((sum, count) => sum + count.failed, 0);
  if (interrupted) console.log('interrupted: not all tests were run');
  console.log(`\n${passed} passed, ${failed} failed`);
  process.exitCode = !interrupted && failed === 0 && passed > 0 ? 0 : 1;
}

try {
  await main(process.argv.slice(2));
} finally {
  rmSync(reports, { recursive: true, force: true });
}
