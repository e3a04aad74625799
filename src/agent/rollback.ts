import { messageOf } from '../errors.ts';
import { awaitPair, type InstallParts, shows, wrongOf } from './await-pair.ts';
import { openConfiguration } from './configuration.ts';
import { type Pair, pairFromContents } from './pair.ts';
import { type Contents, swapPlace } from './place.ts';

interface Failed {
  /** What the files held before the attempt. */
  readonly earlier: Contents;
  readonly pair: Pair;
}

/** Puts back configuration and files as they were, and reloads. Returns what was done, in words; never rejects. */
export async function rollBack(parts: InstallParts, { earlier, pair }: Failed): Promise<string> {
  const { server, files, log } = parts;
  try {
    const taken = await openConfiguration(files).takeBack();
    const { old, why } = earlierPair(parts, earlier, pair);
    if (old !== undefined) await swapPlace(files, { wanted: earlier, owner: await server.owner(), keep: false });
    // A daemon that is started anew with a configuration that it refuses is gone: it keeps what it has read.
    const tested = await server.test.run();
    const reloaded = tested.ok ? await server.reload.run() : tested;
    log.warn('rolled back', { revision: old?.revision, reloaded: reloaded.ok, configuration: taken, why });
    const alone = taken.length === 0 ? 'no roll-back' : `${taken.join(', ')} rolled back, the certificate not`;
    if (old === undefined) return `${alone}: ${why}`;
    const back = ['rolled back to the earlier certificate', ...taken].join(' and to the earlier ');
    if (!tested.ok) return `${back}, and not reloaded, since ${server.test.command} fails: ${tested.said}`;
    if (!reloaded.ok) return `${back}, but ${server.reload.command} failed: ${reloaded.said}`;
    const presented = await awaitPair(old, parts);
    return shows(presented, old) ? `${back}, which is presented again` : `${back}, but ${wrongOf(presented)}`;
  } catch (error) {
    return `no roll-back: ${messageOf(error)}`;
  }
}

function earlierPair(
  { files, timers }: InstallParts,
  earlier: Contents,
  pair: Pair,
): { readonly old?: Pair; readonly why?: string } {
  if (earlier.size === 0) return { why: 'there was no earlier certificate' };
  try {
    const old = pairFromContents(files, earlier, timers.now());
    return old.fingerprint === pair.fingerprint ? { why: 'the earlier certificate is the same one' } : { old };
  } catch (error) {
    return { why: `the earlier certificate is of no use: ${messageOf(error)}` };
  }
}
