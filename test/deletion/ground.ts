/**
 * A cluster whose namespaces and owned objects go away as in a real one, name servers, a CA, two policy servers and an
 * operator: all that a deletion may have to wait for, and must not.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { join, resolve } from 'node:path';
import { apiVersion, type MailDomain } from '../../src/api/types.ts';
import { createKube, type KubeClient } from '../../src/kube/client.ts';
import { loadKubeConfig } from '../../src/kube/config.ts';
import type { KubeObject } from '../../src/kube/types.ts';
import { collectParts } from '../lab/parts.ts';
import { bundle } from '../lab/bundle.ts';
import { startControlPlane } from '../lab/controlplane.ts';
import type { Bind } from '../lab/dns.ts';
import { kubectl } from '../lab/kubectl.ts';
import { places, startAcme, startDns } from '../lab/lab.ts';
import { addAddress } from '../lab/namespace.ts';
import { type PodsStandin, startPodsStandin } from '../lab/pods-standin.ts';
import { type Running, startProcess } from '../lab/process.ts';
import { toolPath } from '../lab/tools.ts';

export const operatorNamespace = 'mailseal-system';
export const tenant = 'mail';
export const zone = 'gone.test';
export const domainOf = (label: string): string => `${label}.${zone}`;

export interface Ground {
  readonly kube: KubeClient;
  readonly kubectl: (...args: readonly string[]) => Promise<string>;
  readonly crds: string;
  readonly bind: Bind;
  readonly pods: PodsStandin;
  /** `address:port` of a server that takes connections and says nothing. */
  readonly silent: string;
  /** What a CertificateIssuer says of the CA. */
  readonly acme: { readonly server: string; readonly caBundle: string };
  readonly operator: () => Running;
  /** Kills the one that runs, if any. */
  readonly startOperator: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** As a user or an administrator applies it. */
export const apply = (ground: Pick<Ground, 'kube'>, object: KubeObject): Promise<unknown> =>
  ground.kube.apply(object, { fieldManager: 'test' });

/** A domain with an MX host of its own. */
export const mailDomain = (label: string, spec: Partial<MailDomain['spec']> = {}): MailDomain => ({
  apiVersion,
  kind: 'MailDomain',
  metadata: { name: label, namespace: tenant },
  spec: { domain: domainOf(label), mx: { hosts: [`mx.${domainOf(label)}`] }, mtaSts: { ttlSeconds: 1 }, ...spec },
});

const refusingHost = '10.53.9.25';
const tarpitHost = '10.53.9.26';
const policyServers = ['10.53.9.80', '10.53.9.81'];

/** `tarpits` are those of the labels whose MX host takes connections and says nothing. */
export async function startGround(dir: string, labels: readonly string[], tarpits: readonly string[]): Promise<Ground> {
  const { keep, stop } = collectParts();
  try {
    for (const address of [refusingHost, tarpitHost]) await addAddress(address);
    keep(await startSilent(tarpitHost, 25));
    const silent = keep(await startSilent('127.0.0.1', 0));
    const records = labels.map((label) => {
      const host = tarpits.includes(label) ? tarpitHost : refusingHost;
      return `${label} MX 10 mx.${label}\nmx.${label} A ${host}`;
    });
    const program = join(dir, 'program');
    const [dns, plane] = await Promise.all([
      startDns(dir, [{ name: zone, ttl: 1, negativeTtl: 1, records: records.join('\n') }]).then(keep),
      startCluster(dir, keep),
      bundle(program),
    ]);
    const pebble = keep(await startAcme(dir));
    const kube = createKube(await loadKubeConfig({ from: 'file', file: plane.kubeconfig }), { userAgent: 'test' });
    keep({ stop: async () => kube.close() });
    const pods = keep(
      await startPodsStandin({
        kube,
        namespace: operatorNamespace,
        dir: join(dir, 'policy'),
        addresses: policyServers,
        program: join(program, 'main.js'),
        shards: 1,
      }),
    );
    writeFileSync(join(dir, 'roots.pem'), await pebble.rootPem());
    writeFileSync(join(dir, 'resolver-ca.pem'), dns.views.outsideCa);
    const start = (): Running => keep(startOperator(dir, plane.kubeconfig, dns.views.outsideUrl, pods));
    let operator: Running | undefined;
    return {
      kube,
      kubectl: (...args) => kubectl(plane.kubeconfig, ...args),
      crds,
      bind: dns.bind,
      pods,
      silent: silent.at,
      acme: { server: pebble.directoryUrl, caBundle: readFileSync(pebble.caFile, 'utf8') },
      operator: () => {
        if (operator === undefined) throw new Error('no operator has been started');
        return operator;
      },
      startOperator: async () => {
        operator?.signal('SIGKILL');
        await operator?.ended;
        operator = start();
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

const crds = resolve(import.meta.dirname, '../../crds');

/** Only the controllers that end things: those of pods would take the stand-ins away. */
async function startCluster(
  dir: string,
  keep: <T extends { readonly stop: () => Promise<void> }>(part: T) => T,
): Promise<{ readonly kubeconfig: string }> {
  const plane = keep(await startControlPlane({ dir: join(dir, 'cluster') }));
  const { kubeconfig } = plane;
  keep(
    startProcess({
      name: 'kube-controller-manager',
      log: join(dir, 'cluster', 'kube-controller-manager.log'),
      argv: [
        toolPath('kube-controller-manager'),
        `--kubeconfig=${kubeconfig}`,
        '--controllers=namespace-controller,garbage-collector-controller',
        '--leader-elect=false',
        '--secure-port=0',
      ],
    }),
  );
  await kubectl(kubeconfig, 'apply', '--server-side', '-f', crds);
  await kubectl(kubeconfig, 'wait', '--for=condition=Established', '-f', crds);
  for (const name of [operatorNamespace, tenant]) await kubectl(kubeconfig, 'create', 'namespace', name);
  return { kubeconfig };
}

function startOperator(dir: string, kubeconfig: string, resolver: string, pods: PodsStandin): Running {
  const place = ['--kubeconfig', kubeconfig, '--namespace', operatorNamespace, '--tenant-namespaces', tenant];
  const views = ['--outside-resolver', resolver, '--resolver-ca', join(dir, 'resolver-ca.pem')];
  const names = ['--secure-name', 'example.test', '--bogus-name', 'bogus.test', '--ehlo-name', 'probe.test'];
  const more = ['--allow-addresses', places.ranges.join(','), '--http-address', '127.0.0.1:0', '--no-leader-election'];
  const program = join(dir, 'program', 'main.js');
  return startProcess({
    name: 'operator',
    argv: [process.execPath, program, 'operator', ...place, ...views, ...names, ...more, ...pods.operatorFlags],
    log: join(dir, 'operator.log'),
    env: { NODE_EXTRA_CA_CERTS: join(dir, 'roots.pem') },
  });
}

async function startSilent(address: string, port: number): Promise<{ readonly at: string; stop: () => Promise<void> }> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket)).on('error', () => socket.destroy());
  });
  await new Promise<void>((listening) => server.listen(port, address, listening));
  return {
    at: `${address}:${(server.address() as AddressInfo).port}`,
    stop: () =>
      new Promise((stopped) => {
        server.close(() => stopped());
        for (const socket of open) socket.destroy();
      }),
  };
}
