/** `mailseal agent run --from-folder`: the pair comes from two files that somebody copies here; there is no cluster. */
import { type FSWatcher, watch } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../errors.ts';
import { pause } from '../kube/timers.ts';
import type { Installation } from './agent-file.ts';
import type { Offered } from './dry-run.ts';
import { createKeeper, type Kept } from './keeper.ts';
import { checkedPair } from './pair.ts';
import { type RunOptions, settingsOf } from './run-options.ts';

export interface FolderOptions extends RunOptions {
  /** Holds `tls.crt` and `tls.key`. */
  readonly folder: string;
  readonly installation: Installation;
}

const mostBytes = 1_048_576;
/** For a copy of two files to be finished. */
const settleMs = 300;

/** Resolves when the signal aborts. */
export async function runFromFolder(options: FolderOptions): Promise<void> {
  const { folder, log, signal } = options;
  const { timers, limits } = settingsOf(options);
  const keeper = createKeeper({ ...options, timers, limits });
  let said = '';
  try {
    while (!signal.aborted) {
      const changed = watchFolder(folder, signal);
      const offered = await offeredByFolder(folder, timers.now());
      const kept = await keeper.offer(() => {
        if ('problem' in offered) throw new Error(offered.problem);
        return offered;
      });
      const text = reportOf(kept);
      if (text !== said) log.info('looked at the folder', { folder, revision: kept.revision, result: text });
      said = text;
      await Promise.race([pause(timers, limits.folderMs, changed.signal), pause(timers, limits.folderMs, signal)]);
      changed.close();
      if (changed.signal.aborted) await pause(timers, settleMs, signal);
    }
  } finally {
    keeper.close();
  }
}

function reportOf({ presented, error }: Kept): string {
  const leaf = presented.seen === 'Leaf' ? `serial ${presented.leaf.serial} is presented` : presented.detail;
  return error === undefined ? leaf : `${error} (${leaf})`;
}

/** The pair that a folder holds now. Never rejects. */
export async function offeredByFolder(folder: string, now: number): Promise<Offered> {
  try {
    const chain = await readSmall(join(folder, 'tls.crt'));
    return checkedPair(await readSmall(join(folder, 'tls.key')), chain, now);
  } catch (error) {
    return { problem: messageOf(error) };
  }
}

async function readSmall(path: string): Promise<string> {
  const file = await open(path, 'r');
  try {
    if ((await file.stat()).size > mostBytes) throw new Error(`${path} is larger than ${mostBytes} bytes`);
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

/** Aborts `signal` when something in the folder changes; where that can't be watched, the next look comes in time. */
function watchFolder(folder: string, stop: AbortSignal): { readonly signal: AbortSignal; readonly close: () => void } {
  const changed = new AbortController();
  let watcher: FSWatcher | undefined;
  try {
    watcher = watch(folder, { persistent: false, signal: stop }, () => changed.abort());
    watcher.on('error', () => {});
  } catch (error) {
    // No such folder yet: reading it says so.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  return { signal: changed.signal, close: () => watcher?.close() };
}
