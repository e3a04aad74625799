/** A stranger who sends mail all the while: a Postfix that insists on DANE, with a caching resolver of its own. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { Bind } from '../lab/dns.ts';
import { startUnbound } from '../lab/dns-unbound.ts';
import { places } from '../lab/lab.ts';
import { addAddress } from '../lab/namespace.ts';
import { collectParts } from '../lab/parts.ts';
import { startInstance } from '../lab/postfix.ts';
import { senderParameters } from '../lab/postfix-sender.ts';
import { waitFor } from '../lab/process.ts';
import { type Injector, startInjector } from './injector.ts';
import { createTally, type Tally } from './tally.ts';

/** More than what is promised, since a machine may be late. */
const perSecond = 12;
const resolver = '10.53.0.58';
const submission = { host: '127.0.0.1', port: 10_025 } as const;
const drainMs = 120_000;

export interface Sender {
  /** What is handed over from now on belongs to this act. */
  readonly begin: (act: string) => void;
  /** Of what the log says up to now. */
  readonly tally: () => Tally;
  /** Why nothing is handed over any more. */
  readonly problem: () => string | undefined;
  /** Hands nothing over any more; resolves when all has been sent, and throws where that takes too long. */
  readonly drain: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** Mail to each of the domains in turn, from the first moment on. */
export async function startSender(dir: string, bind: Bind, domains: readonly string[]): Promise<Sender> {
  const { keep, stop } = collectParts();
  try {
    await addAddress(resolver);
    keep(
      await startUnbound({
        dir: join(dir, 'resolver'),
        addresses: [resolver],
        trustAnchors: bind.trustAnchors,
        stubs: bind.zones.map((zone) => ({ zone, servers: [places.primary.v4, places.secondary.v4] })),
      }),
    );
    const postfix = keep(await startInstance({ ...instance, dir: join(dir, 'postfix') }));
    const tally = createTally();
    const log = keep(openLog(postfix.log));
    let act = '';
    const injector: Injector = keep(
      await startInjector({
        ...submission,
        perSecond,
        to: (index) => `somebody@${domains[index % domains.length]}`,
        taken: (queueId) => tally.taken(queueId, act),
      }),
    );
    const read = (): Tally => {
      log.lines().forEach(tally.line);
      return tally;
    };
    return {
      begin: (name) => void (act = name),
      tally: read,
      problem: injector.problem,
      drain: async () => {
        await injector.stop();
        const drained = (): boolean => read().unsent() === 0;
        await waitFor('all mail is sent', drained, { timeoutMs: drainMs, everyMs: 200, part: postfix.part });
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

const instance = {
  name: 'sender.test',
  resolver,
  parameters: {
    ...senderParameters,
    smtp_tls_security_level: 'dane-only',
    smtp_dns_support_level: 'dnssec',
    mynetworks: '127.0.0.0/8',
    smtpd_relay_restrictions: 'permit_mynetworks, reject',
    smtpd_peername_lookup: 'no',
    in_flow_delay: '0',
    default_transport: 'remembering',
  },
  services: [
    `${submission.host}:${submission.port} inet n - n - - smtpd`,
    // As Postfix is shipped: a client serves many messages, and remembers what it looked up.
    'remembering unix - - n - - smtp',
  ],
} as const;

/** A file that grows: the whole lines that have come since they were last asked for. */
function openLog(path: string): { readonly lines: () => readonly string[]; readonly stop: () => Promise<void> } {
  const file = openSync(path, 'r');
  let at = 0;
  let rest = '';
  return {
    lines: () => {
      const bytes = Buffer.alloc(Math.max(0, fstatSync(file).size - at));
      const length = readSync(file, bytes, 0, bytes.length, at);
      at += length;
      const lines = (rest + bytes.toString('utf8', 0, length)).split('\n');
      rest = lines.pop() ?? '';
      return lines;
    },
    stop: async () => closeSync(file),
  };
}
