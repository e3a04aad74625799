import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { slim } from '../lab/slim.ts';
import { type ControlPlane, startControlPlane } from '../lab/controlplane.ts';

const run = promisify(execFile);
let dir: string;
let plane: ControlPlane;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'mailseal-footprint-'));
  plane = await startControlPlane({ dir });
}, 120_000);

afterAll(async () => {
  await plane?.stop();
  rmSync(dir, { recursive: true, force: true });
});

test('a bundled program that follows five kinds and leads is small, idle, and ends by itself', async () => {
  const outdir = join(dir, 'bundle');
  await build({
    entryPoints: { main: join(import.meta.dirname, 'idle.ts') },
    outdir,
    bundle: true,
    splitting: true,
    minify: true,
    platform: 'node',
    format: 'esm',
    outExtension: { '.js': '.mjs' },
    banner: { js: "import { createRequire as __r } from 'node:module'; const require = __r(import.meta.url);" },
    plugins: [slim],
  });
  const bare = await run(process.execPath, ['-e', 'console.log(process.memoryUsage.rss() / 2 ** 20)']);
  const { stdout, stderr } = await run(process.execPath, [join(outdir, 'main.mjs'), plane.kubeconfig]);
  expect(stderr).toBe('');
  const taken = JSON.parse(stdout) as { rssMiB: number; cpuShare: number; problems: string[] };
  expect(taken.problems).toEqual([]);
  expect(taken.cpuShare).toBeLessThan(0.02);
  expect(taken.rssMiB - Number(bare.stdout)).toBeLessThan(35);
}, 60_000);
