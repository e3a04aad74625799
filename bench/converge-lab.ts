/**
 * A lab for thousands of domains: API server and etcd without a node, BIND, Pebble, one Postfix with its agent, two
 * policy servers as processes, and the operator as a process under the role that the chart gives it.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../test/lab/command.ts';
import { ensureNamespace, operatorNamespace, release } from '../test/lab/demo/install.ts';
import { leanEnv, leanFlags } from '../test/lab/image.ts';
import { writeKubeconfig } from '../test/lab/kubeconfig.ts';
import type { ControlPlane } from '../test/lab/controlplane.ts';
import type { Bind } from '../test/lab/dns.ts';
import type { ZoneSpec } from '../test/lab/dns-zone.ts';
import { helm, kubectl, kubectlApply } from '../test/lab/kubectl.ts';
import { places, startAcme, startCluster, startDns, type Views } from '../test/lab/lab.ts';
import { addAddress } from '../test/lab/namespace.ts';
import type { Pebble } from '../test/lab/pebble.ts';
import { startPostfixMx } from '../test/lab/postfix-mx.ts';
import { type Running, startProcess, waitFor } from '../test/lab/process.ts';
import { mountShards } from './converge-kubelet.ts';
import { operatorFlags } from './operator-flags.ts';

export const namespace = 'mail';
export const exchanger = 'shared';
const mxHost = 'mx1.example.test';
const shards = 8;
/** The first is where the policies are reached from outside too. */
const podAddresses = [places.policy, '10.53.0.81'] as const;
const metricsAddress = '127.0.0.1:9090';

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

interface Container {
  readonly args: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
}

interface Deployment {
  readonly spec: {
    readonly template: {
      readonly metadata: { readonly labels: Readonly<Record<string, string>> };
      readonly spec: { readonly containers: readonly Container[] };
    };
  };
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
  await kubectlApply(controlPlane.kubeconfig, JSON.stringify(grants(bind, pebble, zones)));
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
  return { controlPlane, bind, pebble, operator, policyServer, operatorUrl: `http://${metricsAddress}`, stop };
}

async function install(
  { kubeconfig }: ControlPlane,
  bind: Bind,
  views: Views,
  dir: string,
  roots: string,
): Promise<void> {
  for (const name of [operatorNamespace, namespace]) await ensureNamespace([kubeconfig], name);
  const secret = ['create', 'secret', 'generic', 'dns-update-key', `--from-literal=tsig-secret=${bind.tsig.secret}`];
  await kubectl(kubeconfig, '-n', operatorNamespace, ...secret);
  const values = {
    tenantNamespaces: [namespace],
    resolvers: {
      outside: [views.outsideUrl],
      inside: [`udp://${places.inside}:53`],
      caBundle: views.outsideCa,
      secureName: 'example.test',
      bogusName: 'bogus.test',
    },
    egress: { allowPrivateAddresses: places.ranges },
    trust: { extraCAs: roots },
    operator: { ehloName: 'probe.test' },
    policy: { shards, service: { type: 'ClusterIP', externalIPs: [podAddresses[0]] } },
  };
  const file = join(dir, 'values.json');
  writeFileSync(file, JSON.stringify(values));
  const chart = join(import.meta.dirname, '../charts/mailseal');
  await helm(kubeconfig, 'install', release, chart, '--namespace', operatorNamespace, '-f', file);
}

async function deployment({ kubeconfig }: ControlPlane, name: string): Promise<Deployment['spec']['template']> {
  const text = await kubectl(kubeconfig, '-n', operatorNamespace, 'get', 'deployment', name, '-o', 'json');
  return (JSON.parse(text) as Deployment).spec.template;
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

async function startOperator(
  controlPlane: ControlPlane,
  dir: string,
  program: string,
  { views, roots, profile }: { readonly views: Views; readonly roots: string; readonly profile: string | undefined },
): Promise<Running> {
  const [container] = (await deployment(controlPlane, 'mailseal')).spec.containers;
  if (container === undefined) throw new Error('the operator has no container');
  const request = ['create', 'token', release, '--duration=12h'] as const;
  const token = (await kubectl(controlPlane.kubeconfig, '-n', operatorNamespace, ...request)).trim();
  const kubeconfig = writeKubeconfig(dir, 'operator', controlPlane.server, controlPlane.caFile, token);
  const resolverCa = join(dir, 'resolver-ca.pem');
  writeFileSync(resolverCa, views.outsideCa);
  const replaced: readonly string[] = ['--policy-port', '--resolver-ca', '--http-address'];
  const given = container.args.filter((arg) => !replaced.includes(arg.split('=')[0] ?? ''));
  const own = [
    '--policy-port=443',
    `--resolver-ca=${resolverCa}`,
    `--http-address=${metricsAddress}`,
    `--kubeconfig=${kubeconfig}`,
  ];
  const ownEnv = Object.fromEntries((container.env ?? []).map(({ name, value = '' }) => [name, value]));
  const watched = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`];
  const part = startProcess({
    name: 'operator',
    argv: [process.execPath, ...operatorFlags(), ...watched, program, ...given, ...own],
    log: join(dir, 'logs', 'operator.log'),
    env: { ...leanEnv, ...ownEnv, NODE_EXTRA_CA_CERTS: roots },
  });
  await waitFor('the operator is ready', async () => (await fetch(`http://${metricsAddress}/readyz`)).ok, { part });
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
  const place = [`${namespace}/${exchanger}`, mxHost, '--out', file, '--postfix-dir', configDir];
  const smtp = ['--smtp', `${places.mx1}:25`, '--files', `chain=${chain}`, '--kubeconfig', kubeconfig];
  await run([...mailseal, 'enroll', ...place, ...smtp]);
  return startProcess({
    name: 'agent',
    argv: [...mailseal, 'run', '--config', file],
    log: join(dir, 'logs', 'agent.log'),
  });
}

/** What an administrator sets up once: provider, issuer, and the exchanger that all share. */
function grants(bind: Bind, pebble: Pebble, zones: readonly ZoneSpec[]): object {
  const apiVersion = 'mailseal.dev/v1alpha1';
  const { name, algorithm } = bind.tsig;
  const items = [
    {
      apiVersion,
      kind: 'DNSProvider',
      metadata: { name: 'main' },
      spec: {
        zones: ['example.test', ...zones.map((zone) => zone.name)],
        allowedNamespaces: { names: [namespace] },
        rfc2136: { server: places.primary.v4, tsigKeyName: name, tsigAlgorithm: algorithm },
        credentialsSecretRef: { name: 'dns-update-key' },
      },
    },
    {
      apiVersion,
      kind: 'CertificateIssuer',
      metadata: { name: 'lab' },
      spec: { default: true, acme: { server: pebble.directoryUrl, caBundle: readFileSync(pebble.caFile, 'utf8') } },
    },
    {
      apiVersion,
      kind: 'MailExchanger',
      metadata: { name: exchanger, namespace },
      spec: { hosts: [mxHost], dane: { ttlSeconds: 5 } },
    },
  ];
  return { apiVersion: 'v1', kind: 'List', items };
}
