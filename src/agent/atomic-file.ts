/** Files that are whole at every moment, whatever kills us: written beside, flushed, renamed. */
import { randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Owner } from './servers/server.ts';

/** Without an owner it is ours alone. @throws NodeJS.ErrnoException; the old content then still stands. */
export async function writeAtomically(path: string, content: string, owner?: Owner): Promise<void> {
  const folder = dirname(path);
  await makeFolder(folder, owner);
  const temporary = temporaryOf(path);
  try {
    // Nobody else's from the first byte on, whatever the umask.
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(content);
      if (owner !== undefined) {
        await file.chown(owner.uid, owner.gid);
        await file.chmod(owner.mode);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await flushFolder(folder);
}

/** A name beside a path, for what will take its place. */
export function temporaryOf(path: string): string {
  return `${path}.${randomBytes(6).toString('hex')}.tmp`;
}

/** So that a rename in it outlives a power cut. */
export async function flushFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** One that exists is left as it is. A group that may read the files gets through to them. */
export async function makeFolder(folder: string, owner?: Owner): Promise<void> {
  const made = await mkdir(folder, { recursive: true, mode: 0o700 });
  if (made === undefined || owner === undefined || (owner.mode & 0o040) === 0) return;
  await chown(folder, owner.uid, owner.gid);
  await chmod(folder, 0o710);
}

/** Of a file that is to be replaced by one like it. */
export async function ownerOf(path: string): Promise<Owner> {
  const { uid, gid, mode } = await stat(path);
  return { uid, gid, mode: mode & 0o7777 };
}

/** `undefined` when there is no such file. */
export async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
