/** Unbound as a validating resolver: the inside view of a cluster, or the outside view of a stranger. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { run } from './command.ts';
import { ask } from './dns-ask.ts';
import type { Certificate } from './mail-ca.ts';
import { type Running, startProcess, waitFor } from './process.ts';

interface StubZone {
  readonly zone: string;
  /** Addresses of the zone's servers; an address with another port is written `10.53.0.1@5353`. */
  readonly servers: readonly string[];
}

export interface UnboundSpec {
  /** State directory; made when absent. */
  readonly dir: string;
  /** Addresses that an interface carries; UDP and TCP on port 53, DoT on port 853 when `tls` is given. */
  readonly addresses: readonly [string, ...string[]];
  /** DS or DNSKEY records; data below a stub zone without an anchor is insecure. */
  readonly trustAnchors: readonly string[];
  /** Every other name does not exist: the lab has no internet. */
  readonly stubs: readonly StubZone[];
  /** Names that this resolver alone knows, as records in presentation form: `svc.lab. 5 IN A 10.96.0.9`. */
  readonly localData?: readonly string[];
  readonly tls?: Certificate;
  /** Whether it validates; true when absent. A resolver that doesn't is there to be found out. */
  readonly validating?: boolean;
}

export interface Unbound {
  readonly address: string;
  readonly part: Running;
  /** Makes it forget all it knows of a zone; without that it holds a bad or missing key against it for a minute. */
  readonly flush: (zone: string) => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** Resolves when the resolver answers on port 53 and, where it has a certificate, on port 853. */
export async function startUnbound(spec: UnboundSpec): Promise<Unbound> {
  mkdirSync(spec.dir, { recursive: true });
  const conf = join(spec.dir, 'unbound.conf');
  writeFileSync(conf, unboundConf(spec));
  const [address] = spec.addresses;
  const name = `unbound at ${address}`;
  const part = startProcess({ name, argv: ['unbound', '-d', '-c', conf], log: join(spec.dir, 'unbound.log') });
  const probe = spec.stubs[0]?.zone ?? 'localhost';
  try {
    await waitFor(
      `${name} answers`,
      async () => {
        const { rcode } = await ask({ server: address, name: probe, type: 'SOA' });
        return rcode === 'NOERROR' && (spec.tls === undefined || (await greets(address)));
      },
      { everyMs: 50, part },
    );
  } catch (error) {
    await part.stop();
    throw error;
  }
  const flush = async (zone: string): Promise<void> =>
    void (await run(['unbound-control', '-c', conf, 'flush_zone', zone]));
  return { address, part, flush, stop: () => part.stop() };
}

function greets(host: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    // Only whether it speaks TLS is asked here: the tests look at the certificate.
    const socket = connect({ host, port: 853, rejectUnauthorized: false });
    socket.once('error', reject).once('secureConnect', () => resolve(socket.end().authorized || true));
  });
}

function unboundConf(spec: UnboundSpec): string {
  const { addresses, tls } = spec;
  const modules = spec.validating === false ? 'iterator' : 'validator iterator';
  return `server:
  directory: "${spec.dir}"
  username: ""
  chroot: ""
  pidfile: ""
  use-syslog: no
  logfile: ""
  num-threads: 1
  verbosity: 1
  do-daemonize: no
  module-config: "${modules}"
${lines(addresses, (address) => `  interface: ${address}@53`)}
${tls === undefined ? '' : lines(addresses, (address) => `  interface: ${address}@853`)}
${tls === undefined ? '' : `  tls-service-pem: "${tls.cert}"\n  tls-service-key: "${tls.key}"`}
${lines(addresses, (address) => `  outgoing-interface: ${address}`)}
  access-control: 0.0.0.0/0 allow
  access-control: ::0/0 allow
  do-not-query-localhost: no
  ede: yes
  val-bogus-ttl: 2
  infra-host-ttl: 5
  infra-keep-probing: yes
  prefetch: no
  minimal-responses: no
  trust-anchor-signaling: no
  root-key-sentinel: no
${lines(spec.trustAnchors, (anchor) => `  trust-anchor: "${anchor}"`)}
  local-zone: "." static
${lines(spec.stubs, ({ zone }) => `  local-zone: "${zone}." transparent`)}
${lines(spec.localData ?? [], (record) => `  local-data: '${record}'`)}
remote-control:
  control-enable: yes
  control-interface: "${join(spec.dir, 'control')}"
  control-use-cert: no
${lines(spec.stubs, stubClause)}
`;
}

function stubClause({ zone, servers }: StubZone): string {
  return `stub-zone:\n  name: "${zone}."\n${lines(servers, (server) => `  stub-addr: ${server}`)}`;
}

function lines<T>(values: readonly T[], format: (value: T) => string): string {
  return values.map(format).join('\n');
}
