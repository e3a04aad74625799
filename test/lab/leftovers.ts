/**
 * What a lab leaves outside its namespaces: its folder and its control groups. Both carry the identity of the program
 * that owns the lab, so that what a killed run left is known as such and removed at the next start.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { isRunning, ownIdentity } from './identity.ts';

/** Short: the sockets of a kubelet in a lab within a lab must fit into the 107 bytes of a Unix address. */
const prefix = 'mseal-';
const logPrefix = 'mailseal-logs-';
const cgroups = '/sys/fs/cgroup';
let count = 0;

/** A new name, unique among all labs of this machine: `<pid>-<start time>.<n>`. */
export function newLabId(): string {
  count += 1;
  return `${ownIdentity()}.${count}`;
}

export function labFolder(id: string): string {
  return join(tmpdir(), `${prefix}${id}`);
}

/** The ids of all labs with a folder here, with whether their owner still runs. */
export function listLabs(): { id: string; running: boolean }[] {
  const names = readdirSync(tmpdir()).filter((name) => name.startsWith(prefix));
  return names.map((name) => name.slice(prefix.length)).map((id) => ({ id, running: ownerRuns(id) }));
}

function ownerRuns(id: string): boolean {
  return isRunning(id.split('.')[0] ?? '');
}

/** Removes folders and control groups of labs whose owner is gone, unless they are another user's. */
export function removeLeftovers(): void {
  for (const lab of listLabs()) {
    if (!lab.running && isOurs(labFolder(lab.id))) rmSync(labFolder(lab.id), { recursive: true, force: true });
  }
  for (const hierarchy of hierarchies()) {
    const base = join(hierarchy, 'mailseal');
    for (const id of subfolders(base)) if (!ownerRuns(id)) removeCgroup(join(base, id));
  }
}

/** In a folder that all users share only its owner and root may remove it; one that has just gone is nobody's. */
function isOurs(path: string): boolean {
  const uid = process.getuid?.();
  return uid === 0 || statSync(path, { throwIfNoEntry: false })?.uid === uid;
}

/** `init.sh` makes a lab's group in every hierarchy, below one that all labs share. */
export function removeLabCgroups(id: string): void {
  for (const hierarchy of hierarchies()) {
    removeCgroup(join(hierarchy, 'mailseal', id));
    if (subfolders(join(hierarchy, 'mailseal')).length === 0) removeCgroup(join(hierarchy, 'mailseal'));
  }
}

/** Version 2 has one hierarchy at the top, version 1 one in each folder. */
function hierarchies(): string[] {
  if (existsSync(join(cgroups, 'cgroup.controllers'))) return [cgroups];
  return subfolders(cgroups).map((name) => join(cgroups, name));
}

function subfolders(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
  } catch (error) {
    if (['ENOENT', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
    throw error;
  }
}

/** A control group is removed from its leaves up; one that still holds a dying process is left for the next start. */
function removeCgroup(path: string): void {
  for (const name of subfolders(path)) removeCgroup(join(path, name));
  try {
    rmdirSync(path);
  } catch (error) {
    if (!['ENOENT', 'EBUSY', 'ENOTEMPTY'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

/**
 * Removes a lab's folder. With `keepLogs`, its logs are first copied to a folder beside it, whose path is returned,
 * and those of earlier runs are removed.
 */
export function removeLabFolder(id: string, keepLogs: boolean): string | undefined {
  const folder = labFolder(id);
  let kept: string | undefined;
  if (keepLogs) {
    for (const name of readdirSync(tmpdir())) {
      const path = join(tmpdir(), name);
      if (name.startsWith(logPrefix) && !ownerRuns(name.slice(logPrefix.length)) && isOurs(path)) {
        rmSync(path, { recursive: true, force: true });
      }
    }
    kept = copyLogs(folder, join(tmpdir(), `${logPrefix}${id}`));
  }
  rmSync(folder, { recursive: true, force: true });
  return kept;
}

function copyLogs(from: string, to: string): string | undefined {
  const logs = findLogs(from);
  for (const log of logs) {
    const target = join(to, relative(from, log));
    mkdirSync(dirname(target), { recursive: true });
    cpSync(log, target);
  }
  return logs.length > 0 ? to : undefined;
}

/** Files that end in `.log` and hold something; not those in containers' file systems. */
function findLogs(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === 'containerd' ? [] : findLogs(path);
    return entry.isFile() && entry.name.endsWith('.log') && statSync(path).size > 0 ? [path] : [];
  });
}
