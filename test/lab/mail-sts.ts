/** postfix-mta-sts-resolver: the daemon that tells a sending Postfix what a domain's MTA-STS policy asks of it. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { resolvingBy } from './postfix.ts';
import { type Running, startProcess, waitFor } from './process.ts';

export interface MtaStsSpec {
  /** State directory; made when absent. */
  readonly dir: string;
  readonly resolver: string;
  /** PEM file with the roots that it trusts for policy hosts. */
  readonly caFile: string;
  /** Loopback port. */
  readonly port: number;
  /** For how long it uses a cached policy without looking at the id, in seconds; 1 when absent. */
  readonly cacheGraceSeconds?: number;
}

export interface MtaStsResolver {
  /** What `smtp_tls_policy_maps` takes. */
  readonly map: string;
  readonly part: Running;
  readonly stop: () => Promise<void>;
}

/** Resolves when the daemon accepts connections. */
export async function startMtaStsResolver(spec: MtaStsSpec): Promise<MtaStsResolver> {
  mkdirSync(spec.dir, { recursive: true });
  const config = join(spec.dir, 'mta-sts-daemon.yml');
  writeFileSync(config, daemonConfig(spec));
  const part = startProcess({
    name: 'mta-sts-daemon',
    argv: resolvingBy(spec.resolver, spec.dir, ['mta-sts-daemon', '-c', config, '-v', 'debug']),
    log: join(spec.dir, 'mta-sts-daemon.log'),
    env: { SSL_CERT_FILE: spec.caFile, SSL_CERT_DIR: spec.dir, PYTHONUNBUFFERED: '1' },
  });
  try {
    await waitFor('mta-sts-daemon accepts connections', () => accepts(spec.port), { part });
  } catch (error) {
    await part.stop();
    throw error;
  }
  return { map: `socketmap:inet:127.0.0.1:${spec.port}:postfix`, part, stop: () => part.stop() };
}

function daemonConfig({ port, cacheGraceSeconds = 1 }: MtaStsSpec): string {
  return `host: 127.0.0.1
port: ${port}
reuse_port: true
shutdown_timeout: 1
cache_grace: ${cacheGraceSeconds}
cache:
  type: internal
  options:
    cache_size: 1000
default_zone:
  strict_testing: false
  timeout: 4
`;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('error', reject).once('connect', () => resolve(socket.end().writable || true));
  });
}
