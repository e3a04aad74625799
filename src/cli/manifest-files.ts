import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../errors.ts';

export interface ManifestText {
  /** The path, or `-`. */
  readonly source: string;
  readonly text: string;
  /** It was named, and not found in a folder: what is no manifest was meant to be one. */
  readonly named: boolean;
}

interface ManifestTexts {
  readonly texts: readonly ManifestText[];
  /** What can't be read, and why. */
  readonly problems: readonly string[];
}

const names = /\.(ya?ml|json)$/u;
const mostFiles = 10_000;
/** Bytes: beyond it no manifest is read. */
const largestFile = 4 * 1024 * 1024;
const mostBytes = 64 * 1024 * 1024;
const deepest = 32;

/**
 * The texts of files, of folders with all below them (`*.yaml`, `*.yml`, `*.json`, in the order of their names), and of
 * standard input (`-`). In a folder nothing is followed that leads out of it: links, and what begins with a dot, are
 * passed over.
 */
export async function readManifestFiles(
  paths: readonly string[],
  readStdin: () => Promise<string>,
): Promise<ManifestTexts> {
  const texts: ManifestText[] = [];
  const problems: string[] = [];
  let bytes = 0;
  const read = async (source: string, named: boolean): Promise<void> => {
    try {
      const text = source === '-' ? await readStdin() : await readBounded(source);
      bytes += text.length;
      if (bytes > mostBytes) throw new Error('together the files are larger than 64 MiB');
      texts.push({ source, text, named });
    } catch (error) {
      problems.push(`${source}: ${messageOf(error)}`);
    }
  };
  for (const path of paths) {
    try {
      const isFolder = path !== '-' && (await stat(path)).isDirectory();
      if (!isFolder) await read(path, true);
      else for (const file of await filesIn(path, 0)) await read(file, false);
    } catch (error) {
      problems.push(`${path}: ${messageOf(error)}`);
    }
  }
  return { texts, problems };
}

async function readBounded(path: string): Promise<string> {
  const file = await open(path, 'r');
  try {
    // A pipe tells no size: what comes is counted, not what is said.
    const { bytesRead, buffer } = await file.read(Buffer.alloc(largestFile + 1), 0, largestFile + 1);
    if (bytesRead > largestFile) throw new Error('it is larger than 4 MiB');
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}

async function filesIn(folder: string, depth: number): Promise<readonly string[]> {
  if (depth > deepest) throw new Error(`folders lie more than ${deepest} deep`);
  const found: string[] = [];
  const entries = await readdir(folder, { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name.startsWith('.')) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) found.push(...(await filesIn(path, depth + 1)));
    else if (entry.isFile() && names.test(entry.name)) found.push(path);
    if (found.length > mostFiles) throw new Error(`there are more than ${mostFiles} files`);
  }
  return found;
}
