import { execFile, type ExecFileException } from 'node:child_process';

export interface Ended {
  readonly ok: boolean;
  /** What the command wrote, at most some lines. */
  readonly said: string;
}

const commandMs = 60_000;
const mostBytes = 4_194_304;

type Raw = { readonly error: ExecFileException | null; readonly stdout: string; readonly stderr: string };

/** Folders of system programs are not on every PATH. */
function execute(command: string, args: readonly string[], folder = ''): Promise<Raw> {
  const options = { timeout: commandMs, maxBuffer: mostBytes, encoding: 'utf8' } as const;
  return new Promise((resolve) => {
    const child = execFile(`${folder}${command}`, args, options, (error, stdout, stderr) => {
      if (error?.code === 'ENOENT' && folder === '' && !command.includes('/')) {
        return resolve(execute(command, args, '/usr/sbin/'));
      }
      resolve({ error, stdout, stderr });
    });
    // Some wait for commands where they were only to read their configuration; who ends without reading is no failure.
    child.stdin?.on('error', () => {}).end();
  });
}

const lastWords = (text: string): string => text.trim().split('\n').slice(-5).join('\n').slice(0, 1000);

/** Never rejects: a program that can't be run has ended badly, with the reason. */
export async function runCommand(command: string, args: readonly string[]): Promise<Ended> {
  const { error, stdout, stderr } = await execute(command, args);
  const said = lastWords(`${stdout}${stderr}`);
  return { ok: error === null, said: error === null || said !== '' ? said : error.message };
}

/** What the command writes to stdout. Rejects with its last words when it fails. */
export async function outputOf(command: string, args: readonly string[]): Promise<string> {
  const { error, stdout, stderr } = await execute(command, args);
  if (error === null) return stdout;
  const said = lastWords(stderr) || lastWords(stdout) || error.message;
  throw new Error(`${command} ${args.join(' ')}: ${said}`, { cause: error });
}
