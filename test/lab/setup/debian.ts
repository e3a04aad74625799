/**
 * The servers of the lab as Debian ships them. Nothing of theirs is started or configured on this machine: the lab
 * runs them with files of its own.
 */
import { chmodSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { run } from '../command.ts';
import { SetupError, say, step } from './steps.ts';

export const packages: readonly string[] = [
  'bind9',
  'bind9-dnsutils',
  'ca-certificates',
  'conntrack',
  'containerd',
  'containernetworking-plugins',
  'curl',
  'gnutls-bin',
  'iproute2',
  'iptables',
  'kmod',
  'knot',
  'ldnsutils',
  'libnet-ssleay-perl',
  'nginx',
  'openssl',
  'pdns-backend-sqlite3',
  'pdns-server',
  'postfix',
  'postfix-mta-sts-resolver',
  'procps',
  'runc',
  'swaks',
  'unbound',
];

const services = ['named', 'nginx', 'unbound', 'postfix', 'containerd', 'postfix-mta-sts-resolver', 'knot', 'pdns'];
/** Services whose package has another name. */
const packageOf: Readonly<Record<string, string>> = { named: 'bind9', pdns: 'pdns-server' };
const policy = '/usr/sbin/policy-rc.d';
const policyBackup = `${policy}.before-mailseal`;
const policyText =
  '#!/bin/sh\n# Put here by the set-up of Mailseal while it installs packages: no service starts.\nexit 101\n';

/** The packages of the list that this machine lacks. */
export async function missingPackages(): Promise<string[]> {
  const installed = new Set(await query('${Package} ${db:Status-Status}', / installed$/));
  return packages.filter((name) => !installed.has(name));
}

/** Installs the named packages; it needs root and a Debian or Ubuntu, which the caller has checked. */
export async function installPackages(missing: readonly string[]): Promise<void> {
  if (missing.includes('postfix')) await refuseOtherMailServer();
  await step('Debian packages: apt-get update', () => run(['apt-get', 'update', '-qq']));
  const options = ['-y', '--no-install-recommends', '--no-remove'];
  const plan = await run(['apt-get', 'install', '-s', ...options, ...missing]).catch(explainApt);
  const named = plan.split('\n').flatMap((line) => /^Inst (\S+)/.exec(line)?.[1] ?? []);
  say(`    to be installed or brought up to date, ${named.length} in all:\n    ${named.sort().join(' ')}`);
  await step('Debian packages: apt-get install (no service is started)', async () => {
    if (missing.includes('postfix')) await preseedPostfix();
    await withoutServices(() => apt(['install', ...options, ...missing]));
  });
  await disableServices(missing);
}

async function apt(args: readonly string[]): Promise<void> {
  const env = { DEBIAN_FRONTEND: 'noninteractive', DEBIAN_PRIORITY: 'critical', NEEDRESTART_SUSPEND: '1' };
  await run(['apt-get', '-o', 'DPkg::Lock::Timeout=300', '-qq', ...args], { env }).catch(explainApt);
}

function explainApt(error: Error): never {
  throw new SetupError(
    `apt-get failed: ${error.message}`,
    'if packages could not be fetched, check the network and /etc/apt; `dpkg --audit` shows what is half installed.',
  );
}

/** Postfix would push another mail server out, and that may be one that carries mail. */
async function refuseOtherMailServer(): Promise<void> {
  const providers = await query('${Package} ${db:Status-Status} ${Provides}', / installed .*\bmail-transport-agent\b/);
  const other = providers.filter((name) => name !== 'postfix');
  if (other.length === 0) return;
  throw new SetupError(
    `the lab needs Postfix, and this machine has another mail server installed: ${other.join(', ')}`,
    'nothing was changed; use a machine, virtual machine or container without a mail server, or remove it yourself.',
  );
}

/** Names of the packages whose line, as dpkg-query formats it, matches. */
async function query(format: string, pattern: RegExp): Promise<string[]> {
  const lines = (await run(['dpkg-query', '-W', `-f=${format}\n`])).split('\n');
  return lines.filter((line) => pattern.test(line)).flatMap((line) => line.split(' ')[0] ?? []);
}

async function preseedPostfix(): Promise<void> {
  const answer = 'postfix postfix/main_mailer_type select No configuration';
  await run(['debconf-set-selections'], { input: `${answer}\n` });
}

async function withoutServices<T>(work: () => Promise<T>): Promise<T> {
  restorePolicy();
  if (existsSync(policy)) renameSync(policy, policyBackup);
  writeFileSync(policy, policyText);
  chmodSync(policy, 0o755);
  const stop = (): void => process.exit(130);
  process.once('exit', restorePolicy).once('SIGINT', stop).once('SIGTERM', stop);
  try {
    return await work();
  } finally {
    restorePolicy();
    process.off('exit', restorePolicy).off('SIGINT', stop).off('SIGTERM', stop);
  }
}

/** Puts back what was there before us, also what an earlier, killed set-up had put aside. */
export function restorePolicy(): void {
  if (existsSync(policyBackup)) renameSync(policyBackup, policy);
  else if (existsSync(policy) && readFileSync(policy, 'utf8') === policyText) rmSync(policy);
}

/** Debian enables a service when it installs it: without this, ours would start at the machine's next boot. */
async function disableServices(installed: readonly string[]): Promise<void> {
  if (!existsSync('/run/systemd/system')) return;
  const units = services.filter((unit) => installed.includes(packageOf[unit] ?? unit));
  for (const unit of units) {
    await run(['systemctl', 'disable', '--quiet', `${unit}.service`]).catch((error: Error) => {
      say(`    note: ${unit}.service stays enabled and would start at the next boot: ${error.message}`);
    });
  }
  if (units.length > 0) say(`    disabled at boot: ${units.join(', ')} (systemctl enable NAME turns one on)`);
}
