import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, globSync, readFileSync, readlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from './command.ts';
import { newFolder } from './namespace.ts';
import { waitFor } from './process.ts';

const fixtures = join(import.meta.dirname, 'fixtures');

interface OwnedLab {
  readonly owner: ChildProcess;
  readonly folder: string;
  readonly exitCode: Promise<number | null>;
}

async function startOwnedLab(): Promise<OwnedLab> {
  const ready = join(newFolder('owner'), 'ready');
  const owner = spawn(process.execPath, [join(fixtures, 'owner.ts'), join(fixtures, 'lab-with-pod.ts'), ready], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const exitCode = new Promise<number | null>((resolve) => owner.once('exit', (code) => resolve(code)));
  const isReady = (): string | false => existsSync(ready) && readFileSync(ready, 'utf8');
  const folder = await Promise.race([
    waitFor('the lab is ready', isReady, { timeoutMs: 120_000 }),
    exitCode.then((code) => Promise.reject(new Error(`the owner ended with ${code} before the lab was ready`))),
  ]);
  return { owner, folder, exitCode };
}

/** Network namespaces in which any program runs that is seen from here. */
function networks(): string[] {
  return [...new Set(globSync('/proc/[0-9]*/ns/net').flatMap((path) => linkTarget(path)))].sort();
}

function linkTarget(path: string): string[] {
  try {
    return [readlinkSync(path)];
  } catch {
    return []; // The program ended while we looked.
  }
}

async function programs(): Promise<string[]> {
  return (await run(['ps', '-eo', 'comm='])).trim().split('\n').sort();
}

function cgroupsOf(folder: string): string[] {
  const id = basename(folder).replace('mseal-', '');
  return globSync([`/sys/fs/cgroup/mailseal/${id}`, `/sys/fs/cgroup/*/mailseal/${id}`]);
}

const parts = new Set(['kubelet', 'kube-proxy', 'kube-apiserver', 'containerd', 'containerd-shim', 'etcd', 'program']);

test('nothing of a lab with a node outlives the kill -9 of its owner, and the next start removes its files', async () => {
  const before = { networks: networks(), mounts: readFileSync('/proc/mounts', 'utf8') };
  const { owner, folder, exitCode } = await startOwnedLab();
  expect(await programs()).toEqual(expect.arrayContaining(['kubelet', 'containerd', 'etcd', 'program']));
  owner.kill('SIGKILL');
  await exitCode;
  await waitFor('all network namespaces of the lab are gone', () => networks().join() === before.networks.join());
  await waitFor('all programs of the lab are gone', async () => (await programs()).every((name) => !parts.has(name)));
  expect(readFileSync('/proc/mounts', 'utf8')).toBe(before.mounts);
  const second = await startOwnedLab();
  expect(existsSync(folder)).toBe(false);
  expect(cgroupsOf(folder)).toEqual([]);
  second.owner.kill('SIGINT');
  expect(await second.exitCode).toBe(7);
  expect(existsSync(second.folder)).toBe(false);
  expect(cgroupsOf(second.folder)).toEqual([]);
});

test('a command can be run in a running lab from outside, and its exit code comes back', async () => {
  const { owner, exitCode } = await startOwnedLab();
  const exec = [process.execPath, join(fixtures, 'exec.ts')] as const;
  expect(await run([...exec, 'kubectl', 'get', 'pods', '-o', 'name'])).toBe('pod/hello\n');
  await expect(run([...exec, 'sh', '-c', 'exit 3'])).rejects.toThrow('exit code 3');
  owner.kill('SIGINT');
  await exitCode;
  await expect(run([...exec, 'true'])).rejects.toThrow('no lab is running');
});

test('two labs with a node run at once and do not see each other', async () => {
  const labs = await Promise.all([startOwnedLab(), startOwnedLab()]);
  expect(new Set(labs.map((lab) => lab.folder)).size).toBe(2);
  for (const lab of labs) lab.owner.kill('SIGINT');
  expect(await Promise.all(labs.map((lab) => lab.exitCode))).toEqual([7, 7]);
});
