/**
 * Follows the mounted shards. The kubelet writes a new folder and swaps the symbolic link `..data` onto it; that rename
 * in the mounted folder is what wakes us, and a slow look catches what the file system did not tell.
 */
import { type FSWatcher, watch } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../errors.ts';
import { findShardFile, readShardFile, shardFolders } from './shard-file.ts';

export interface ShardReader {
  /** A shard that is new or different. Throws nothing. */
  readonly onText: (shardName: string, text: string) => void;
  /** A shard that is there and can't be read; asked again at the next look. */
  readonly onFailure: (shardName: string, message: string) => void;
  /** Told at each look, before anything is read: how many shards are mounted, those without a Secret too. */
  readonly onMounted: (count: number) => void;
}

export interface ShardWatch {
  /** Shards that were read. */
  readonly shards: () => number;
  readonly close: () => void;
}

const settleMs = 20;

/**
 * Resolves once every shard that exists was looked at.
 * @param pollMs time between looks that nothing prompted.
 */
export async function watchShards(folder: string, reader: ShardReader, pollMs: number): Promise<ShardWatch> {
  const marks = new Map<string, string>();
  const watchers = new Map<string, FSWatcher>();
  let closed = false;
  let looking: Promise<void> | undefined;
  let again = false;
  let timer: NodeJS.Timeout | undefined;

  const readOne = async (name: string): Promise<void> => {
    try {
      const file = await findShardFile(join(folder, name));
      // A shard whose file is gone keeps its last good content.
      if (file === undefined || file.mark === marks.get(name)) return;
      const text = await readShardFile(file);
      marks.set(name, file.mark);
      reader.onText(name, text);
    } catch (error) {
      reader.onFailure(name, messageOf(error));
    }
  };
  const follow = (name: string): void => {
    if (watchers.has(name) || closed) return;
    const stop = (): void => {
      watchers.get(name)?.close();
      watchers.delete(name);
    };
    try {
      const watcher = watch(join(folder, name), { persistent: false }, () => prompt(settleMs));
      watcher.on('error', stop);
      watchers.set(name, watcher);
    } catch (error) {
      reader.onFailure(name, `can't be watched, only looked at every ${pollMs} ms: ${messageOf(error)}`);
    }
  };
  const lookAll = async (): Promise<void> => {
    again = false;
    const names = await shardFolders(folder);
    if (names.length > 0) reader.onMounted(names.length);
    for (const name of names) follow(name);
    for (const name of names) await readOne(name);
    if (again && !closed) await lookAll();
  };
  const look = async (): Promise<void> => {
    try {
      await lookAll();
    } catch (error) {
      reader.onFailure('all', messageOf(error));
    } finally {
      looking = undefined;
      prompt(pollMs);
    }
  };
  const prompt = (delay: number): void => {
    if (closed) return;
    if (looking !== undefined) {
      again = true;
      return;
    }
    clearTimeout(timer);
    timer = setTimeout(() => {
      looking = look();
    }, delay);
    timer.unref();
  };

  await look();
  return {
    shards: () => marks.size,
    close: () => {
      closed = true;
      clearTimeout(timer);
      for (const watcher of watchers.values()) watcher.close();
    },
  };
}
