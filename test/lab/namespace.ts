/**
 * The lab in namespaces of its own: network, processes and mounts. Whoever owns a lab starts a program in them with
 * `inLabNamespace`; when the owner dies, however it dies, the kernel ends every process in there and with them every
 * mount and interface. The functions below the line are for the program inside.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { run } from './command.ts';
import { labFolder, listLabs, newLabId, removeLabCgroups, removeLabFolder, removeLeftovers } from './leftovers.ts';
import { toolPath } from './tools.ts';

const bridge = 'lab0';

/**
 * Runs a Node script in new namespaces with a lab folder of its own and resolves with its exit code. SIGINT and
 * SIGTERM are handed on to it; a second one ends it at once. Needs root on Linux (see `capabilities`).
 */
export async function inLabNamespace(script: string, args: readonly string[]): Promise<number> {
  removeLeftovers();
  const id = newLabId();
  const folder = labFolder(id);
  mkdirSync(join(folder, 'tmp'), { recursive: true, mode: 0o755 });
  const child = spawnInside(id, [process.execPath, script, ...args]);
  const state: LabState = { unshare: child.pid ?? -1, startedAt: Date.now() };
  writeFileSync(join(folder, 'lab.json'), JSON.stringify(state));
  const interrupted = forwardSignals(child);
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', (error) => reject(new Error(`the lab's namespaces could not be made: ${error.message}`)));
    child.once('exit', (code) => resolve(code ?? 137));
  });
  const wasInterrupted = interrupted();
  removeLabCgroups(id);
  const wanted = (process.env['MAILSEAL_KEEP_LOGS'] ?? '') !== '';
  const kept = removeLabFolder(id, wanted || (code !== 0 && !wasInterrupted));
  if (kept !== undefined) process.stderr.write(`logs of this lab: ${kept}\n`);
  return code;
}

function spawnInside(id: string, argv: readonly string[]): ChildProcess {
  const unshare = ['unshare', '--net', '--pid', '--mount', '--fork', '--mount-proc', '--kill-child=SIGKILL'];
  // Killed with us, and the first program inside is killed with it. In a session of its own, so that a Ctrl-C in the
  // terminal arrives once, through us.
  const init = join(import.meta.dirname, 'init.sh');
  return spawn('setpriv', ['--pdeathsig', 'KILL', ...unshare, '/bin/sh', init, ...argv], {
    stdio: 'inherit',
    detached: true,
    env: {
      ...process.env,
      MAILSEAL_LAB: id,
      TMPDIR: join(labFolder(id), 'tmp'),
      MAILSEAL_LAB_DIR: labFolder(id),
      PATH: labPath(),
    },
  });
}

/** Returns a function that ends the forwarding and tells whether there was a signal. */
function forwardSignals(child: ChildProcess): () => boolean {
  let count = 0;
  const forward = (signal: NodeJS.Signals): void => {
    count += 1;
    const init = child.pid === undefined ? undefined : initOf(child.pid);
    if (init !== undefined) process.kill(init, count === 1 ? signal : 'SIGKILL');
  };
  process.on('SIGINT', forward).on('SIGTERM', forward);
  return () => {
    process.off('SIGINT', forward).off('SIGTERM', forward);
    return count > 0;
  };
}

/** The pid, seen from outside, of the first program in the namespaces that `unshare` with this pid made. */
function initOf(unsharePid: number): number | undefined {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const found = pids.find((pid) => parentOf(pid) === unsharePid);
  return found === undefined ? undefined : Number(found);
}

function parentOf(pid: string): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined; // It ended while we looked.
  }
}

interface LabState {
  /** The pid of `unshare`, whose child is the first program inside. */
  readonly unshare: number;
  readonly startedAt: number;
}

/**
 * Runs a command inside the running lab (the newest, if there are several), with the environment that the lab shares;
 * resolves with its exit code. Rejects when no lab is running.
 */
export async function execInLab(argv: readonly [string, ...string[]]): Promise<number> {
  const newest = runningLabs().sort((a, b) => b.state.startedAt - a.state.startedAt)[0];
  const init = newest === undefined ? undefined : initOf(newest.state.unshare);
  if (newest === undefined || init === undefined) {
    throw new Error('no lab is running: start one with `npm run demo` in another terminal');
  }
  const shell = ['/bin/sh', '-c', 'cd "$1" && shift && exec "$@"', 'sh', process.cwd(), ...argv];
  const child = spawn('nsenter', ['--target', String(init), '--net', '--pid', '--mount', ...shell], {
    stdio: 'inherit',
    env: {
      ...process.env,
      PATH: labPath(),
      ...(readJson(join(newest.folder, 'env.json')) as Record<string, string> | undefined),
    },
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject).once('exit', (code) => resolve(code ?? 137));
  });
}

function runningLabs(): { folder: string; state: LabState }[] {
  return listLabs().flatMap(({ id, running }) => {
    const folder = labFolder(id);
    const state = running ? (readJson(join(folder, 'lab.json')) as LabState | undefined) : undefined;
    return state === undefined ? [] : [{ folder, state }];
  });
}

function readJson(path: string): unknown {
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined;
}

/** PATH with the folders of system programs, which a plain user's lacks, and kubectl and helm in front. */
function labPath(): string {
  const own = [toolPath('kubectl'), toolPath('helm')].map((path) => dirname(path));
  return [...own, process.env['PATH'] ?? '', '/usr/local/sbin', '/usr/sbin', '/sbin'].join(delimiter);
}

// ---------------------------------------------------------------------------------------------------------------------

/** Whether this program runs inside a lab's namespaces. */
export function inLab(): boolean {
  return process.env['MAILSEAL_LAB'] !== undefined;
}

let ownFolder: string | undefined;

/**
 * The folder that holds all state of this lab. Outside the namespaces, one that is removed when this program ends (or,
 * if it was killed, by the next that asks).
 */
export function labDir(): string {
  const given = process.env['MAILSEAL_LAB_DIR'];
  if (given !== undefined) return given;
  if (ownFolder === undefined) {
    removeLeftovers();
    const id = newLabId();
    ownFolder = labFolder(id);
    mkdirSync(ownFolder, { mode: 0o755 });
    process.once('exit', () => removeLabFolder(id, false));
  }
  return ownFolder;
}

/** A new empty folder below `labDir`, readable by the users that servers drop to. */
export function newFolder(name: string): string {
  const folder = mkdtempSync(join(labDir(), `${name}-`));
  chmodSync(folder, 0o755);
  return folder;
}

/** Gives the lab an address (`10.53.0.x`, `fd53::x`) of its own on its bridge; having it already is fine. */
export async function addAddress(address: string): Promise<void> {
  if (!inLab()) throw new Error(`${address} can be added only inside the namespaces of a lab: see inLabNamespace`);
  const suffix = address.includes(':') ? ['/128', 'nodad'] : ['/32'];
  await run(['ip', 'address', 'replace', `${address}${suffix[0]}`, 'dev', bridge, ...suffix.slice(1)]);
}

/** Adds to the environment that `execInLab` gives to commands: `KUBECONFIG`, for example. */
export function shareWithExec(env: Readonly<Record<string, string>>): void {
  const path = join(labDir(), 'env.json');
  writeFileSync(path, JSON.stringify({ ...(readJson(path) as Record<string, string> | undefined), ...env }));
}
