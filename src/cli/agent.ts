/** `mailseal agent enroll|run`: arguments in, exit code out. */
import { isIP } from 'node:net';
import { isAbsolute } from 'node:path';
import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import { readAgentFile, type TlsFiles } from '../agent/agent-file.ts';
import { enroll } from '../agent/enroll.ts';
import { createPostfix, missingSettings } from '../agent/postfix.ts';
import { runAgent } from '../agent/run.ts';
import type { Clock } from '../clock.ts';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';

/** What the composition root lends to a command. */
export interface AgentIo {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
  readonly clock: Clock;
  /** Aborted by SIGTERM and SIGINT. */
  readonly signal: AbortSignal;
}

export const agentUsage = `mailseal agent: gives a mail server outside the cluster its key and certificate (Postfix)

  mailseal agent enroll NAMESPACE/EXCHANGER HOST --out FILE [options]
      On a machine with an administrator's kubeconfig. Makes an account that can read the exchanger's Secret, write one
      report and renew its own token, and writes all that the host needs into FILE (mode 0600). Copy it to the host.
      --kubeconfig FILE        default: $KUBECONFIG, else ~/.kube/config
      --context NAME           default: the current one
      --server URL             the API server as the MX host reaches it
      --secret NAME            default: the exchanger's, EXCHANGER-tls
      --postfix-dir DIR        Postfix's config_directory on the host, default /etc/postfix
      --files SPEC             where key and chain go: chain=PATH or cert=PATH,key=PATH
                               default: chain=POSTFIX_DIR/mailseal/chain.pem
      --smtp ADDRESS:PORT      where the host's own Postfix answers, default: asked of Postfix, port 25
      --token-days N           default 30; it renews itself at half of that

  mailseal agent run --config FILE [--configure] [--dry-run]
      On the MX host, as root. Installs each new certificate, tests, reloads, verifies by STARTTLS, rolls back on failure,
      and attests what is presented.
      --configure              set smtpd_tls_chain_files, and smtpd_tls_security_level=may where it is weaker
      --dry-run                say what --configure would set, change nothing
`;

/** Bad arguments: the message names what to mend. */
class UsageError extends Error {}

/** Runs one command; resolves with the exit code: 0, 1 (failed, said on stderr), 2 (bad arguments). */
export async function agentCommand(args: readonly string[], io: AgentIo): Promise<number> {
  const [verb, ...rest] = args;
  try {
    switch (verb ?? '') {
      case 'enroll':
        return await enrollCommand(rest, io);
      case 'run':
        return await runCommand(rest, io);
      case '--help':
      case '-h':
        io.out(agentUsage);
        return 0;
      default:
        throw new UsageError(verb === undefined ? 'say enroll or run' : `there is no 'agent ${verb}'`);
    }
  } catch (error) {
    io.err(`mailseal agent: ${messageOf(error)}\n`);
    if (!(error instanceof UsageError)) return 1;
    io.err('Try: mailseal agent --help\n');
    return 2;
  }
}

async function enrollCommand(args: readonly string[], io: AgentIo): Promise<number> {
  const text = { type: 'string' } as const;
  const { values, positionals } = parse(args, {
    out: text,
    kubeconfig: text,
    context: text,
    server: text,
    secret: text,
    'postfix-dir': { type: 'string', default: '/etc/postfix' },
    files: text,
    smtp: text,
    'token-days': { type: 'string', default: '30' },
  });
  const [exchangerRef, host, ...more] = positionals;
  const parts = exchangerRef?.split('/') ?? [];
  const [namespace, exchanger] = parts;
  if (
    namespace === undefined ||
    exchanger === undefined ||
    parts.length !== 2 ||
    host === undefined ||
    more.length > 0
  ) {
    throw new UsageError('enroll takes NAMESPACE/EXCHANGER and HOST');
  }
  const out = values['out'];
  if (out === undefined) throw new UsageError('enroll needs --out FILE');
  const { context, server, secret, files, smtp } = values;
  const enrolled = await enroll({
    namespace,
    exchanger,
    host: hostArgument(host),
    kubeconfig: values['kubeconfig'] ?? kubeconfigOf(io.env),
    out,
    postfixDir: absolute('--postfix-dir', values['postfix-dir']),
    tokenSeconds: tokenSeconds(values['token-days']),
    now: io.clock.now(),
    ...(context === undefined ? {} : { context }),
    ...(server === undefined ? {} : { server: serverArgument(server) }),
    ...(secret === undefined ? {} : { secretName: secret }),
    ...(files === undefined ? {} : { files: filesArgument(files) }),
    ...(smtp === undefined ? {} : { smtp: smtpArgument(smtp) }),
  });
  for (const note of enrolled.notes) io.err(`${note}\n`);
  io.out(`${out} is all that ${host} needs; it holds a token: copy it over a safe channel, mode 0600, and there run\n`);
  io.out(`  mailseal agent run --config FILE --configure\n`);
  return 0;
}

