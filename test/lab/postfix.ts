/**
 * A Postfix instance of its own beside any other: own configuration, queue and data, nothing of the system's touched.
 *
 * Postfix reads only the system's resolver, so that each instance gets a mount namespace in which `/etc/resolv.conf`
 * names the lab's.
 */
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { run } from './command.ts';
import { type Running, startProcess, waitFor } from './process.ts';

export interface InstanceSpec {
  /** State directory; made when absent. */
  readonly dir: string;
  readonly name: string;
  /** Address of the resolver that the instance asks. */
  readonly resolver: string;
  /** Parameters of main.cf beyond the common ones. */
  readonly parameters: Readonly<Record<string, string>>;
  /** Further lines of master.cf. */
  readonly services?: readonly string[];
}

export interface Instance {
  /** What `postfix -c` takes. */
  readonly configDir: string;
  /** The mail log. */
  readonly log: string;
  readonly part: Running;
  readonly lines: () => string[];
  /** Rejects with Postfix's own words when the configuration is refused. */
  readonly reload: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** Resolves when the master says that it has started. */
export async function startInstance(spec: InstanceSpec): Promise<Instance> {
  const [configDir, queue, data] = [join(spec.dir, 'conf'), join(spec.dir, 'queue'), join(spec.dir, 'data')];
  for (const dir of [configDir, queue, data]) mkdirSync(dir, { recursive: true });
  for (const dir of [spec.dir, configDir, queue]) chmodSync(dir, 0o755);
  // A pid that an earlier run left here may belong to somebody else by now.
  const pidFile = join(queue, 'pid/master.pid');
  rmSync(pidFile, { force: true });
  const [uid, gid] = await postfixUser();
  chownSync(data, uid, gid);
  const main = { ...common(spec, queue, data), ...spec.parameters };
  const text = Object.entries(main).map(([name, value]) => `${name} = ${value}\n`);
  writeOld(join(configDir, 'main.cf'), text.join(''));
  writeOld(join(configDir, 'master.cf'), `${[...services, ...(spec.services ?? [])].join('\n')}\n`);
  const part = startProcess({
    name: `postfix ${spec.name}`,
    argv: resolvingBy(spec.resolver, spec.dir, ['postfix', '-c', configDir, 'start-fg']),
    log: join(spec.dir, 'mail.log'),
  });
  const lines = (): string[] => readFileSync(part.log, 'utf8').split('\n');
  const stop = (): Promise<void> => stopMaster(part, pidFile);
  try {
    await waitFor(`${part.name} has started`, () => lines().some((line) => line.includes('daemon started')), { part });
  } catch (error) {
    await stop();
    throw error;
  }
  const reload = async (): Promise<void> => void (await run(['postfix', '-c', configDir, 'reload']));
  return { configDir, log: part.log, part, lines, reload, stop };
}

/** Postfix reads a file again and again until it is two seconds old, lest somebody is still writing it. */
function writeOld(path: string, text: string): void {
  writeFileSync(path, text);
  const minuteAgo = Date.now() / 1000 - 60;
  utimesSync(path, minuteAgo, minuteAgo);
}

/**
 * The master makes a session of its own, which the group of the script that started it does not reach, and its
 * children outlive it for a moment, with its listening sockets: only when all are gone has it stopped.
 */
async function stopMaster(part: Running, pidFile: string): Promise<void> {
  const pid = existsSync(pidFile) ? Number(readFileSync(pidFile, 'utf8')) : undefined;
  if (pid === undefined || groupIsGone(pid)) return part.stop();
  signalGroup(pid, 'SIGTERM');
  const timer = setTimeout(() => signalGroup(pid, 'SIGKILL'), 5000);
  await waitFor(`${part.name} has stopped`, () => groupIsGone(pid), { everyMs: 20 });
  clearTimeout(timer);
  await part.stop();
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  if (!groupIsGone(pid)) process.kill(-pid, signal);
}

/** Whether nothing of a process group is left but what waits to be reaped. */
function groupIsGone(group: number): boolean {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return !pids.some((pid) => {
    const [state, , pgrp] = statFields(pid);
    return Number(pgrp) === group && state !== 'Z' && state !== 'X';
  });
}

/** State, parent, group, … of a process; nothing when it ended while we looked. */
function statFields(pid: string): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch (error) {
    if (!['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    return [];
  }
}

// On many machines the file is a link into /run, and a lab has a /run of its own in which the target is missing.
const withResolver = `set -e
target=$(readlink -m /etc/resolv.conf)
case $target in /run/*) mkdir -p "\${target%/*}" && touch "$target" ;; esac
mount --bind "$1" "$target"
shift
exec "$@"`;

/** The command that runs `argv` with another `/etc/resolv.conf`; the program keeps the pid. */
export function resolvingBy(
  resolver: string,
  dir: string,
  argv: readonly [string, ...string[]],
): [string, ...string[]] {
  const file = join(dir, 'resolv.conf');
  writeFileSync(file, `nameserver ${resolver}\noptions edns0 trust-ad timeout:2 attempts:2\n`);
  return ['unshare', '--mount', 'sh', '-c', withResolver, 'sh', file, ...argv];
}

async function postfixUser(): Promise<[number, number]> {
  const ids = await Promise.all(['-u', '-g'].map((flag) => run(['id', flag, 'postfix'])));
  const [uid, gid] = ids.map(Number);
  if (uid === undefined || gid === undefined) throw new Error('id says nothing about the user postfix');
  return [uid, gid];
}

function common(spec: InstanceSpec, queue: string, data: string): Record<string, string> {
  return {
    compatibility_level: '3.6',
    queue_directory: queue,
    data_directory: data,
    maillog_file: '/dev/stdout',
    maillog_file_prefixes: '/dev/stdout',
    myhostname: spec.name,
    mydestination: '',
    mynetworks: '',
    local_transport: 'error:no local delivery here',
    alias_maps: '',
    alias_database: '',
    enable_long_queue_ids: 'yes',
    smtputf8_enable: 'no',
  };
}

// Column 5 is `n`: nothing runs in a chroot.
const services: readonly string[] = [
  'pickup    unix  n  -  n  60  1  pickup',
  'cleanup   unix  n  -  n  -   0  cleanup',
  'qmgr      unix  n  -  n  300 1  qmgr',
  'tlsmgr    unix  -  -  n  1000? 1 tlsmgr',
  'rewrite   unix  -  -  n  -   -  trivial-rewrite',
  'bounce    unix  -  -  n  -   0  bounce',
  'defer     unix  -  -  n  -   0  bounce',
  'trace     unix  -  -  n  -   0  bounce',
  'verify    unix  -  -  n  -   1  verify',
  'flush     unix  n  -  n  1000? 0 flush',
  'proxymap  unix  -  -  n  -   -  proxymap',
  'showq     unix  n  -  n  -   -  showq',
  'error     unix  -  -  n  -   -  error',
  'retry     unix  -  -  n  -   -  error',
  'discard   unix  -  -  n  -   -  discard',
  // A client remembers for up to 100 s that a name had no TLSA: one that serves a single message sees the world anew.
  'smtp      unix  -  -  n  -   -  smtp -o max_use=1',
  'anvil     unix  -  -  n  -   1  anvil',
  'scache    unix  -  -  n  -   1  scache',
  'postlog   unix-dgram n - n -  1  postlogd',
];
