/**
 * From a pair to a mail server that presents it, or back to the pair that it had:
 *
 *     files written ─▶ configuration tested ─▶ reload ─▶ its port shows the leaf ─▶ done
 *          └────────────── any of them fails ──────────────┴─▶ what stood before back, reload
 */
import { messageOf } from '../errors.ts';
import { awaitPair, type InstallParts, shows, wrongOf } from './await-pair.ts';
import { openConfiguration } from './configuration.ts';
import { contentsOf, type Pair } from './pair.ts';
import { type Contents, forgetBefore, readPlace, swapPlace } from './place.ts';
import type { Presented } from './presented.ts';
import { rollBack } from './rollback.ts';
import type { Lacking } from './servers/server.ts';

/** What the mail server presents in the end, and why that is not the pair, in words. */
export interface Installed {
  readonly presented: Presented;
  readonly error?: string;
}

/** Idempotent: with the files in place and the leaf presented it changes nothing. Rejects when files can't be read. */
export async function install(pair: Pair, parts: InstallParts): Promise<Installed> {
  const { server, files, configure } = parts;
  const wanted = contentsOf(files, pair);
  const place = await readPlace(files);
  const same = [...wanted].every(([path, content]) => place.now.get(path) === content);
  const lacking = await server.lacking(files);
  const first = await parts.look();
  if (same && (lacking.edits.length === 0 || !configure)) {
    if (shows(first, pair)) await accept(parts);
    if (shows(first, pair) || first.seen === 'Unknown') return resultOf(first, pair, parts, lacking);
  }
  const attempt = await tryPair(pair, parts, { wanted, same, lacking, first });
  if (attempt.error === undefined || attempt.keep)
    return resultOf(attempt.presented, pair, parts, lacking, attempt.error);
  const back = await rollBack(parts, { earlier: same ? place.before : place.now, pair });
  return { presented: await parts.look(), error: `${attempt.error}; ${back}` };
}

/** There is nothing to go back to from here. */
async function accept({ files }: InstallParts): Promise<void> {
  await openConfiguration(files).accept();
  await forgetBefore(files);
}

interface Situation {
  readonly wanted: Contents;
  readonly same: boolean;
  readonly lacking: Lacking;
  readonly first: Presented;
}

interface Attempt {
  readonly presented: Presented;
  readonly error?: string;
  /** The failure is not the pair's: the files stay. */
  readonly keep: boolean;
}

async function tryPair(pair: Pair, parts: InstallParts, situation: Situation): Promise<Attempt> {
  const { server } = parts;
  const nothing: Presented = { seen: 'Unknown', detail: 'not asked' };
  try {
    await write(pair, parts, situation);
  } catch (error) {
    return { presented: nothing, error: messageOf(error), keep: false };
  }
  const tested = await server.test.run();
  if (!tested.ok) return { presented: nothing, error: `${server.test.command} failed: ${tested.said}`, keep: false };
  const reloaded = await server.reload.run();
  if (!reloaded.ok) {
    const presented = await parts.look();
    const error = `${server.reload.command} failed: ${reloaded.said}`;
    // A mail server that does not run, and did not before, finds the new files when it starts.
    return { presented, error, keep: presented.seen === 'Unknown' && situation.first.seen === 'Unknown' };
  }
  const presented = await awaitPair(pair, parts);
  if (shows(presented, pair)) {
    await accept(parts);
    return { presented, keep: true };
  }
  const neverSeen = presented.seen === 'Unknown' && situation.first.seen === 'Unknown';
  const { settings, edits } = situation.lacking;
  const unused = settings.length > 0 && (edits.length === 0 || !parts.configure);
  return { presented, error: wrongOf(presented), keep: neverSeen || unused };
}

async function write(pair: Pair, parts: InstallParts, { wanted, same, lacking }: Situation): Promise<void> {
  const { server, files, log } = parts;
  if (!same) {
    await swapPlace(files, { wanted, owner: await server.owner(), keep: true });
    log.info('files written', { files: [...wanted.keys()], revision: pair.revision });
  }
  if (!parts.configure || lacking.edits.length === 0) return;
  await openConfiguration(files).write(lacking.edits);
  log.info(`${server.name} configured`, { settings: lacking.settings, files: lacking.edits.map(({ path }) => path) });
}

function resultOf(
  presented: Presented,
  pair: Pair,
  { server, configure }: InstallParts,
  { settings, edits }: Lacking,
  error = shows(presented, pair) ? undefined : wrongOf(presented),
): Installed {
  if (error === undefined) return { presented };
  if (settings.length === 0) return { presented, error };
  const how = edits.length > 0 && !configure ? ' (agent run --configure sets it)' : '';
  return { presented, error: `${error}; ${server.name} needs ${settings.join(', ')}${how}` };
}