async function runCommand(args: readonly string[], io: AgentIo): Promise<number> {
  const flag = { type: 'boolean', default: false } as const;
  const { values, positionals } = parse(args, { config: { type: 'string' }, configure: flag, 'dry-run': flag });
  const config = values['config'];
  if (config === undefined || positionals.length > 0) throw new UsageError('run needs --config FILE, and nothing more');
  if (values['dry-run']) return dryRun(config, io);
  await runAgent({ config, configure: values['configure'], log: io.log, signal: io.signal });
  return 0;
}

async function dryRun(config: string, io: AgentIo): Promise<number> {
  const { postfixDir, files } = await readAgentFile(config);
  const settings = await missingSettings(createPostfix(postfixDir), files);
  if (settings.size === 0) io.out(`${postfixDir}/main.cf needs no change\n`);
  for (const [name, value] of settings) io.out(`${postfixDir}/main.cf: ${name} = ${value}\n`);
  for (const path of Object.values<string>(files)) io.out(`key and chain go into ${path}\n`);
  return 0;
}

type Parsed<T extends ParseArgsOptionsConfig> = ReturnType<
  typeof parseArgs<{ args: string[]; options: T; allowPositionals: true }>
>;

function parse<const T extends ParseArgsOptionsConfig>(args: readonly string[], options: T): Parsed<T> {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(messageOf(error), { cause: error });
  }
}

function kubeconfigOf(env: AgentIo['env']): string {
  const named = env['KUBECONFIG']?.split(':').find((path) => path !== '');
  return named ?? `${env['HOME'] ?? ''}/.kube/config`;
}

function hostArgument(text: string): string {
  const host = text.toLowerCase().replace(/\.$/u, '');
  if (/^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$/u.test(host)) return host;
  throw new UsageError(`'${text}' is not a host name; write an internationalised one in its A-labels (xn--…)`);
}

function serverArgument(text: string): string {
  if (URL.canParse(text) && new URL(text).protocol === 'https:') return text;
  throw new UsageError(`--server: '${text}' is not an https URL`);
}

function tokenSeconds(text: string): number {
  const days = Number(text);
  if (!(days >= 1 && days <= 365)) throw new UsageError(`--token-days: '${text}' is not a number from 1 to 365`);
  return Math.round(days * 86_400);
}

function filesArgument(text: string): TlsFiles {
  const given = new Map(text.split(',').map((part) => [part.split('=')[0], part.slice(part.indexOf('=') + 1)]));
  const [chain, certificate, key] = ['chain', 'cert', 'key'].map((name) => given.get(name));
  if (chain !== undefined && given.size === 1) return { chain: absolute('--files', chain) };
  if (certificate !== undefined && key !== undefined && given.size === 2) {
    return { certificate: absolute('--files', certificate), key: absolute('--files', key) };
  }
  throw new UsageError(`--files: '${text}' is neither chain=PATH nor cert=PATH,key=PATH`);
}

function smtpArgument(text: string): { readonly address: string; readonly port: number } {
  const [, address = '', port = ''] = /^\[?([0-9a-fA-F:.]+?)\]?:(\d{1,5})$/u.exec(text) ?? [];
  if (isIP(address) !== 0 && Number(port) <= 65_535) return { address, port: Number(port) };
  throw new UsageError(`--smtp: '${text}' is not an IP address with a port`);
}

function absolute(option: string, path: string): string {
  if (isAbsolute(path)) return path;
  throw new UsageError(`${option}: '${path}' is not an absolute path`);
}
