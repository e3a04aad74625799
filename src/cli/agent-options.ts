/** What `mailseal agent` is told of one host and its mail server, by whichever verb. */
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { isAbsolute } from 'node:path';
import type { Installation } from '../agent/agent-file.ts';
import { defaultResolvers } from '../agent/default-resolvers.ts';
import { defaultConfigs, defaultFiles } from '../agent/servers/open.ts';
import { type MailServerKind, mailServerKinds, type Port, type TlsFiles } from '../agent/servers/server.ts';
import { UsageError } from '../config.ts';
import { messageOf } from '../errors.ts';
import { parseEndpoint } from '../observe/dns/endpoint.ts';

type Name = 'mail-server' | 'mail-config' | 'files' | 'smtp' | 'tls' | 'resolver-ca' | 'secure-name' | 'bogus-name';

const text = { type: 'string' } as const;
const texts = { type: 'string', multiple: true } as const;

export const installationOptions: Readonly<Record<Name, typeof text>> & { readonly resolver: typeof texts } = {
  'mail-server': text,
  'mail-config': text,
  files: text,
  smtp: text,
  tls: text,
  resolver: texts,
  'resolver-ca': text,
  'secure-name': text,
  'bogus-name': text,
};

export const installationUsage: string = `      --mail-server NAME       ${mailServerKinds.join(', ')}; default postfix
      --mail-config PATH       its configuration: of Postfix the folder, of others the main file; default Debian's
      --files SPEC             where key and chain go: chain=PATH or cert=PATH,key=PATH
                               default: mailseal/chain.pem beside the configuration
      --smtp ADDRESS:PORT      where the mail server answers with STARTTLS, default: as its configuration says
      --tls ADDRESS:PORT       where it answers with TLS from the first byte, such as IMAPS
      --resolver URL           a validating resolver, asked whether live TLSA records match a new key: tls://ADDRESS:853#NAME
                               or udp://ADDRESS:53; may be repeated; default tls://9.9.9.9:853#dns.quad9.net; off: nobody
                               is asked, and a key is presented that DANE senders may refuse
      --resolver-ca FILE       whom to trust for tls:// beside the public CAs
      --secure-name NAME, --bogus-name NAME
                               what shows whether a resolver validates
`;

type Values = Readonly<Partial<Record<Name, string>>> & { readonly resolver?: readonly string[] };

/** @throws UsageError that names what to mend. Rejects when the file of the CA can't be read. */
export async function installationOf(host: string, values: Values): Promise<Installation> {
  const mailServer = mailServerArgument(values['mail-server'] ?? 'postfix');
  const mailConfig = absolute('--mail-config', values['mail-config'] ?? defaultConfigs[mailServer]);
  const { files, smtp, tls } = values;
  if (smtp !== undefined && tls !== undefined) throw new UsageError('--smtp and --tls are two ways to say one thing');
  const port =
    smtp === undefined
      ? tls === undefined
        ? undefined
        : portArgument('--tls', tls, 'Direct')
      : portArgument('--smtp', smtp, 'StartTls');
  return {
    host: hostArgument(host),
    mailServer,
    mailConfig,
    files: files === undefined ? defaultFiles(mailServer, mailConfig) : filesArgument(files),
    ...(port === undefined ? {} : { port }),
    resolvers: await resolversOf(values),
  };
}

async function resolversOf(values: Values): Promise<Installation['resolvers']> {
  const servers = values.resolver ?? defaultResolvers.servers;
  if (servers.includes('off')) {
    if (servers.length === 1) return 'off';
    throw new UsageError('--resolver: off and a resolver contradict each other');
  }
  for (const server of servers) checkEndpoint(server);
  const ca = values['resolver-ca'];
  return {
    servers,
    ...(ca === undefined ? {} : { ca: await readFile(ca, 'utf8') }),
    secureName: values['secure-name'] ?? defaultResolvers.secureName,
    bogusName: values['bogus-name'] ?? defaultResolvers.bogusName,
  };
}

function checkEndpoint(text: string): void {
  try {
    parseEndpoint(text);
  } catch (error) {
    throw new UsageError(`--resolver: ${messageOf(error)}`, { cause: error });
  }
}

function mailServerArgument(text: string): MailServerKind {
  const found = mailServerKinds.find((kind) => kind === text);
  if (found !== undefined) return found;
  throw new UsageError(`--mail-server: '${text}' is not one of ${mailServerKinds.join(', ')}`);
}

function hostArgument(text: string): string {
  const host = text.toLowerCase().replace(/\.$/u, '');
  if (/^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$/u.test(host)) return host;
  throw new UsageError(`'${text}' is not a host name; write an internationalised one in its A-labels (xn--…)`);
}

function filesArgument(text: string): TlsFiles {
  const given = new Map(text.split(',').map((part) => [part.split('=')[0], part.slice(part.indexOf('=') + 1)]));
  const [chain, certificate, key] = ['chain', 'cert', 'key'].map((name) => given.get(name));
  if (chain !== undefined && given.size === 1) return { chain: absolute('--files', chain) };
  if (certificate !== undefined && key !== undefined && given.size === 2) {
    if (certificate !== key) return { certificate: absolute('--files', certificate), key: absolute('--files', key) };
    throw new UsageError(`--files: one file for both is chain=${key}`);
  }
  throw new UsageError(`--files: '${text}' is neither chain=PATH nor cert=PATH,key=PATH`);
}

function portArgument(option: string, text: string, tls: Port['tls']): Port {
  const [, address = '', port = ''] = /^\[?([0-9a-fA-F:.]+?)\]?:(\d{1,5})$/u.exec(text) ?? [];
  if (isIP(address) !== 0 && Number(port) <= 65_535) return { address, port: Number(port), tls };
  throw new UsageError(`${option}: '${text}' is not an IP address with a port`);
}

function absolute(option: string, path: string): string {
  if (isAbsolute(path)) return path;
  throw new UsageError(`${option}: '${path}' is not an absolute path`);
}
