/**
 * Sendmail by its sendmail.cf. It sends the chain that stands in the file of the certificate, and wants its files, and
 * all folders above them, to be writable by root only.
 */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readIfPresent } from '../atomic-file.ts';
import { runCommand } from './command.ts';
import { hangUp } from './hang-up.ts';
import { localAddress, portNumber } from './listening.ts';
import { type Edit, type Lacking, type MailServer, type Port, rootOnly, type TlsFiles } from './server.ts';

/** Options of sendmail.cf, and what m4 calls them. */
const macros: Readonly<Record<string, string>> = {
  ServerCertFile: 'confSERVER_CERT',
  ServerKeyFile: 'confSERVER_KEY',
  CACertPath: 'confCACERT_PATH',
  CACertFile: 'confCACERT',
};

/** @param config `sendmail.cf`; where a `.mc` of the same name lies beside it, that gets the same. */
export function createSendmail(config: string): MailServer {
  const read = (): Promise<string> => readFile(config, 'utf8');
  const reload = async () => {
    const pidFile = optionIn(await read(), 'PidFile') ?? '/var/run/sendmail.pid';
    return await hangUp(pidFile, 'sendmail');
  };
  return {
    kind: 'sendmail',
    name: 'Sendmail',
    config,
    test: { command: 'sendmail -bt', run: () => runCommand('sendmail', ['-C', config, '-bt']) },
    reload: { command: 'SIGHUP to Sendmail', run: reload },
    owner: () => Promise.resolve(rootOnly),
    lacking: async (files) => lackingOf(config, await read(), files),
    port: async () => ownPort(await read()),
  };
}

/** The last one counts. */
function optionIn(text: string, name: string): string | undefined {
  return [...text.matchAll(new RegExp(`^O\\s*${name}=(.*)$`, 'gmu'))].at(-1)?.[1]?.trim();
}

async function lackingOf(config: string, text: string, files: TlsFiles): Promise<Lacking> {
  const [certificate, key] = 'chain' in files ? [files.chain, files.chain] : [files.certificate, files.key];
  const wanted = new Map([
    ['ServerCertFile', certificate],
    ['ServerKeyFile', key],
  ]);
  // It offers no STARTTLS without these two, whatever they hold; what is set is somebody's choice.
  if (optionIn(text, 'CACertPath') === undefined) wanted.set('CACertPath', dirname(certificate));
  if (optionIn(text, 'CACertFile') === undefined) wanted.set('CACertFile', certificate);
  const missing = new Map([...wanted].filter(([name, value]) => optionIn(text, name) !== value));
  const settings = [...missing].map(([name, value]) => `${name}=${value}`);
  if (settings.length === 0) return { settings, edits: [] };
  const after = [...missing].reduce((cf, [name, value]) => withOption(cf, name, value), text);
  return { settings, edits: [...(await sourceEdits(config, missing)), { path: config, before: text, after }] };
}

function withOption(text: string, name: string, value: string): string {
  const lines = text.split('\n');
  const option = new RegExp(`^O\\s*${name}=`, 'u');
  const at = lines.findLastIndex((line) => option.test(line));
  const place = at === -1 ? lines.findIndex((line) => new RegExp(`^#\\s*O\\s*${name}\\b`, 'u').test(line)) : at;
  const line = `O ${name}=${value}`;
  if (place === -1) return `${text.replace(/\n?$/u, '\n')}${line}\n`;
  return lines.with(place, line).join('\n');
}

/** So that the next sendmail.cf that is made says the same. */
async function sourceEdits(config: string, missing: ReadonlyMap<string, string>): Promise<readonly Edit[]> {
  const source = config.replace(/\.cf$/u, '.mc');
  const before = source === config ? undefined : await readIfPresent(source);
  if (before === undefined) return [];
  const path = join(dirname(config), 'mailseal.m4');
  const snippetBefore = await readIfPresent(path);
  const names = [...missing.keys()].map((name) => macros[name] ?? name);
  const kept = (snippetBefore ?? '').split('\n').filter((line) => !names.some((name) => line.includes(`\`${name}'`)));
  const lines = [...missing].map(([name, value]) => `define(\`${macros[name] ?? name}', \`${value}')dnl`);
  const header = 'dnl Written by mailseal agent --configure.';
  const all = [header, ...kept.filter((line) => line !== '' && line !== header), ...lines, ''];
  const snippet = { path, after: all.join('\n'), ...(snippetBefore === undefined ? {} : { before: snippetBefore }) };
  const include = `include(\`${path}')dnl`;
  if (before.split('\n').includes(include)) return [snippet];
  return [snippet, { path: source, before, after: `${before.replace(/\n?$/u, '\n')}${include}\n` }];
}

function ownPort(text: string): Port {
  const fields = (optionIn(text, 'DaemonPortOptions') ?? '').split(',').map((field) => field.split('='));
  // Only the first letter of a field's name counts.
  const field = (letter: string): string | undefined =>
    fields.find(([name = '']) => name.trim().toUpperCase().startsWith(letter))?.[1]?.trim();
  return { address: localAddress([field('A') ?? '']), port: portNumber(field('P') ?? 'smtp'), tls: 'StartTls' };
}
