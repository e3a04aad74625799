/**
 * One lane of a campaign: a control plane of its own, an MX host, two policy servers, and the doors by which the
 * operators of its runs, one after another, reach the world.
 */
import { readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KubeClient } from '../../src/kube/client.ts';
import { createReflector } from '../../src/kube/reflector.ts';
import type { SecretObject } from '../../src/kube/types.ts';
import { collectParts } from '../lab/parts.ts';
import { writeKubeconfig } from '../lab/kubeconfig.ts';
import { places, type startDns } from '../lab/lab.ts';
import type { Certificate } from '../lab/mail-ca.ts';
import { type Proxy, startProxy } from '../kube/proxy.ts';
import { addAddress } from '../lab/namespace.ts';
import type { Pebble } from '../lab/pebble.ts';
import { type PostfixMx, startPostfixMx } from '../lab/postfix-mx.ts';
import { type Running, startProcess } from '../lab/process.ts';
import { type Cluster, operatorNamespace, startCluster, tenant } from './cluster.ts';
import { startDnsDoor } from './dns-door.ts';
import type { DnsRelay } from './dns-relay.ts';
import { createGate, type Gate } from './gate.ts';
import { acmeWrite, kubernetesWrite, startHttpDoor } from './http-door.ts';
import { placeOf, postfixPlace, resolverName, startWays, type Ways } from './ways.ts';

/** What all lanes share. */
export interface Ground {
  readonly dir: string;
  /** A bundle of the program. */
  readonly program: string;
  /** PEM file with the roots of the lab's CA. */
  readonly rootsFile: string;
  readonly acme: Pick<Pebble, 'directoryUrl' | 'caFile' | 'intermediatePem' | 'intermediateKeyPem'>;
  readonly dns: Pick<Awaited<ReturnType<typeof startDns>>, 'bind' | 'views'>;
  /** Makes the resolvers forget all that they know at and below a name, as time would. */
  readonly forget: (name: string) => Promise<void>;
  /** For the doors: a certificate for 127.0.0.1 and `resolverName`, and the CA that vouches for it. */
  readonly door: { readonly certificate: Certificate; readonly caFile: string };
}

export interface Lane extends Omit<Cluster, 'stop'> {
  /** From 0. */
  readonly index: number;
  readonly gate: Gate;
  /** Before the doors, where faults are made: of the Kubernetes API, and of the CA. */
  readonly api: Proxy;
  readonly ca: Proxy;
  /** What a DNSProvider and a CertificateIssuer say of the doors. */
  readonly dnsServer: string;
  readonly acmeServer: string;
  readonly ways: Ways;
  readonly startOperator: (options?: OperatorOptions) => Running;
  /** This lane with another cluster in place of its own: the same world, by the same doors but that of the API. */
  readonly anotherCluster: () => Promise<Lane>;
  /** A further way to the API server, for an operator whose writes pass a gate of its own. */
  readonly openApiDoor: (name: string, gate: Gate) => Promise<ApiDoor>;
  readonly stop: () => Promise<void>;
}

interface ApiDoor {
  /** Before the door, where faults are made. */
  readonly api: Proxy;
  readonly kubeconfig: string;
}

/** What sets one operator of a lane apart from another that runs at the same time. */
export interface OperatorOptions {
  /** In messages, and of its log; `operator` when absent. */
  readonly name?: string;
  /** It waits for the Lease; when absent, it takes itself for the only one. */
  readonly election?: boolean;
  /** By another door than the lane's. */
  readonly kubeconfig?: string;
  /** Beside those that every operator is given. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Another bundle than the ground's. */
  readonly program?: string;
}

/** Longer than record changes are gathered for: an id that did not wait for the policy would come first. */
const soonMs = 1000;

