/** A shard as bytes: how the operator packs it into a Secret and how a policy pod finds it in the mounted volume. */
import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { formatShard, type Shard, sizeWarning } from '../policyshard/shard.ts';

const plainName = 'shard.json';
const packedName = 'shard.json.gz';
const names = [packedName, plainName] as const;
/** Below this a shard stays readable for whoever looks into the Secret. */
const plainBytes = 128 * 1024;
const inflatedLimit = 64 * 1024 * 1024;

/** One key of a Secret's data; equal shards give equal bytes. */
export interface PackedShard {
  readonly name: typeof plainName | typeof packedName;
  readonly bytes: Buffer;
  /** A sentence when the shard nears what a Secret may hold. */
  readonly warning?: string;
}

export async function packShard(shard: Shard): Promise<PackedShard> {
  const plain = Buffer.from(formatShard(shard));
  if (plain.length <= plainBytes) return { name: plainName, bytes: plain };
  const bytes = await promisify(gzip)(plain);
  const warning = sizeWarning(bytes.length);
  return { name: packedName, bytes, ...(warning === undefined ? {} : { warning }) };
}

/**
 * The text of one key of a shard Secret's data.
 * @throws Error when it does not inflate, or inflates beyond 64 MiB.
 */
export async function unpackShard(name: string, bytes: Buffer): Promise<string> {
  const plain = name === packedName ? await promisify(gunzip)(bytes, { maxOutputLength: inflatedLimit }) : bytes;
  return plain.toString('utf8');
}

/** Where a mounted shard lies, and a mark that differs whenever its file does. */
export interface ShardFile {
  readonly path: string;
  readonly name: string;
  readonly mark: string;
}

/** The shard's file in one mounted folder; `undefined` while the optional Secret does not exist. */
export async function findShardFile(folder: string): Promise<ShardFile | undefined> {
  for (const name of names) {
    const path = join(folder, name);
    const found = await ifPresent(stat(path, { bigint: true }));
    if (found !== undefined) return { path, name, mark: `${name} ${found.ino} ${found.mtimeNs} ${found.size}` };
  }
  return undefined;
}

/** @throws Error when the file can't be read or inflated. */
export async function readShardFile(file: ShardFile): Promise<string> {
  return unpackShard(file.name, await readFile(file.path));
}

/** The mounted folders, one a shard, in the order of their names. */
export async function shardFolders(folder: string): Promise<readonly string[]> {
  const entries = (await ifPresent(readdir(folder, { withFileTypes: true }))) ?? [];
  const found = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'));
  return found.map((entry) => entry.name).toSorted();
}

async function ifPresent<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
