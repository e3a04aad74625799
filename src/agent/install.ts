/**
 * From a pair to a mail server that presents it, or back to the pair that it had:
 *
 *     files written ─▶ postfix check ─▶ reload ─▶ STARTTLS shows the leaf ─▶ done
 *          └────────────── any of them fails ──────────────┴─▶ previous files back, reload
 */
import { messageOf } from '../errors.ts';
import { pause, type Timers } from '../kube/timers.ts';
import type { Log } from '../log.ts';
import type { TlsFiles } from './agent-file.ts';
import { readIfPresent, writeAtomically } from './atomic-file.ts';
import { contentsOf, type Pair, pairFromContents } from './pair.ts';
import { missingSettings, type Postfix } from './postfix.ts';
import type { Look, Presented } from './presented.ts';

export interface InstallParts {
  readonly postfix: Postfix;
  readonly files: TlsFiles;
  readonly look: Look;
  /** Set what `missingSettings` names; else only say it. */
  readonly configure: boolean;
  readonly timers: Timers;
  readonly log: Log;
  /** For the mail server to present the new leaf after a reload. */
  readonly settleMs: number;
  readonly signal?: AbortSignal;
}

/** What the mail server presents in the end, and why that is not the pair, in words. */
export interface Installed {
  readonly presented: Presented;
  readonly error?: string;
}

/** Idempotent: with the files in place and the leaf presented it changes nothing. Rejects when files can't be read. */
export async function install(pair: Pair, parts: InstallParts): Promise<Installed> {
  const wanted = contentsOf(parts.files, pair);
  const before = await readContents(wanted.keys());
  const same = [...wanted].every(([path, content]) => before.get(path) === content);
  const missing = await missingSettings(parts.postfix, parts.files);
  if (same && (missing.size === 0 || !parts.configure)) {
    const presented = await parts.look();
    if (shows(presented, pair) || presented.seen === 'Unknown') return resultOf(presented, pair, missing);
  }
  const main = await parts.postfix.readMain();
  const previous = same ? await readContents(wanted.keys(), previousOf) : before;
  const attempt = await tryPair(pair, parts, { wanted, before, same, missing });
  if (attempt.error === undefined || attempt.keep) return resultOf(attempt.presented, pair, missing, attempt.error);
  const back = await rollBack(parts, { previous, main, pair });
  return { presented: await parts.look(), error: `${attempt.error}; ${back}` };
}

interface Situation {
  readonly wanted: ReadonlyMap<string, string>;
  readonly before: ReadonlyMap<string, string>;
  readonly same: boolean;
  readonly missing: ReadonlyMap<string, string>;
}

interface Attempt {
  readonly presented: Presented;
  readonly error?: string;
  /** The failure is not the pair's: the files stay. */
  readonly keep: boolean;
}

async function tryPair(pair: Pair, parts: InstallParts, situation: Situation): Promise<Attempt> {
  const { postfix, log } = parts;
  const nothing: Presented = { seen: 'Unknown', detail: 'not asked' };
  try {
    if (!situation.same) {
      for (const [path, content] of situation.before) await writeAtomically(previousOf(path), content);
      for (const [path, content] of situation.wanted) await writeAtomically(path, content);
      log.info('files written', { files: [...situation.wanted.keys()], revision: pair.revision });
    }
    if (parts.configure && situation.missing.size > 0) {
      await postfix.set(situation.missing);
      log.info('Postfix configured', { settings: Object.fromEntries(situation.missing) });
    }
  } catch (error) {
    return { presented: nothing, error: messageOf(error), keep: false };
  }
  const checked = await postfix.check();
  if (!checked.ok) return { presented: nothing, error: `postfix check failed: ${checked.said}`, keep: false };
  const reloaded = await postfix.reload();
  // A mail server that does not run finds the new files when it starts.
  if (!reloaded.ok) return { presented: nothing, error: `postfix reload failed: ${reloaded.said}`, keep: true };
  const presented = await awaitPair(pair, parts);
  if (shows(presented, pair)) return { presented, keep: true };
  const unused = situation.missing.size > 0 && !parts.configure;
  return { presented, error: wrongOf(presented), keep: presented.seen === 'Unknown' || unused };
}

