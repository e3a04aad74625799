/**
 * Starting, awaiting and stopping the real servers of a lab.
 *
 * Every process runs in a session of its own, so that a Ctrl-C in the terminal reaches only the program that owns
 * the lab, which then stops its parts in reverse order. Output goes to a file; its tail is quoted when a part fails.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';

const setpriv = '/usr/bin/setpriv';

export interface ProcessSpec {
  /** What the part is called in messages: `etcd`, `named primary`. */
  readonly name: string;
  readonly argv: readonly [string, ...string[]];
  /** Absolute path; stdout and stderr are appended to it. */
  readonly log: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export interface Running {
  readonly name: string;
  readonly pid: number;
  readonly log: string;
  /** Resolves with a sentence that says how the process ended; never rejects. */
  readonly ended: Promise<string>;
  readonly alive: () => boolean;
  readonly signal: (signal: NodeJS.Signals) => void;
  /** SIGTERM to the process group, SIGKILL after `graceMs`; resolves when the process is gone. */
  readonly stop: (graceMs?: number) => Promise<void>;
}

export function startProcess(spec: ProcessSpec): Running {
  mkdirSync(dirname(spec.log), { recursive: true });
  const out = openSync(spec.log, 'a');
  const [command, ...args] = killedWithUs(spec.argv);
  const child: ChildProcess = spawn(command, args, {
    detached: true,
    stdio: ['ignore', out, out],
    env: { ...process.env, ...spec.env },
    ...(spec.cwd === undefined ? {} : { cwd: spec.cwd }),
  });
  closeSync(out);
  let alive = child.pid !== undefined;
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => {
      alive = false;
      resolve(`${spec.name} could not be started: ${error.message}`);
    });
    child.once('exit', (code, signal) => {
      alive = false;
      resolve(`${spec.name} ended with ${signal ?? `exit code ${code}`}`);
    });
  });
  const pid = child.pid ?? -1;
  const signal = (name: NodeJS.Signals): void => {
    if (!alive) return;
    try {
      process.kill(-pid, name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  };
  const stop = async (graceMs = 5000): Promise<void> => {
    if (!alive) return;
    signal('SIGTERM');
    const timer = setTimeout(() => signal('SIGKILL'), graceMs);
    await ended;
    clearTimeout(timer);
  };
  return { name: spec.name, pid, log: spec.log, ended, alive: () => alive, signal, stop };
}

/** Linux ends the part when our main thread ends, however that ends; elsewhere a killed program leaves its parts. */
function killedWithUs(argv: readonly [string, ...string[]]): readonly [string, ...string[]] {
  return existsSync(setpriv) ? [setpriv, '--pdeathsig', 'KILL', ...argv] : argv;
}

/** The last lines of a log, for a message that explains a failure. */
export function tail(log: string, lines = 15): string {
  try {
    return readFileSync(log, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  } catch {
    return `(no log at ${log})`;
  }
}

/**
 * Asks `probe` again until it returns something other than `undefined` or `false`, or throws nothing.
 * Rejects after `timeoutMs` with what was awaited and the last error, or at once when `part` has died, with its log.
 */
export async function waitFor<T>(
  what: string,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
  options: { readonly timeoutMs?: number; readonly everyMs?: number; readonly part?: Running } = {},
): Promise<T> {
  const { timeoutMs = 30_000, everyMs = 100, part } = options;
  const deadline = Date.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    if (part !== undefined && !part.alive()) throw new Error(`${what}: ${await part.ended}\n${tail(part.log)}`);
    try {
      const value = await probe();
      if (value !== undefined && value !== false) return value;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) {
      const why = last instanceof Error ? `; last error: ${last.message}` : '';
      const log = part === undefined ? '' : `\n${tail(part.log)}`;
      throw new Error(`${what}: not within ${timeoutMs / 1000} s${why}${log}`);
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
