/**
 * Where a mail server's key and chain lie. They change in one step, so that whatever kills us leaves a pair that fits.
 *
 * One file is renamed into place. Two files can't be, so that both become links through one link, which is:
 *
 *     certificate ─▶ KEY.d/live/cert.pem        KEY.d/live ─▶ KEY.d/REVISION     (swapped)
 *     key         ─▶ KEY.d/live/key.pem         KEY.d/previous ─▶ KEY.d/REVISION
 */
import { randomBytes } from 'node:crypto';
import { readdir, readlink, rename, rm, symlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { flushFolder, makeFolder, readIfPresent, temporaryOf, writeAtomically } from './atomic-file.ts';
import type { Owner, TlsFiles } from './servers/server.ts';

/** By the paths that the mail server knows; those that do not exist are left out. */
export type Contents = ReadonlyMap<string, string>;

/** What each file holds, and what stood there before. Rejects when files can't be read. */
export async function readPlace(files: TlsFiles): Promise<{ readonly now: Contents; readonly before: Contents }> {
  if ('chain' in files) {
    const { chain } = files;
    return { now: await readAll([[chain, chain]]), before: await readAll([[chain, previousOf(chain)]]) };
  }
  const { certificate, key } = files;
  const now = await readAll([
    [key, key],
    [certificate, certificate],
  ]);
  const previous = join(storeOf(key), 'previous');
  const before = await readAll([
    [key, join(previous, 'key.pem')],
    [certificate, join(previous, 'cert.pem')],
  ]);
  return { now, before };
}

interface Swap {
  readonly wanted: Contents;
  readonly owner: Owner;
  /** What stood there is to be found as `before`; not so where it is what failed. */
  readonly keep: boolean;
}

/** Puts other contents into the files. Rejects when that fails; the old ones stand then. */
export async function swapPlace(files: TlsFiles, { wanted, owner, keep }: Swap): Promise<void> {
  if (!('chain' in files)) return await swapPair(files, { wanted, owner, keep });
  const { chain } = files;
  const standing = (await readPlace(files)).now.get(chain);
  if (keep && standing !== undefined) await writeAtomically(previousOf(chain), standing, owner);
  await writeAtomically(chain, wanted.get(chain) ?? '', owner);
  // A key that a killed agent had not put in its place yet.
  const left = `${basename(chain)}.`;
  await sweep(dirname(chain), (name) => name.startsWith(left) && name.endsWith('.tmp'));
}

/**
 * The pair that stands has proven itself: a later failure is not its own, and the key before it may be one that no TLSA
 * record names any more. So it goes.
 */
export async function forgetBefore(files: TlsFiles): Promise<void> {
  if ('chain' in files) return await rm(previousOf(files.chain), { force: true });
  const store = storeOf(files.key);
  const live = await targetOf(join(store, 'live'));
  if (live === undefined) return;
  await rm(join(store, 'previous'), { force: true });
  await sweep(store, (name) => name !== 'live' && name !== basename(live));
}

interface PairFiles {
  readonly certificate: string;
  readonly key: string;
}

async function swapPair(files: PairFiles, { wanted, owner, keep }: Swap): Promise<void> {
  const store = storeOf(files.key);
  const live = join(store, 'live');
  await makeFolder(store, owner);
  const { now } = await readPlace(files);
  const links = new Map([
    [files.key, join(live, 'key.pem')],
    [files.certificate, join(live, 'cert.pem')],
  ]);
  const targets = await Promise.all([...links.keys()].map(targetOf));
  const isLinked = targets.join() === [...links.values()].join();
  // What stands becomes the live pair first, so that turning each file into a link changes nothing.
  if (!isLinked && now.size === 2) await link(live, await writeRevision(store, files, now, owner));
  const standing = isLinked || now.size === 2 ? await targetOf(live) : undefined;
  const fresh = await writeRevision(store, files, wanted, owner);
  if (standing === undefined) await link(live, fresh);
  if (!isLinked) for (const [path, target] of links) await link(path, target);
  const previous = join(store, 'previous');
  if (standing !== undefined) {
    if (keep) await link(previous, standing);
    await link(live, fresh);
  }
  const used = [live, previous, fresh, (await targetOf(previous)) ?? fresh].map((path) => basename(path));
  // Keys that nothing leads to any more do not stay on the disk.
  await sweep(store, (name) => !used.includes(name));
}

async function writeRevision(
  store: string,
  { certificate, key }: PairFiles,
  contents: Contents,
  owner: Owner,
): Promise<string> {
  const folder = join(store, randomBytes(6).toString('hex'));
  await makeFolder(folder, owner);
  await writeAtomically(join(folder, 'key.pem'), contents.get(key) ?? '', owner);
  await writeAtomically(join(folder, 'cert.pem'), contents.get(certificate) ?? '', owner);
  return folder;
}

/** Makes `path` a link, in place of whatever file or link it was. */
async function link(path: string, target: string): Promise<void> {
  await makeFolder(dirname(path));
  const temporary = temporaryOf(path);
  await symlink(target, temporary);
  try {
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await flushFolder(dirname(path));
}

/** `undefined` for a file of its own, or none. */
async function targetOf(path: string): Promise<string | undefined> {
  try {
    return await readlink(path);
  } catch (error) {
    if (['EINVAL', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

async function sweep(folder: string, isLeft: (name: string) => boolean): Promise<void> {
  for (const name of (await readdir(folder)).filter(isLeft)) {
    await rm(join(folder, name), { recursive: true, force: true });
  }
}

async function readAll(places: readonly (readonly [path: string, from: string])[]): Promise<Contents> {
  const contents = new Map<string, string>();
  for (const [path, from] of places) {
    const content = await readIfPresent(from);
    if (content !== undefined) contents.set(path, content);
  }
  return contents;
}

const previousOf = (path: string): string => `${path}.previous`;
const storeOf = (key: string): string => `${key}.d`;
