/**
 * A lab for thousands of domains: API server and etcd without a node, BIND, Pebble, one Postfix with its agent, two
 * policy servers as processes, and the operator as a process under the role that the chart gives it.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../test/lab/command.ts';
import { operatorNamespace } from '../test/lab/demo/install.ts';
import { leanEnv, leanFlags } from '../test/lab/image.ts';
import type { ControlPlane } from '../test/lab/controlplane.ts';
import type { Bind } from '../test/lab/dns.ts';
import type { ZoneSpec } from '../test/lab/dns-zone.ts';
import { kubectl, kubectlApply } from '../test/lab/kubectl.ts';
import { places, startAcme, startCluster, startDns } from '../test/lab/lab.ts';
import { addAddress } from '../test/lab/namespace.ts';
import type { Pebble } from '../test/lab/pebble.ts';
import { startPostfixMx } from '../test/lab/postfix-mx.ts';
import { type Running, startProcess, waitFor } from '../test/lab/process.ts';
import { mountShards } from './converge-kubelet.ts';
import {
  deployment,
  grants,
  install,
  namespace,
  operatorUrl,
  podAddresses,
  shards,
  startOperator,
} from './operator-part.ts';

export const exchanger = 'shared';
const mxHost = 'mx1.example.test';
const shared = {
  apiVersion: 'mailseal.dev/v1alpha1',
  kind: 'MailExchanger',
  metadata: { name: exchanger, namespace },
  spec: { hosts: [mxHost], dane: { ttlSeconds: 5 } },
} as const;

export interface BulkLab {
  readonly controlPlane: ControlPlane;
  readonly bind: Bind;
  readonly pebble: Pebble;
  readonly operator: Running;
  readonly policyServer: Running;
  /** `http://HOST:PORT` of the operator's metrics and health. */
  readonly operatorUrl: string;
  readonly stop: () => Promise<void>;
}

/**
 * Resolves when the exchanger that all domains share is Ready. `program`: the bundle's main.js; `profile`: the folder
 * for the operator's profile, which it writes when it ends.
 */
export async function startBulkLab(
  dir: string,
  program: string,
  zones: readonly ZoneSpec[],
  profile: string | undefined,
): Promise<BulkLab> {
  for (const address of [places.mx1, ...podAddresses]) await addAddress(address);
  const [cluster, { dns, pebble }] = await Promise.all([
    startCluster(dir, { node: false }),
    startDns(dir, zones).then(async (started) => ({ dns: started, pebble: await startAcme(dir) })),
  ]);
  const { controlPlane } = cluster;
  const { bind, views } = dns;
  const roots = join(dir, 'roots.pem');
  writeFileSync(roots, await pebble.rootPem());
  const resolver = places.inside;
  const postfix = await startPostfixMx({ dir: join(dir, 'mx1'), name: mxHost, v4: places.mx1, resolver, domains: [] });
  await install(controlPlane, bind, views, dir, await pebble.rootPem());
  const pods = podAddresses.map((_, index) => join(dir, `pod${index}`));
  const mounts = { kubeconfig: controlPlane.kubeconfig, namespace: operatorNamespace, dirs: pods, count: shards };
  const kubelet = await mountShards(mounts);
  const servers = await Promise.all(pods.map((pod, index) => startPolicyPod(controlPlane, dir, program, pod, index)));
  const operator = await startOperator(controlPlane, dir, program, { views, roots, profile });
  await kubectlApply(controlPlane.kubeconfig, JSON.stringify(grants(bind, pebble, zones, [shared])));
  const agent = await startAgent(controlPlane, dir, postfix.configDir, postfix.chainFile);
  const stop = async (): Promise<void> => {
    await agent.stop();
    await operator.stop();
    await kubelet.stop();
    await Promise.all([postfix, ...servers].map((part) => part.stop()));
    await pebble.stop();
    await dns.stop();
    await cluster.stop();
  };
  const ready = ['-n', namespace, 'wait', `mex/${exchanger}`, '--for=condition=Ready', '--timeout=120s'] as const;
  await kubectl(controlPlane.kubeconfig, ...ready);
  const [policyServer] = servers;
  if (policyServer === undefined) throw new Error('there is no policy server');
  return { controlPlane, bind, pebble, operator, policyServer, operatorUrl, stop };
}

/** A Pod object as the Deployment would make it, and the process that would run in it. */
async function startPolicyPod(
  controlPlane: ControlPlane,
  dir: string,
  program: string,
  shardsDir: string,
  index: number,
): Promise<Running> {
  const { kubeconfig } = controlPlane;
  const { metadata, spec } = await deployment(controlPlane, 'mailseal-policy');
  const name = `mailseal-policy-${index}`;
  const address = podAddresses[index] ?? '';
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name, labels: metadata.labels }, spec };
  await kubectlApply(kubeconfig, JSON.stringify(pod), '-n', operatorNamespace);
  const status = JSON.stringify({ status: { podIP: address, podIPs: [{ ip: address }] } });
  const patch = ['patch', 'pod', name, '--subresource=status', '--type=merge', '-p', status] as const;
  await kubectl(kubeconfig, '-n', operatorNamespace, ...patch);
  const flags = [`--https-address=${address}:443`, `--http-address=${address}:9090`, `--shards-dir=${shardsDir}`];
  const part = startProcess({
    name: `policy server ${index}`,
    argv: [process.execPath, ...leanFlags, program, 'policy-server', ...flags],
    log: join(dir, 'logs', `policy${index}.log`),
    env: leanEnv,
  });
  await waitFor(`${name} is ready`, async () => (await fetch(`http://${address}:9090/readyz`)).ok, { part });
  return part;
}

async function startAgent(
  { kubeconfig }: ControlPlane,
  dir: string,
  configDir: string,
  chain: string,
): Promise<Running> {
  const file = join(dir, 'agent.json');
  const mailseal = [process.execPath, join(import.meta.dirname, '../src/main.ts'), 'agent'] as const;
  const place = [`${namespace}/${exchanger}`, mxHost, '--out', file, '--mail-config', configDir];
  const smtp = [
    '--smtp',
    `${places.mx1}:25`,
    '--files',
    `chain=${chain}`,
    '--resolver',
    'off',
    '--kubeconfig',
    kubeconfig,
  ];
  await run([...mailseal, 'enroll', ...place, ...smtp]);
  return startProcess({
    name: 'agent',
    argv: [...mailseal, 'run', '--config', file],
    log: join(dir, 'logs', 'agent.log'),
  });
}
