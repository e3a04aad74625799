/** Postfix as its own commands let us work it: check, reload, postconf. */
import { execFile } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import type { TlsFiles } from './agent-file.ts';
import { writeAtomically } from './atomic-file.ts';

interface Ended {
  readonly ok: boolean;
  /** What the command wrote, at most some lines. */
  readonly said: string;
}

export interface Postfix {
  readonly directory: string;
  readonly check: () => Promise<Ended>;
  readonly reload: () => Promise<Ended>;
  /** The value of a parameter, expanded. Rejects when postconf fails. */
  readonly setting: (name: string) => Promise<string>;
  readonly set: (settings: ReadonlyMap<string, string>) => Promise<void>;
  readonly readMain: () => Promise<string>;
  readonly restoreMain: (content: string) => Promise<void>;
}

const commandMs = 60_000;

/** @param directory Postfix's `config_directory`. */
export function createPostfix(directory: string): Postfix {
  const main = join(directory, 'main.cf');
  const postconf = async (...args: readonly string[]): Promise<string> => {
    const ended = await runCommand('postconf', ['-c', directory, ...args]);
    if (!ended.ok) throw new Error(`postconf -c ${directory} ${args.join(' ')}: ${ended.said}`);
    return ended.said;
  };
  return {
    directory,
    check: () => runCommand('postfix', ['-c', directory, 'check']),
    reload: () => runCommand('postfix', ['-c', directory, 'reload']),
    setting: (name) => postconf('-x', '-h', name),
    set: async (settings) => {
      await postconf('-e', ...[...settings].map(([name, value]) => `${name} = ${value}`));
    },
    readMain: () => readFile(main, 'utf8'),
    restoreMain: async (content) => writeAtomically(main, content, (await stat(main)).mode & 0o777),
  };
}

/**
 * What must be set so that Postfix offers STARTTLS with these files; empty when it does. A stronger
 * `smtpd_tls_security_level` is left alone.
 */
export async function missingSettings(postfix: Postfix, files: TlsFiles): Promise<ReadonlyMap<string, string>> {
  const wanted =
    'chain' in files
      ? { smtpd_tls_chain_files: files.chain }
      : { smtpd_tls_chain_files: '', smtpd_tls_cert_file: files.certificate, smtpd_tls_key_file: files.key };
  const settings = new Map<string, string>();
  for (const [name, value] of Object.entries(wanted)) {
    if ((await postfix.setting(name)) !== value) settings.set(name, value);
  }
  const level = await postfix.setting('smtpd_tls_security_level');
  if (level === '' || level === 'none') settings.set('smtpd_tls_security_level', 'may');
  return settings;
}

/** The address at which this Postfix answers from the same machine. */
export async function ownAddress(postfix: Postfix): Promise<string> {
  const interfaces = (await postfix.setting('inet_interfaces')).split(/[\s,]+/u);
  const literal = interfaces.map((name) => name.replaceAll(/[[\]]/gu, '')).find((name) => isIP(name) !== 0);
  if (literal !== undefined) return literal;
  return (await postfix.setting('inet_protocols')) === 'ipv6' ? '::1' : '127.0.0.1';
}

/** Never rejects: a program that can't be run has ended badly, with the reason. */
function runCommand(command: string, args: readonly string[], folder = ''): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(`${folder}${command}`, args, { timeout: commandMs, encoding: 'utf8' }, (error, stdout, stderr) => {
      if (error?.code === 'ENOENT' && folder === '') return resolve(runCommand(command, args, '/usr/sbin/'));
      const said = `${stdout}${stderr}`.trim().split('\n').slice(-5).join('\n').slice(0, 1000);
      resolve({ ok: error === null, said: error === null || said !== '' ? said : error.message });
    });
  });
}
