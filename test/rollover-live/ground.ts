/**
 * Two MX hosts outside the cluster with agents, an operator, a cluster, name servers, a CA, and a sender by DANE: a
 * world in which keys are changed while mail flows.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createKube, type KubeClient } from '../../src/kube/client.ts';
import { loadKubeConfig } from '../../src/kube/config.ts';
import { operatorNamespace, tenant } from '../faults/cluster.ts';
import { bundle } from '../lab/bundle.ts';
import { run } from '../lab/command.ts';
import { startControlPlane } from '../lab/controlplane.ts';
import type { Bind } from '../lab/dns.ts';
import { kubectl } from '../lab/kubectl.ts';
import { places, startAcme, startDns } from '../lab/lab.ts';
import { addAddress } from '../lab/namespace.ts';
import { collectParts } from '../lab/parts.ts';
import type { Pebble } from '../lab/pebble.ts';
import { type PostfixMx, startPostfixMx } from '../lab/postfix-mx.ts';
import { type Running, startProcess } from '../lab/process.ts';
import { hosts, mailDomains, mxPlaces, zone, zoneRecords } from './names.ts';
import { type Sender, startSender } from './sender.ts';

export interface MxHost {
  readonly name: string;
  readonly address: string;
  readonly postfix: PostfixMx;
}

export interface Ground {
  readonly dir: string;
  readonly kube: KubeClient;
  readonly bind: Bind;
  readonly pebble: Pebble;
  readonly mx: readonly [MxHost, MxHost];
  readonly operator: () => Running;
  /** Kills the one that runs, if any. */
  readonly startOperator: () => Promise<void>;
  readonly killOperator: () => Promise<void>;
  /** Enrolls the hosts, as the administrator, and starts an agent beside each; those that run are ended first. */
  readonly startAgents: () => Promise<void>;
  readonly endAgents: () => Promise<void>;
  /** Of the host with that name. */
  readonly agentOf: (host: string) => Running;
  /** The sender; from the first call on it sends. */
  readonly send: () => Promise<Sender>;
  readonly stop: () => Promise<void>;
}

const crds = resolve(import.meta.dirname, '../../crds');

/** Nothing has been applied, and neither operator nor agents run. */
export async function startGround(dir: string): Promise<Ground> {
  const { keep, stop } = collectParts();
  try {
    const program = join(dir, 'program', 'main.js');
    const [dns, plane] = await Promise.all([
      startDns(dir, [{ name: zone, records: zoneRecords }]).then(keep),
      startControlPlane({ dir: join(dir, 'cluster') }).then(keep),
      bundle(join(dir, 'program')),
    ]);
    const { kubeconfig } = plane;
    await kubectl(kubeconfig, 'apply', '--server-side', '-f', crds);
    await kubectl(kubeconfig, 'wait', '--for=condition=Established', '-f', crds);
    for (const name of [operatorNamespace, tenant]) await kubectl(kubeconfig, 'create', 'namespace', name);
    const pebble = keep(await startAcme(dir));
    const kube = createKube(await loadKubeConfig({ from: 'file', file: kubeconfig }), { userAgent: 'test' });
    keep({ stop: async () => kube.close() });
    const [first, second] = await Promise.all(hosts.map(async (name) => startHost(dir, name)));
    if (first === undefined || second === undefined) throw new Error('two hosts are needed');
    const mx = [first, second] as const;
    for (const { postfix } of mx) keep(postfix);
    writeFileSync(join(dir, 'roots.pem'), await pebble.rootPem());
    const place: Place = { dir, program, kubeconfig, resolver: dns.views.outsideUrl, ca: join(dir, 'resolver-ca.pem') };
    writeFileSync(place.ca, dns.views.outsideCa);
    const agents = new Map<string, Running>();
    const named = <T>(part: T | undefined, what: string): T => {
      if (part === undefined) throw new Error(`${what} has not been started`);
      return part;
    };
    let operator: Running | undefined;
    let sender: Promise<Sender> | undefined;
    const killOperator = async (): Promise<void> => {
      operator?.signal('SIGKILL');
      await operator?.ended;
    };
    const endAgents = async (): Promise<void> =>
      void (await Promise.all([...agents.values()].map((one) => one.stop())));
    return {
      dir,
      kube,
      bind: dns.bind,
      pebble,
      mx,
      operator: () => named(operator, 'the operator'),
      killOperator,
      startOperator: async () => {
        await killOperator();
        operator = keep(startOperator(place));
      },
      endAgents,
      startAgents: async () => {
        await endAgents();
        await Promise.all(mx.map(async (host) => agents.set(host.name, keep(await startAgent(place, host)))));
      },
      agentOf: (host) => named(agents.get(host), `the agent of ${host}`),
      send: () => (sender ??= startSender(join(dir, 'sender'), dns.bind, mailDomains).then(keep)),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startHost(dir: string, name: (typeof hosts)[number]): Promise<MxHost> {
  const address = mxPlaces[name];
  await addAddress(address);
  const postfix = await startPostfixMx({
    dir: join(dir, name),
    name,
    v4: address,
    resolver: places.inside,
    domains: mailDomains,
    parameters: { in_flow_delay: '0' },
  });
  return { name, address, postfix };
}

interface Place {
  readonly dir: string;
  readonly program: string;
  readonly kubeconfig: string;
  readonly resolver: string;
  /** PEM file of the CA that signed the resolver's certificate. */
  readonly ca: string;
}

const tested = ['--secure-name', 'example.test', '--bogus-name', 'bogus.test'] as const;

function startOperator({ dir, program, kubeconfig, resolver, ca }: Place): Running {
  const where = ['--kubeconfig', kubeconfig, '--namespace', operatorNamespace, '--tenant-namespaces', tenant];
  const views = ['--outside-resolver', resolver, '--resolver-ca', ca, ...tested, '--ehlo-name', 'probe.test'];
  const more = ['--allow-addresses', places.ranges.join(','), '--http-address', '127.0.0.1:0', '--no-leader-election'];
  return startProcess({
    name: 'operator',
    argv: [process.execPath, program, 'operator', ...where, ...views, ...more],
    log: join(dir, 'operator.log'),
    env: { NODE_EXTRA_CA_CERTS: join(dir, 'roots.pem') },
  });
}

async function startAgent({ dir, program, kubeconfig, resolver, ca }: Place, host: MxHost): Promise<Running> {
  const { name, address, postfix } = host;
  const file = join(dir, `${name}.agent.json`);
  const place = [`${tenant}/live`, name, '--out', file, '--mail-config', postfix.configDir];
  const smtp = ['--smtp', `${address}:25`, '--files', `chain=${postfix.chainFile}`];
  const views = ['--resolver', resolver, '--resolver-ca', ca, ...tested];
  const enroll = [process.execPath, program, 'agent', 'enroll'] as const;
  await run([...enroll, ...place, ...smtp, ...views, '--kubeconfig', kubeconfig]);
  return startProcess({
    name: `agent of ${name}`,
    argv: [process.execPath, program, 'agent', 'run', '--config', file],
    log: join(dir, `${name}.agent.log`),
  });
}

/** PEM of the CA that signed the ACME server's own certificate. */
export const acmeCaOf = ({ pebble }: Pick<Ground, 'pebble'>): string => readFileSync(pebble.caFile, 'utf8');
