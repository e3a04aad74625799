/** The operator of a bench: what the chart installs of it in an API server without a node, and its program as a process. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ControlPlane } from '../test/lab/controlplane.ts';
import { ensureNamespace, operatorNamespace, release } from '../test/lab/demo/install.ts';
import type { Bind } from '../test/lab/dns.ts';
import type { ZoneSpec } from '../test/lab/dns-zone.ts';
import { leanEnv } from '../test/lab/image.ts';
import { writeKubeconfig } from '../test/lab/kubeconfig.ts';
import { helm, kubectl } from '../test/lab/kubectl.ts';
import { places, type Views } from '../test/lab/lab.ts';
import type { Pebble } from '../test/lab/pebble.ts';
import { type Running, startProcess, waitFor } from '../test/lab/process.ts';
import { operatorFlags } from './operator-flags.ts';

export const namespace = 'mail';
export const shards = 8;
/** The first is where the policies are reached from outside too. */
export const podAddresses: readonly [string, string] = [places.policy, '10.53.0.81'];
const metricsAddress = '127.0.0.1:9090';
/** Of its metrics and health. */
export const operatorUrl: string = `http://${metricsAddress}`;

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

export async function install(
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

export async function deployment({ kubeconfig }: ControlPlane, name: string): Promise<Deployment['spec']['template']> {
  const text = await kubectl(kubeconfig, '-n', operatorNamespace, 'get', 'deployment', name, '-o', 'json');
  return (JSON.parse(text) as Deployment).spec.template;
}

interface OperatorOptions {
  readonly views: Views;
  readonly roots: string;
  /** The folder for a profile, which it writes when it ends. */
  readonly profile: string | undefined;
  /** Modules that run in it too. */
  readonly preload?: readonly string[];
}

/** `program`: the bundle's main.js. Resolves when it is ready. */
export async function startOperator(
  controlPlane: ControlPlane,
  dir: string,
  program: string,
  { views, roots, profile, preload = [] }: OperatorOptions,
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
    argv: [
      process.execPath,
      ...operatorFlags(),
      ...watched,
      ...preload.map((path) => `--import=${path}`),
      program,
      ...given,
      ...own,
    ],
    log: join(dir, 'logs', 'operator.log'),
    env: { ...leanEnv, ...ownEnv, NODE_EXTRA_CA_CERTS: roots },
  });
  await waitFor('the operator is ready', async () => (await fetch(`http://${metricsAddress}/readyz`)).ok, { part });
  return part;
}

/** What an administrator sets up once: provider and issuer, and what more is given. */
export function grants(bind: Bind, pebble: Pebble, zones: readonly ZoneSpec[], more: readonly object[] = []): object {
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
  ];
  return { apiVersion: 'v1', kind: 'List', items: [...items, ...more] };
}
