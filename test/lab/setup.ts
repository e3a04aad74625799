/**
 * Installs what the tests and the demo need and this machine lacks. `setup.sh` runs it; a second run finds everything
 * in place and ends within a second. All it says goes to stderr.
 */
import { type Capabilities, capabilities, isDebian } from './capabilities.ts';
import { installPackages, missingPackages, packages, restorePolicy } from './setup/debian.ts';
import { buildTools } from './setup/go.ts';
import { SetupError, say } from './setup/steps.ts';
import { unpackServers } from './setup/unpack.ts';
import { installPrograms } from './setup/venv.ts';
import type { ToolName } from './tools.ts';

async function installDebian(): Promise<void> {
  if (!isDebian()) return;
  if (process.getuid?.() === 0) restorePolicy();
  const missing = await missingPackages();
  if (missing.length === 0) return;
  if (process.getuid?.() === 0) return installPackages(missing);
  say(`    not installed, and only root can install them: ${missing.join(' ')}`);
  say(`    to get them: sudo apt-get install --no-install-recommends ${missing.join(' ')}`);
}

/** What can't be run here, and what would help. The demo is refused before anything is built for it. */
function report(mode: string, can: Capabilities): void {
  if (can.node) return;
  if (mode === 'demo') {
    const cluster = 'Or use a cluster that you have: npm run demo -- --context NAME --image REF --manifest FILE';
    throw new SetupError(`the demo runs a Kubernetes node, and ${can.why}`, `${advice(can)}\n${cluster}`);
  }
  say(`    no lab on this machine: ${can.why}`);
  say('    tests that need more are left out; the others run.');
}

function advice(can: Capabilities): string {
  if (can.debian || can.missing.length === 0) return 'A virtual machine or a privileged container will do.';
  return `The lab uses what these Debian packages hold: ${packages.join(' ')}.`;
}

async function main(mode: string | undefined): Promise<void> {
  if (mode !== 'test' && mode !== 'demo') throw new SetupError(`unknown mode ${mode}`, 'usage: setup.ts test|demo');
  const started = performance.now();
  const before = capabilities();
  const mendable = before.debian && before.missing.length > 0;
  if (mode === 'demo' && !mendable) report(mode, before);
  // Fetching packages waits for the network, compiling for the processor: together they take as long as the latter.
  const tools: readonly ToolName[] = ['pause', 'pebble', 'kubernetes', 'helm'];
  const wanted = mode === 'test' ? [...tools, 'gitops' as const, 'moto' as const, 'mail-servers' as const] : tools;
  const parts = await Promise.allSettled([
    installDebian().then(async () => {
      await installPrograms(wanted);
      await unpackServers(wanted);
    }),
    buildTools(wanted),
  ]);
  for (const part of parts) if (part.status === 'rejected') throw part.reason;
  report(mode, mendable ? capabilities() : before);
  const seconds = (performance.now() - started) / 1000;
  if (seconds > 2) say(`==> set-up complete in ${seconds.toFixed(0)} s`);
}

try {
  await main(process.argv[2]);
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(`set-up failed: ${error.message}\n${error.advice}`);
  process.exitCode = 1;
}
