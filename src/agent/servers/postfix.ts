/** Postfix as its own commands let us work it: check, reload, postconf. */
import { copyFile, mkdtemp, readFile, realpath, rm } from 'node:fs/promises';
import { isIP } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { outputOf, runCommand } from './command.ts';
import { type Edit, type Lacking, type MailServer, rootOnly, type TlsFiles } from './server.ts';

type Setting = (name: string) => Promise<string>;

/** @param directory Postfix's `config_directory`. */
export function createPostfix(directory: string): MailServer {
  const postfix = (verb: string) => ({
    command: `postfix ${verb}`,
    run: () => runCommand('postfix', ['-c', directory, verb]),
  });
  const setting: Setting = async (name) => (await outputOf('postconf', ['-c', directory, '-x', '-h', name])).trim();
  return {
    kind: 'postfix',
    name: 'Postfix',
    config: join(directory, 'main.cf'),
    test: postfix('check'),
    reload: postfix('reload'),
    // smtpd and tlsproxy read it before they drop root's rights.
    owner: () => Promise.resolve(rootOnly),
    lacking: (files) => lackingOf(directory, setting, files),
    port: async () => ({ address: await ownAddress(setting), port: 25, tls: 'StartTls' }),
  };
}

async function lackingOf(directory: string, setting: Setting, files: TlsFiles): Promise<Lacking> {
  const wanted =
    'chain' in files
      ? { smtpd_tls_chain_files: files.chain }
      : { smtpd_tls_chain_files: '', smtpd_tls_cert_file: files.certificate, smtpd_tls_key_file: files.key };
  const settings: string[] = [];
  for (const [name, value] of Object.entries(wanted)) {
    if ((await setting(name)) !== value) settings.push(`${name} = ${value}`);
  }
  if (!(await offersTls(setting))) settings.push('smtpd_tls_security_level = may');
  return { settings, edits: settings.length === 0 ? [] : [await editOf(directory, settings)] };
}

/** Where the level is not set, what was before it counts, and a level would undo the stricter of them. */
async function offersTls(setting: Setting): Promise<boolean> {
  const level = await setting('smtpd_tls_security_level');
  if (level !== '') return level !== 'none';
  return (await Promise.all(['smtpd_enforce_tls', 'smtpd_use_tls'].map(setting))).includes('yes');
}

/** What postconf makes of a copy: it knows comments, continued lines and parameters that stand twice. */
async function editOf(directory: string, settings: readonly string[]): Promise<Edit> {
  const path = await realpath(join(directory, 'main.cf'));
  const before = await readFile(path, 'utf8');
  const copies = await mkdtemp(join(tmpdir(), 'mailseal-postfix-'));
  try {
    const copy = join(copies, 'main.cf');
    await copyFile(path, copy);
    await outputOf('postconf', ['-c', copies, '-e', ...settings]);
    return { path, before, after: await readFile(copy, 'utf8') };
  } finally {
    await rm(copies, { recursive: true, force: true });
  }
}

/** The address at which this Postfix answers from the same machine. */
async function ownAddress(setting: Setting): Promise<string> {
  const interfaces = (await setting('inet_interfaces')).split(/[\s,]+/u);
  const literal = interfaces.map((name) => name.replaceAll(/[[\]]/gu, '')).find((name) => isIP(name) !== 0);
  if (literal !== undefined) return literal;
  return (await setting('inet_protocols')) === 'ipv6' ? '::1' : '127.0.0.1';
}