async function awaitPair(pair: Pair, { look, settleMs, timers, signal }: InstallParts): Promise<Presented> {
  const deadline = timers.monotonic() + settleMs;
  for (;;) {
    const presented = await look();
    if (shows(presented, pair) || timers.monotonic() > deadline || signal?.aborted === true) return presented;
    await pause(timers, 250, signal);
  }
}

interface Earlier {
  readonly previous: ReadonlyMap<string, string>;
  readonly main: string;
  readonly pair: Pair;
}

/** Returns what was done, in words; never rejects. */
async function rollBack(parts: InstallParts, { previous, main, pair }: Earlier): Promise<string> {
  const { postfix, log } = parts;
  try {
    if ((await postfix.readMain()) !== main) await postfix.restoreMain(main);
    const { old, why } = earlierPair(parts, previous, pair);
    if (old !== undefined) for (const [path, content] of previous) await writeAtomically(path, content);
    const reloaded = await postfix.reload();
    log.warn('rolled back', { revision: old?.revision, reloaded: reloaded.ok, why });
    if (old === undefined) return `no roll-back: ${why}`;
    if (!reloaded.ok) return `the earlier certificate is back in place, but postfix reload failed: ${reloaded.said}`;
    const presented = await awaitPair(old, parts);
    return shows(presented, old)
      ? 'rolled back to the earlier certificate, which is presented again'
      : `rolled back to the earlier certificate, but ${wrongOf(presented)}`;
  } catch (error) {
    return `no roll-back: ${messageOf(error)}`;
  }
}

function earlierPair(
  { files, timers }: InstallParts,
  previous: ReadonlyMap<string, string>,
  pair: Pair,
): { readonly old?: Pair; readonly why?: string } {
  if (previous.size === 0) return { why: 'there was no earlier certificate' };
  try {
    const old = pairFromContents(files, previous, timers.now());
    return old.fingerprint === pair.fingerprint ? { why: 'the earlier certificate is the same one' } : { old };
  } catch (error) {
    return { why: `the earlier certificate is of no use: ${messageOf(error)}` };
  }
}

function resultOf(
  presented: Presented,
  pair: Pair,
  missing: ReadonlyMap<string, string>,
  error = shows(presented, pair) ? undefined : wrongOf(presented),
): Installed {
  if (error === undefined) return { presented };
  const settings = [...missing].map(([name, value]) => `${name} = ${value}`).join(', ');
  const advice = settings === '' ? '' : `; Postfix needs ${settings} (agent run --configure sets it)`;
  return { presented, error: `${error}${advice}` };
}

function shows(presented: Presented, pair: Pair): boolean {
  return presented.seen === 'Leaf' && presented.fingerprint === pair.fingerprint;
}

function wrongOf(presented: Presented): string {
  switch (presented.seen) {
    case 'Leaf':
      return `the mail server presents another certificate (serial ${presented.leaf.serial})`;
    case 'NoTls':
      return `the mail server offers no TLS: ${presented.detail}`;
    case 'Unknown':
      return `the mail server could not be asked: ${presented.detail}`;
  }
}

function previousOf(path: string): string {
  return `${path}.previous`;
}

/** Under the files' own names, also where it is what stood in them before. */
async function readContents(
  paths: Iterable<string>,
  placeOf: (path: string) => string = (path) => path,
): Promise<ReadonlyMap<string, string>> {
  const contents = new Map<string, string>();
  for (const path of paths) {
    const content = await readIfPresent(placeOf(path));
    if (content !== undefined) contents.set(path, content);
  }
  return contents;
}
