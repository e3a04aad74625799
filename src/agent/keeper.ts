/** Keeps one mail server presenting the pair that it is given, wherever that comes from. */
import { messageOf } from '../errors.ts';
import type { Timers } from '../kube/timers.ts';
import type { Log } from '../log.ts';
import type { Installation } from './agent-file.ts';
import type { InstallParts } from './await-pair.ts';
import { install, type Installed } from './install.ts';
import { contentsOf, type Pair } from './pair.ts';
import { readPlace } from './place.ts';
import { createLook, type Look } from './presented.ts';
import { openServer } from './servers/open.ts';
import { portsOf } from './tlsa.ts';
import { createTlsaCheck } from './tlsa-check.ts';

export interface KeeperLimits {
  /** For the mail server to present the new leaf after a reload. */
  readonly settleMs: number;
  /** Before a pair that was rolled back is tried again. */
  readonly retryInstallMs: number;
  /** Before the DNS is asked again about a key that it does not allow. */
  readonly retryTlsaMs: number;
}

export interface KeeperOptions {
  readonly installation: Installation;
  readonly configure: boolean;
  readonly timers: Timers;
  readonly limits: KeeperLimits;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** What came of a pair: what is presented now, and why it is not the pair. */
export interface Kept extends Installed {
  /** Absent where no pair could be read. */
  readonly revision?: string;
  /** The DNS does not allow the key yet: to be offered again soon. */
  readonly waits: boolean;
}

export interface Keeper {
  /** Never rejects: what is wrong with the pair, the mail server or the DNS is said in what comes back. One at a time. */
  readonly offer: (read: () => Pair) => Promise<Kept>;
  readonly close: () => void;
}

/** Throws MailsealError when a resolver's address can't be read. */
export function createKeeper(options: KeeperOptions): Keeper {
  const { installation, timers, limits, log } = options;
  const server = openServer(installation.mailServer, installation.mailConfig);
  const look = createLook(installation, server, { now: timers.now });
  const { resolvers, host, files } = installation;
  const tlsa = createTlsaCheck(host, resolvers === 'off' ? undefined : resolvers);
  const parts: InstallParts = { ...options, server, files, look, settleMs: limits.settleMs };
  let refused: (Kept & { readonly until: number }) | undefined;

  const tlsaProblem = async (pair: Pair): Promise<string | undefined> => {
    if (await isGivenAlready(pair, parts, look)) return undefined;
    const { port } = installation.port ?? (await server.port());
    const allowed = await tlsa.allows(pair.chain, portsOf(installation.mailServer, port), timers.now());
    return allowed.allowed ? undefined : `the new key is not used: ${allowed.why}; the earlier one stays`;
  };
  const keep = async (pair: Pair): Promise<Kept> => {
    const { revision } = pair;
    const why = await tlsaProblem(pair);
    if (why !== undefined) return { presented: await look(), error: why, revision, waits: true };
    return { ...(await install(pair, parts)), revision, waits: false };
  };
  const keepUnlessRefused = async (pair: Pair): Promise<Kept> => {
    if (refused?.revision === pair.revision && timers.monotonic() < refused.until) {
      return { ...refused, presented: await look() };
    }
    const kept = await keep(pair).catch(async (error: unknown) => {
      return { presented: await look(), error: messageOf(error), revision: pair.revision, waits: false };
    });
    const pauseMs = kept.waits ? limits.retryTlsaMs : limits.retryInstallMs;
    refused = kept.error === undefined ? undefined : { ...kept, until: timers.monotonic() + pauseMs };
    if (kept.error !== undefined) {
      log.error('the certificate is not in use', { revision: pair.revision, problem: kept.error });
    }
    return kept;
  };
  return {
    offer: async (read) => {
      let pair: Pair;
      try {
        pair = read();
      } catch (error) {
        log.error('there is no pair to use', { problem: messageOf(error) });
        return { presented: await look(), error: messageOf(error), waits: false };
      }
      return await keepUnlessRefused(pair);
    },
    close: tlsa.close,
  };
}

/** A renewal keeps its key, and what lies in the files was allowed when it was put there: neither asks the DNS. */
async function isGivenAlready(pair: Pair, { files }: InstallParts, look: Look): Promise<boolean> {
  const { now } = await readPlace(files);
  if ([...contentsOf(files, pair)].every(([path, content]) => now.get(path) === content)) return true;
  const presented = await look();
  return presented.seen === 'Leaf' && presented.leaf.spkiSha256 === pair.spkiSha256;
}
