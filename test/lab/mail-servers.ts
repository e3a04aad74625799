/**
 * Dovecot, Exim and Sendmail as Debian packages them, unpacked by the set-up and run from there. The accounts, host name
 * and libraries that they look for in fixed places are laid over this lab's own mounts until `close`.
 */
import { chownSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { run } from './command.ts';
import { newFolder } from './namespace.ts';
import { type Running, startProcess } from './process.ts';
import { toolPath } from './tools.ts';

const accounts = ['Debian-exim', 'dovecot', 'dovenull', 'smmta', 'smmsp'];
const firstId = 64_101;
const root = '/run/mail-servers';
export const eximPort = 2525;

export interface MailServers {
  /** With the programs by their own names. */
  readonly bin: string;
  readonly close: () => Promise<void>;
}

export interface StartedServer {
  /** What the agent takes as its configuration. */
  readonly config: string;
  readonly part: Running;
}

/** Only inside the namespaces of a lab, and once at a time. */
export async function openMailServers(): Promise<MailServers> {
  const dir = newFolder('mail-servers');
  const own = (name: string): string => join(dir, name);
  const ids = accounts.map((name, index) => ({ name, id: firstId + index }));
  const passwd = ids.map(({ name, id }) => `${name}:x:${id}:${id}::/nonexistent:/bin/false\n`);
  writeFileSync(own('passwd'), readFileSync('/etc/passwd', 'utf8') + passwd.join(''));
  writeFileSync(
    own('group'),
    readFileSync('/etc/group', 'utf8') + ids.map(({ name, id }) => `${name}:x:${id}:\n`).join(''),
  );
  // Sendmail waits for a minute for a name that has a dot.
  writeFileSync(own('hosts'), `127.0.0.1 localhost\n127.0.0.1 ${hostname()}.lab.test ${hostname()}\n`);
  mkdirSync(root, { recursive: true });
  const mounted = [root];
  await run(['mount', '--bind', join(dirname(toolPath('exim')), 'root'), root]);
  // Where their libraries are looked for, and by Dovecot its own programs.
  for (const folder of ['/usr/bin', '/usr/lib']) {
    await run(['mount', '-t', 'overlay', 'mail-servers', '-o', `lowerdir=${root}${folder}:${folder}`, folder]);
    mounted.push(folder);
  }
  // Sendmail asks for its own name before it reads that it should ask nobody: here somebody refuses at once.
  writeFileSync(own('resolv.conf'), 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n');
  for (const name of ['passwd', 'group', 'hosts', 'resolv.conf']) {
    const target = (await run(['readlink', '-m', `/etc/${name}`])).trim();
    await run(['sh', '-c', 'mkdir -p "${2%/*}" && touch "$2" && mount --bind "$1" "$2"', 'sh', own(name), target]);
    mounted.push(target);
  }
  mkdirSync(own('bin'));
  const programs = { dovecot: 'usr/sbin/dovecot', exim: 'usr/sbin/exim4', sendmail: 'usr/libexec/sendmail/sendmail' };
  for (const [name, place] of Object.entries(programs)) symlinkSync(join(root, place), join(own('bin'), name));
  return {
    bin: own('bin'),
    close: async () => {
      for (const path of mounted.reverse()) await run(['umount', '--lazy', path]);
    },
  };
}

interface Place {
  /** Made, when absent. */
  readonly dir: string;
  /** That an interface of the lab carries. */
  readonly address: string;
}

/** An Exim that takes any mail and offers STARTTLS with a certificate that it makes itself. */
export function startExim({ dir, address }: Place): StartedServer {
  const [config, spool] = [join(dir, 'exim.conf'), join(dir, 'spool')];
  mkdirSync(spool, { recursive: true });
  chownSync(spool, firstId, firstId);
  const lines = [
    'primary_hostname = mx1.example.test',
    `local_interfaces = ${address}`,
    // Told of a configuration of its own, it is not root any more when SIGHUP starts it anew.
    `daemon_smtp_ports = ${eximPort}`,
    `spool_directory = ${spool}`,
    `log_file_path = ${spool}/%slog`,
    `pid_file_path = ${dir}/exim.pid`,
    `exim_path = ${root}/usr/sbin/exim4`,
    'acl_smtp_rcpt = accept',
    'tls_require_ciphers = NORMAL:-VERS-ALL:+VERS-TLS1.3',
    '',
    'begin routers',
    '',
  ];
  writeFileSync(config, lines.join('\n'));
  return { config, part: start('exim', [join(root, 'usr/sbin/exim4'), '-C', config, '-bdf'], dir) };
}

/** A Sendmail without certificate, made from an .mc file that lies beside its .cf. All above `dir` must be root's own. */
export async function startSendmail({ dir, address }: Place): Promise<StartedServer> {
  const [config, source] = [join(dir, 'sendmail.cf'), join(dir, 'sendmail.mc')];
  mkdirSync(join(dir, 'queue'), { recursive: true, mode: 0o755 });
  writeFileSync(join(dir, 'service.switch'), 'hosts files\naliases files\npasswd files\n');
  const define = (name: string, value: string): string => `define(\`${name}', \`${value}')dnl`;
  const lines = [
    'divert(0)dnl',
    `include(\`${root}/usr/share/sendmail/cf/m4/cf.m4')dnl`,
    'OSTYPE(linux)dnl',
    define('confPID_FILE', join(dir, 'sendmail.pid')),
    define('confSERVICE_SWITCH_FILE', join(dir, 'service.switch')),
    define('confDOMAIN_NAME', 'mx1.example.test'),
    define('QUEUE_DIR', join(dir, 'queue')),
    define('ALIAS_FILE', ''),
    define('STATUS_FILE', ''),
    "FEATURE(`no_default_msa')dnl",
    `DAEMON_OPTIONS(\`Family=inet, Name=MTA, Port=smtp, Addr=${address}')dnl`,
    'MAILER(smtp)dnl',
    '',
  ];
  writeFileSync(source, lines.join('\n'));
  await remakeSendmail(config);
  return { config, part: start('sendmail', [join(root, 'usr/libexec/sendmail/sendmail'), '-C', config, '-bD'], dir) };
}

/** What an administrator does after a change of sendmail.mc. */
export async function remakeSendmail(config: string): Promise<void> {
  writeFileSync(config, await run([join(root, 'usr/bin/m4'), config.replace(/cf$/u, 'mc')]));
}

/** A Dovecot with IMAPS and submission, and no certificate; `extra` are lines at the end of its configuration. */
export function startDovecot({ dir, address }: Place, extra: readonly string[] = []): StartedServer {
  const config = join(dir, 'dovecot.conf');
  mkdirSync(join(dir, 'conf.d'), { recursive: true });
  const lines = [
    'protocols = imap submission',
    `listen = ${address}`,
    `base_dir = ${dir}/run`,
    `state_dir = ${dir}/state`,
    `log_path = ${dir}/dovecot.log`,
    'submission_relay_host = 127.0.0.1',
    'ssl_min_protocol = TLSv1.3',
    ...extra,
    '',
  ];
  writeFileSync(config, lines.join('\n'));
  return { config, part: start('dovecot', [join(root, 'usr/sbin/dovecot'), '-F', '-c', config], dir) };
}

function start(name: string, argv: readonly [string, ...string[]], dir: string): Running {
  return startProcess({ name, argv, log: join(dir, `${name}.log`) });
}