export async function startLane(
  ground: Ground,
  lane: number,
  { volumeDelayMs = soonMs }: { readonly volumeDelayMs?: number | undefined } = {},
): Promise<Lane> {
  const dir = join(ground.dir, `lane${lane}`);
  const { keep, stop, count } = collectParts();
  try {
    const program = ground.program;
    const clusterAt = async (at: string, places: readonly number[]): Promise<Cluster> => {
      const policyServers = places.map((place) => placeOf(lane, place));
      return keep(await startCluster({ dir: at, program, policyServers, volumeDelayMs }));
    };
    const cluster = await clusterAt(dir, [80, 81]);
    const mail = keep(await startMailHost(dir, lane));
    mail.mountFrom(cluster.kube);
    const gate = createGate();
    const tls = pem(ground.door.certificate);
    const ways = keep(await startWays(lane, { acme: ground.acme, tls }));
    const { caFile } = ground.door;
    const doorOf = async ({ plane }: Cluster, name: string, behind: Gate): Promise<ApiDoor> => {
      const upstreamCa = readFileSync(plane.caFile, 'utf8');
      const spec = { gate: behind, upstream: plane.server, upstreamCa, tls, writeOf: kubernetesWrite, keepHost: false };
      const door = keep(await startHttpDoor(spec));
      const api = keep(await startProxy({ server: door.url, caFile, adminToken: plane.adminToken }, { tls }));
      return { api, kubeconfig: writeKubeconfig(dir, name, api.url, caFile, plane.adminToken) };
    };
    const { api, kubeconfig } = await doorOf(cluster, 'operator', gate);
    const caDoor = keep(
      await startHttpDoor({
        gate,
        upstream: ways.ca.url,
        upstreamCa: readFileSync(caFile, 'utf8'),
        tls,
        writeOf: acmeWrite,
        // Its answers name places under the name by which it was asked.
        keepHost: true,
      }),
    );
    const ca = keep(await startProxy({ server: caDoor.url, caFile, adminToken: '', keepHost: true }, { tls }));
    const dns = keep(await startDnsDoor(gate, { address: '127.0.0.1', port: ways.updates.port }));
    const own: Lane = {
      ...cluster,
      index: lane,
      gate,
      api,
      ca,
      dnsServer: dns.server,
      acmeServer: `${ca.url}/dir`,
      ways,
      startOperator: (options = {}) =>
        keep(
          startOperator(ground, { dir, lane, pods: cluster.pods, resolver: ways.resolver }, { kubeconfig, ...options }),
        ),
      anotherCluster: async () => {
        const at = join(dir, `another-${count()}`);
        const other = await clusterAt(at, [82, 83]);
        mail.mountFrom(other.kube);
        const door = await doorOf(other, 'other', gate);
        const start: Lane['startOperator'] = (options = {}) => {
          const place = { dir: at, lane, pods: other.pods, resolver: ways.resolver };
          return keep(startOperator(ground, place, { kubeconfig: door.kubeconfig, ...options }));
        };
        return { ...own, ...other, api: door.api, startOperator: start };
      },
      openApiDoor: (name, behind) => doorOf(cluster, name, behind),
      stop,
    };
    return own;
  } catch (error) {
    await stop();
    throw error;
  }
}

const pem = ({ cert, key }: Certificate): { readonly cert: string; readonly key: string } => ({
  cert: readFileSync(cert, 'utf8'),
  key: readFileSync(key, 'utf8'),
});

interface MailHost {
  /** Whatever Secret of the tenant holds key and chain is mounted as it changes. */
  readonly mountFrom: (kube: KubeClient) => void;
  readonly stop: () => Promise<void>;
}

async function startMailHost(dir: string, lane: number): Promise<MailHost> {
  const address = placeOf(lane, postfixPlace);
  await addAddress(address);
  const host = await startPostfixMx({
    dir: join(dir, 'mx'),
    name: `mx.lane${lane}.test`,
    v4: address,
    resolver: places.inside,
    domains: [`lane${lane}.test`],
  });
  let mounting = Promise.resolve();
  const problems: unknown[] = [];
  const reflectors: { readonly stop: () => Promise<void> }[] = [];
  return {
    mountFrom: (kube) => {
      const mounts = createReflector<SecretObject, SecretObject>({
        kube,
        query: { apiVersion: 'v1', kind: 'Secret', namespace: tenant },
        select: (secret) => (secret.type === 'kubernetes.io/tls' ? secret : undefined),
        onChange: (_, secret) => {
          if (secret === undefined) return;
          mounting = mounting.then(() => mount(host, secret)).catch((error: unknown) => void problems.push(error));
        },
      });
      mounts.start();
      reflectors.push(mounts);
    },
    stop: async () => {
      for (const mounts of reflectors) await mounts.stop();
      await mounting;
      await host.stop();
      if (problems.length > 0) throw new AggregateError(problems, 'a Secret could not be mounted');
    },
  };
}

async function mount(host: PostfixMx, { data = {} }: SecretObject): Promise<void> {
  const parts = [data['tls.key'], data['tls.crt']].map((part) => Buffer.from(part ?? '', 'base64').toString('utf8'));
  writeFileSync(host.chainFile, parts.map((part) => `${part.trimEnd()}\n`).join(''));
  const minuteAgo = Date.now() / 1000 - 60;
  utimesSync(host.chainFile, minuteAgo, minuteAgo);
  await host.reload();
}

interface OperatorPlace {
  readonly dir: string;
  readonly lane: number;
  readonly pods: Cluster['pods'];
  readonly resolver: DnsRelay;
}

/** Without election unless it is asked for: a dead leader's Lease would only cost time. */
function startOperator(
  ground: Ground,
  { dir, lane, pods, resolver }: OperatorPlace,
  options: OperatorOptions & { readonly kubeconfig: string },
): Running {
  const { name = 'operator', election = false, flags = [], env, program = ground.program, kubeconfig } = options;
  const place = ['--kubeconfig', kubeconfig, '--namespace', operatorNamespace, '--tenant-namespaces', tenant];
  const outside = `tls://127.0.0.1:${resolver.port}#${resolverName}`;
  const views = ['--outside-resolver', outside, '--resolver-ca', ground.door.caFile];
  const names = ['--secure-name', 'example.test', '--bogus-name', 'bogus.test', '--ehlo-name', 'probe.test'];
  const more = ['--allow-addresses', places.ranges.join(','), '--http-address', '127.0.0.1:0'];
  const alone = election ? [] : ['--no-leader-election'];
  const given = [...place, ...views, ...names, ...more, ...alone, ...pods.operatorFlags, ...flags];
  return startProcess({
    name: `${name} of lane ${lane}`,
    argv: [process.execPath, program, 'operator', ...given],
    log: join(dir, `${name}.log`),
    env: { NODE_EXTRA_CA_CERTS: ground.rootsFile, ...env },
  });
}
