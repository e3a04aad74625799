/** What this machine can run: the control plane alone goes anywhere, a node needs root on Linux and some programs. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { newLabId, removeLabCgroups } from './leftovers.ts';

export interface Capabilities {
  /** Whether a lab with its namespaces, servers and a node with pods can be run here. */
  readonly node: boolean;
  /** Why not, as a sentence that says what would help; absent when `node` is true. */
  readonly why?: string;
  /** Whether the set-up can install Debian packages by itself. */
  readonly debian: boolean;
  /** Programs of the lab that are not installed. */
  readonly missing: readonly string[];
}

/** Programs that the lab runs from the system, with the Debian package that brings each. */
const programs: Readonly<Record<string, string>> = {
  conntrack: 'conntrack',
  containerd: 'containerd',
  dig: 'bind9-dnsutils',
  ip: 'iproute2',
  iptables: 'iptables',
  'mta-sts-daemon': 'postfix-mta-sts-resolver',
  named: 'bind9',
  openssl: 'openssl',
  postfix: 'postfix',
  runc: 'runc',
  swaks: 'swaks',
  unbound: 'unbound',
};

const sbin = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** Absolute path of a program on PATH or in the folders for system programs, which a plain user's PATH lacks. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...sbin];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export function isDebian(): boolean {
  if (!existsSync('/etc/os-release') || findProgram('apt-get') === undefined) return false;
  return /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(readFileSync('/etc/os-release', 'utf8'));
}

export function capabilities(): Capabilities {
  const missing = Object.keys(programs).filter((name) => findProgram(name) === undefined);
  if (!existsSync('/usr/lib/cni/bridge')) missing.push('/usr/lib/cni/bridge');
  const root = process.getuid?.() === 0;
  const base = { debian: root && isDebian(), missing };
  if (process.platform !== 'linux') {
    return { ...base, node: false, why: 'a node needs Linux: use a Linux virtual machine.' };
  }
  if (!root) {
    return { ...base, node: false, why: 'a node needs root: run this as root (sudo).' };
  }
  if (missing.length > 0) {
    const names = [...new Set(missing.map((name) => programs[name] ?? 'containernetworking-plugins'))];
    const why = `not installed: ${missing.join(', ')} (Debian packages: ${names.join(' ')}).`;
    return { ...base, node: false, why };
  }
  const refused = namespaceRefusal();
  return refused === undefined ? { ...base, node: true } : { ...base, node: false, why: refused };
}

/** Why a lab's namespaces can't be made here: found out by making them. */
function namespaceRefusal(): string | undefined {
  const id = newLabId();
  const unshare = ['--net', '--pid', '--mount', '--fork', '--mount-proc', '/bin/sh'];
  const probe = spawnSync('unshare', [...unshare, join(import.meta.dirname, 'init.sh'), 'true'], {
    encoding: 'utf8',
    env: { ...process.env, MAILSEAL_LAB: id, PATH: [process.env['PATH'] ?? '', ...sbin].join(delimiter) },
  });
  removeLabCgroups(id);
  if (probe.error !== undefined) return `unshare (util-linux) can't be run: ${probe.error.message}.`;
  if (probe.status === 0) return undefined;
  return `namespaces, mounts or control groups are refused (${probe.stderr.trim()}): in a container, run it privileged.`;
}
