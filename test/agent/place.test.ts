import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { checkedPair, contentsOf, pairFromContents } from '../../src/agent/pair.ts';
import { forgetBefore, readPlace, swapPlace } from '../../src/agent/place.ts';
import type { TlsFiles } from '../../src/agent/servers/server.ts';
import { createAuthority } from '../server/certificates.ts';

const folder = mkdtempSync(join(tmpdir(), 'mailseal-place-'));
afterAll(() => rmSync(folder, { recursive: true }));

const authority = createAuthority();
const now = Date.now();
const pairs = [1, 2, 3].map(() => {
  const { key, certificate } = authority.issue(['mx1.example.com']);
  return checkedPair(key, certificate, now);
});
const [first, second, third] = pairs as [(typeof pairs)[0], (typeof pairs)[0], (typeof pairs)[0]];
const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, mode: 0o600 };

const shapes: readonly (readonly [string, (name: string) => TlsFiles])[] = [
  ['one file', (name) => ({ chain: join(folder, name, 'tls', 'chain.pem') })],
  [
    'two files',
    (name) => ({ certificate: join(folder, name, 'certs', 'mx.crt'), key: join(folder, name, 'private', 'mx.key') }),
  ],
];

function place(files: TlsFiles, pair: (typeof pairs)[0], keep = true): Promise<void> {
  return swapPlace(files, { wanted: contentsOf(files, pair), owner, keep });
}

/** The fingerprints of what stands and of what stood before. */
async function standing(files: TlsFiles): Promise<readonly (string | undefined)[]> {
  const { now: live, before } = await readPlace(files);
  return [live, before].map((all) => (all.size === 0 ? undefined : pairFromContents(files, all, now).fingerprint));
}

test.each(shapes)('a pair in %s takes the place of the one before, which is kept', async (shape, filesOf) => {
  const files = filesOf(`swap-${shape}`);
  expect(await standing(files)).toEqual([undefined, undefined]);
  await place(files, first);
  expect(await standing(files)).toEqual([first.fingerprint, undefined]);
  await place(files, second);
  expect(await standing(files)).toEqual([second.fingerprint, first.fingerprint]);
  await place(files, third);
  expect(await standing(files)).toEqual([third.fingerprint, second.fingerprint]);
  await place(files, second, false);
  expect(await standing(files)).toEqual([second.fingerprint, second.fingerprint]);
});

test.each(shapes)('nobody but its owner reads a key in %s', async (shape, filesOf) => {
  const files = filesOf(`mode-${shape}`);
  const umask = process.umask(0);
  await place(files, first);
  process.umask(umask);
  for (const path of Object.values<string>(files)) expect(statSync(path).mode & 0o777).toBe(0o600);
});

test('two files of another hand become links without a moment in which they do not fit, and their pair is kept', async () => {
  const files = { certificate: join(folder, 'hand.crt'), key: join(folder, 'hand.key') };
  for (const [path, content] of contentsOf(files, first)) writeFileSync(path, content, { mode: 0o600 });
  await place(files, second);
  expect(await standing(files)).toEqual([second.fingerprint, first.fingerprint]);
  expect(lstatSync(files.key).isSymbolicLink()).toBe(true);
  for (const path of Object.values(files)) rmSync(path);
  for (const [path, content] of contentsOf(files, third)) writeFileSync(path, content, { mode: 0o600 });
  await place(files, first);
  expect(await standing(files)).toEqual([first.fingerprint, third.fingerprint]);
});

test.each(shapes)('keys of past pairs in %s do not stay on the disk', async (shape, filesOf) => {
  const files = filesOf(`sweep-${shape}`);
  for (const pair of [first, second, third, first]) await place(files, pair);
  const all = readdirSync(join(folder, `sweep-${shape}`), { recursive: true, withFileTypes: true });
  const paths = all.filter((entry) => entry.isFile()).map((entry) => realpathSync(join(entry.parentPath, entry.name)));
  const texts = [...new Set(paths)].map((path) => readFileSync(path, 'utf8'));
  expect(texts.filter((text) => text.includes(second.key))).toEqual([]);
  expect(texts.filter((text) => text.includes(third.key))).toHaveLength(1);
});

test.each(shapes)(
  'nothing of the pair before stays in %s once the new one has proven itself',
  async (shape, filesOf) => {
    const files = filesOf(`forget-${shape}`);
    await forgetBefore(files);
    await place(files, first);
    await place(files, second);
    await forgetBefore(files);
    await forgetBefore(files);
    expect(await standing(files)).toEqual([second.fingerprint, undefined]);
    const all = readdirSync(join(folder, `forget-${shape}`), { recursive: true, withFileTypes: true });
    const paths = all.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    expect(paths.filter((path) => readFileSync(path, 'utf8').includes(first.key))).toEqual([]);
    await place(files, third);
    expect(await standing(files)).toEqual([third.fingerprint, second.fingerprint]);
  },
);

test('links that lead nowhere any more are mended by the next pair', async () => {
  const files = { certificate: join(folder, 'lost', 'mx.crt'), key: join(folder, 'lost', 'mx.key') };
  await place(files, first);
  rmSync(`${files.key}.d`, { recursive: true });
  await place(files, second);
  expect(await standing(files)).toEqual([second.fingerprint, undefined]);
});

test.each(shapes)(
  'whenever it is killed, %s holds a pair that fits',
  async (shape, filesOf) => {
    const files = filesOf(`kill-${shape}`);
    for (const path of Object.values<string>(files)) mkdirSync(join(path, '..'), { recursive: true });
    const script = join(import.meta.dirname, 'swap-for-ever.ts');
    const input = JSON.stringify({ files, owner, all: pairs.map((pair) => [...contentsOf(files, pair)]) });
    for (let round = 0; round < 12; round += 1) {
      const child = spawn(process.execPath, [script, input], { stdio: ['ignore', 'pipe', 'inherit'] });
      await once(child.stdout, 'data');
      // Anywhere within the next few swaps: where, the machine's load decides.
      for (let spin = 0; spin < round * 7; spin += 1) await new Promise((resolve) => setImmediate(resolve));
      child.kill('SIGKILL');
      await once(child, 'exit');
      const [live] = await standing(files);
      expect(pairs.map(({ fingerprint }) => fingerprint)).toContain(live);
    }
  },
  60_000,
);
