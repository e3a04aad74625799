/** Running a command to its end. */
import { spawn } from 'node:child_process';

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Written to its stdin; without it stdin is empty. */
  readonly input?: string;
}

/**
 * Runs a command to its end and resolves with its stdout.
 * Rejects with the last lines of its output when it can't be started or ends with anything but 0.
 */
export function run(argv: readonly [string, ...string[]], options: CommandOptions = {}): Promise<string> {
  const [command, ...args] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    // A command that ends without reading its input closes the pipe under us: its exit code says what matters.
    child.stdin.on('error', () => undefined).end(options.input ?? '');
    let stdout = '';
    let both = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      stdout += chunk;
      both += chunk;
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      both += chunk;
    });
    child.once('error', (error) => reject(new Error(`${command} could not be started: ${error.message}`)));
    child.once('close', (code, signal) => {
      if (code === 0) return resolve(stdout);
      const last = both.trimEnd().split('\n').slice(-20).join('\n');
      reject(new Error(`${argv.slice(0, 3).join(' ')} ended with ${signal ?? `exit code ${code}`}\n${last}`));
    });
  });
}
