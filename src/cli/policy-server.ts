import { parseArgs } from 'node:util';
import { hostAndPort, UsageError } from '../config.ts';
import { createLog } from '../log.ts';
import { startPolicyServer } from '../server/policy-server.ts';
import type { Io } from './io.ts';

const usage = `mailseal policy-server: serves MTA-STS policies by SNI (the chart runs it)

  --shards-dir DIR          holds one folder a shard, each a mounted Secret (/shards)
  --https-address HOST:PORT (:8443)
  --http-address HOST:PORT  /healthz, /readyz, /metrics (:9090)
  --challenge-address HOST:PORT
                            answers HTTP-01 challenges, as those behind port 80; without it there are none
`;

/** `mailseal policy-server`: ends when it has drained after SIGTERM. */
export async function runPolicyServer(args: readonly string[], io: Io): Promise<number> {
  if (args.includes('--help')) {
    io.out(usage);
    return 0;
  }
  const values = parse(args);
  for (const flag of ['https-address', 'http-address'] as const) hostAndPort(flag, values[flag]);
  const challengeAddress = values['challenge-address'];
  if (challengeAddress !== undefined) hostAndPort('challenge-address', challengeAddress);
  const log = createLog(io.out, 'info', io.clock);
  const server = await startPolicyServer({
    shardsDir: values['shards-dir'],
    httpsAddress: values['https-address'],
    httpAddress: values['http-address'],
    challengeAddress,
    log,
    clock: io.clock,
    signal: io.signal,
  });
  log.info('serving', { https: server.httpsPort, http: server.httpPort });
  await server.closed;
  return 0;
}

interface Flags {
  readonly 'shards-dir': string;
  readonly 'https-address': string;
  readonly 'http-address': string;
  readonly 'challenge-address'?: string;
}

function parse(args: readonly string[]): Flags {
  try {
    return parseArgs({
      args: [...args],
      options: {
        'shards-dir': { type: 'string', default: '/shards' },
        'https-address': { type: 'string', default: ':8443' },
        'http-address': { type: 'string', default: ':9090' },
        'challenge-address': { type: 'string' },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}
