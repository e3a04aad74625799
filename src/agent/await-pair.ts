import { pause, type Timers } from '../kube/timers.ts';
import type { Log } from '../log.ts';
import type { Pair } from './pair.ts';
import type { Look, Presented } from './presented.ts';
import type { MailServer, TlsFiles } from './servers/server.ts';

export interface InstallParts {
  readonly server: MailServer;
  readonly files: TlsFiles;
  readonly look: Look;
  /** Write what the configuration lacks; else only say it. */
  readonly configure: boolean;
  readonly timers: Timers;
  readonly log: Log;
  /** For the mail server to present the new leaf after a reload. */
  readonly settleMs: number;
  readonly signal?: AbortSignal;
}

/** Asks until the pair is presented or the time is over; resolves with what was presented last. */
export async function awaitPair(pair: Pair, { look, settleMs, timers, signal }: InstallParts): Promise<Presented> {
  const deadline = timers.monotonic() + settleMs;
  for (;;) {
    const presented = await look();
    if (shows(presented, pair) || timers.monotonic() > deadline || signal?.aborted === true) return presented;
    await pause(timers, 250, signal);
  }
}

export function shows(presented: Presented, pair: Pair): boolean {
  return presented.seen === 'Leaf' && presented.fingerprint === pair.fingerprint;
}

/** Why what is presented is not the pair, in words. */
export function wrongOf(presented: Presented): string {
  switch (presented.seen) {
    case 'Leaf':
      return `the mail server presents another certificate (serial ${presented.leaf.serial})`;
    case 'NoTls':
      return `the mail server offers no TLS: ${presented.detail}`;
    case 'Unknown':
      return `the mail server could not be asked: ${presented.detail}`;
  }
}
