/** One set-up at a time builds a thing; another that wants the same waits for it and then finds it built. */
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isRunning, ownIdentity } from '../identity.ts';
import { say } from './steps.ts';

/** Holds the lock folder `path` while `work` runs. A lock whose owner is gone is taken over. */
export async function withLock<T>(path: string, what: string, work: () => Promise<T>): Promise<T> {
  mkdirSync(dirname(path), { recursive: true });
  let told = false;
  while (!acquire(path)) {
    if (!told) say(`    ${what}: another set-up is at it; waiting`);
    told = true;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  try {
    return await work();
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}

function acquire(path: string): boolean {
  try {
    mkdirSync(path);
    writeFileSync(join(path, 'owner'), ownIdentity());
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  if (isAbandoned(path)) rmSync(path, { recursive: true, force: true });
  return false;
}

/** An owner writes its name right after it made the folder; one that was killed in between is given ten seconds. */
function isAbandoned(path: string): boolean {
  try {
    const made = statSync(path).mtimeMs;
    const owner = readdirSync(path).includes('owner') ? readFileSync(join(path, 'owner'), 'utf8') : '';
    return owner === '' ? Date.now() - made > 10_000 : !isRunning(owner);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
