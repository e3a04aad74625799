/** `mailseal agent enroll|run`: arguments in, exit code out. */
import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import { readAgentFile } from '../agent/agent-file.ts';
import { offeredByCluster, preview } from '../agent/dry-run.ts';
import { enroll } from '../agent/enroll.ts';
import { offeredByFolder, runFromFolder } from '../agent/folder.ts';
import { runAgent } from '../agent/run.ts';
import type { Clock } from '../clock.ts';
import { UsageError } from '../config.ts';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { installationOf, installationOptions, installationUsage } from './agent-options.ts';

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

export const agentUsage: string = `mailseal agent: gives a mail server outside the cluster its key and certificate

  mailseal agent enroll NAMESPACE/EXCHANGER HOST --out FILE [options]
      On a machine with an administrator's kubeconfig. Makes an account that can read the exchanger's Secret, write one
      report and renew its own token, and writes all that the host needs into FILE (mode 0600). Copy it to the host.
      --kubeconfig FILE        default: $KUBECONFIG, else ~/.kube/config
      --context NAME           default: the current one
      --server URL             the API server as the MX host reaches it
      --secret NAME            default: the exchanger's, EXCHANGER-tls
      --token-days N           default 30; it renews itself at half of that
${installationUsage}
  mailseal agent run --config FILE [--configure] [--dry-run]
      On the MX host, as root. Installs each new certificate: asks the DNS about a new key, writes, tests, reloads,
      verifies at the mail server's port, rolls back on failure, and attests what is presented.
      --configure              write what the mail server's configuration lacks to offer TLS with these files
      --dry-run                show files, configuration as a diff and commands, change nothing; with or without --configure

  mailseal agent run --from-folder DIR --host HOST [--configure] [--dry-run] [options]
      The same without a cluster: DIR holds tls.crt and tls.key, copied by whatever means; each change is picked up.
      The options are those of enroll about the mail server and the resolvers.
`;

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
    ...installationOptions,
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
  const { context, server, secret } = values;
  const installation = await installationOf(host, values);
  const enrolled = await enroll({
    namespace,
    exchanger,
    installation,
    kubeconfig: values['kubeconfig'] ?? kubeconfigOf(io.env),
    out,
    tokenSeconds: tokenSeconds(values['token-days']),
    now: io.clock.now(),
    ...(context === undefined ? {} : { context }),
    ...(server === undefined ? {} : { server: serverArgument(server) }),
    ...(secret === undefined ? {} : { secretName: secret }),
  });
  for (const note of enrolled.notes) io.err(`${note}\n`);
  io.out(
    `${out} is all that ${installation.host} needs; it holds a token: copy it over a safe channel, mode 0600, and there run\n`,
  );
  io.out(`  mailseal agent run --config FILE --configure\n`);
  return 0;
}

async function runCommand(args: readonly string[], io: AgentIo): Promise<number> {
  const flag = { type: 'boolean', default: false } as const;
  const text = { type: 'string' } as const;
  const where = { config: text, 'from-folder': text, host: text, ...installationOptions };
  const { values, positionals } = parse(args, { ...where, configure: flag, 'dry-run': flag });
  const { config, 'from-folder': folder, host } = values;
  if (positionals.length > 0 || (config === undefined) === (folder === undefined)) {
    throw new UsageError('run needs --config FILE or --from-folder DIR, one of them, and nothing more');
  }
  const run = { configure: values.configure, log: io.log, signal: io.signal };
  const now = io.clock.now();
  if (config !== undefined) {
    const told = ['host', ...Object.keys(installationOptions)].find((name) => Object.hasOwn(values, name));
    if (told !== undefined) throw new UsageError(`--${told} is for --from-folder: ${config} says it`);
    if (!values['dry-run']) return await done(runAgent({ ...run, config }));
    const file = await readAgentFile(config);
    io.out(await preview(file, await offeredByCluster(file, now), { ...run, now }));
    return 0;
  }
  if (host === undefined || folder === undefined)
    throw new UsageError('--from-folder needs --host, the name of the MX');
  const installation = await installationOf(host, values);
  if (!values['dry-run']) return await done(runFromFolder({ ...run, folder, installation }));
  io.out(await preview(installation, await offeredByFolder(folder, now), { ...run, now }));
  return 0;
}

async function done(running: Promise<void>): Promise<number> {
  await running;
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

function serverArgument(text: string): string {
  if (URL.canParse(text) && new URL(text).protocol === 'https:') return text;
  throw new UsageError(`--server: '${text}' is not an https URL`);
}

function tokenSeconds(text: string): number {
  const days = Number(text);
  if (!(days >= 1 && days <= 365)) throw new UsageError(`--token-days: '${text}' is not a number from 1 to 365`);
  return Math.round(days * 86_400);
}
