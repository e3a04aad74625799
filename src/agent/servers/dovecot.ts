/** Dovecot by doveconf and doveadm. Key and chain may lie in one file: it reads of each what it needs. */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readIfPresent } from '../atomic-file.ts';
import { outputOf, runCommand } from './command.ts';
import { localAddress, portNumber } from './listening.ts';
import { type Edit, type Lacking, type MailServer, type Port, rootOnly, type TlsFiles } from './server.ts';

type Setting = (name: string) => Promise<string>;

/** @param config `dovecot.conf`. */
export function createDovecot(config: string): MailServer {
  // -P shows what would be hidden: of the key only the name of its file is read.
  const setting: Setting = async (name) => (await outputOf('doveconf', ['-c', config, '-P', '-h', name])).trim();
  return {
    kind: 'dovecot',
    name: 'Dovecot',
    config,
    test: { command: 'doveconf', run: () => runCommand('doveconf', ['-c', config, '-n']) },
    reload: { command: 'doveadm reload', run: () => runCommand('doveadm', ['-c', config, 'reload']) },
    // Its config process reads it, as root.
    owner: () => Promise.resolve(rootOnly),
    lacking: (files) => lackingOf(config, setting, files),
    port: () => ownPort(setting),
  };
}

/** Since 2.4 settings have other names, and files are named without the sign that reads them. */
async function wantedOf(files: TlsFiles): Promise<readonly (readonly [string, string])[]> {
  const [certificate, key] = 'chain' in files ? [files.chain, files.chain] : [files.certificate, files.key];
  const [, major = 0, minor = 0] = /^(\d+)\.(\d+)/u.exec(await outputOf('dovecot', ['--version'])) ?? [];
  const old = Number(major) < 2 || (Number(major) === 2 && Number(minor) < 4);
  return old
    ? [
        ['ssl_cert', `<${certificate}`],
        ['ssl_key', `<${key}`],
      ]
    : [
        ['ssl_server_cert_file', certificate],
        ['ssl_server_key_file', key],
      ];
}

async function lackingOf(config: string, setting: Setting, files: TlsFiles): Promise<Lacking> {
  const wanted = await wantedOf(files);
  const settings: string[] = [];
  for (const [name, value] of wanted) if ((await setting(name)) !== value) settings.push(`${name} = ${value}`);
  // `required` is stricter than ours.
  const level = await setting('ssl');
  if (level === 'no') settings.push('ssl = yes');
  if (settings.length === 0) return { settings, edits: [] };
  const lines = wanted.map(([name, value]) => `${name} = ${value}`);
  return { settings, edits: await editsOf(config, lines, level) };
}

async function editsOf(config: string, lines: readonly string[], level: string): Promise<readonly Edit[]> {
  const main = await readFile(config, 'utf8');
  const hasFolder = /^\s*!include(_try)?\s+conf\.d\/\*\.conf\s*$/mu.test(main);
  const path = join(dirname(config), hasFolder ? 'conf.d/99-mailseal.conf' : 'mailseal.conf');
  const before = await readIfPresent(path);
  const offered = level === 'no' || before?.includes('\nssl = yes\n') === true ? ['ssl = yes'] : [];
  const after = ['# Written by mailseal agent --configure.', ...lines, ...offered, ''].join('\n');
  const snippet = { path, after, ...(before === undefined ? {} : { before }) };
  const line = '!include_try mailseal.conf';
  if (hasFolder || main.split('\n').includes(line)) return [snippet];
  return [snippet, { path: config, before: main, after: `${main.replace(/\n?$/u, '\n')}${line}\n` }];
}

const listeners = [
  { protocol: 'imap', listener: 'service/imap-login/inet_listener/imaps/port', tls: 'Direct' },
  { protocol: 'pop3', listener: 'service/pop3-login/inet_listener/pop3s/port', tls: 'Direct' },
  { protocol: 'submission', listener: 'service/submission-login/inet_listener/submission/port', tls: 'StartTls' },
] as const;

async function ownPort(setting: Setting): Promise<Port> {
  const protocols = (await setting('protocols')).split(/\s+/u);
  for (const { protocol, listener, tls } of listeners) {
    const port = protocols.includes(protocol) ? await setting(listener) : '0';
    if (port === '0') continue;
    return { address: localAddress((await setting('listen')).split(/[\s,]+/u)), port: portNumber(port), tls };
  }
  throw new Error('Dovecot serves neither IMAPS, POP3S nor submission: say where it presents TLS with --smtp or --tls');
}
