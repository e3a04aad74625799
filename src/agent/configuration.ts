/**
 * What `--configure` writes into a mail server's configuration, so that it can be taken back also by an agent that
 * starts after this one was killed: what stood there is written down before, and forgotten once the server presents
 * the pair.
 */
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ownerOf, readIfPresent, writeAtomically } from './atomic-file.ts';
import type { Edit, TlsFiles } from './servers/server.ts';

const formatVersion = 1;

export interface Configuration {
  /** Rejects when a file can't be written, or was changed since it was read. */
  readonly write: (edits: readonly Edit[]) => Promise<void>;
  /** What stands is good. */
  readonly accept: () => Promise<void>;
  /** Puts back what stood before; what somebody else has changed since is left alone. Resolves with what was put back. */
  readonly takeBack: () => Promise<readonly string[]>;
}

export function openConfiguration(files: TlsFiles): Configuration {
  const journal = join(dirname('chain' in files ? files.chain : files.key), 'mailseal-configuration.json');
  const open = async (): Promise<readonly Edit[]> => {
    const text = await readIfPresent(journal);
    return text === undefined ? [] : parseJournal(journal, text);
  };
  const accept = (): Promise<void> => rm(journal, { force: true });
  return {
    write: async (edits) => {
      if (edits.length === 0) return;
      // The first ones know what stood before anything was tried.
      const all = [...(await open()), ...edits];
      await writeAtomically(journal, `${JSON.stringify({ formatVersion, edits: all })}\n`);
      for (const { path, before, after } of edits) {
        if ((await readIfPresent(path)) !== before) throw new Error(`${path} has just been changed by somebody else`);
        await writeAtomically(
          path,
          after,
          before === undefined ? { uid: 0, gid: 0, mode: 0o644 } : await ownerOf(path),
        );
      }
    },
    accept,
    takeBack: async () => {
      const back: string[] = [];
      for (const { path, before, after } of [...(await open())].reverse()) {
        if ((await readIfPresent(path)) !== after) continue;
        if (before === undefined) await rm(path, { force: true });
        else await writeAtomically(path, before, await ownerOf(path));
        back.push(path);
      }
      await accept();
      return back;
    },
  };
}

function parseJournal(path: string, text: string): readonly Edit[] {
  const value = JSON.parse(text) as { readonly formatVersion?: unknown; readonly edits?: unknown };
  const isEdit = (edit: unknown): boolean => {
    const { path, before = '', after } = edit as Record<string, unknown>;
    return [path, before, after].every((part) => typeof part === 'string');
  };
  if (value.formatVersion === formatVersion && Array.isArray(value.edits) && value.edits.every(isEdit)) {
    return value.edits as readonly Edit[];
  }
  throw new Error(`${path} can't be read: delete it if the mail server's configuration is as you want it`);
}
