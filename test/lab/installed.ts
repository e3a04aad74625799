/** A lab with Mailseal in it, as an administrator installs it: image, chart, the DNS key's Secret, agents on MX hosts. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './command.ts';
import { type Cluster, ensureNamespace, installChart, operatorNamespace, valuesFileIn } from './demo/install.ts';
import { createSteps, secondsSince, type Steps } from './demo/steps.ts';
import { buildImage } from './image.ts';
import { kubectl } from './kubectl.ts';
import { domain, type Lab, type MoreWorld, places, startLab } from './lab.ts';
import { addAddress, newFolder, shareWithExec } from './namespace.ts';
import type { PostfixMx } from './postfix-mx.ts';
import { type Running, startProcess } from './process.ts';

const imageName = 'localhost/mailseal:lab';
const main = join(import.meta.dirname, '../../src/main.ts');

export interface InstalledSpec {
  /** Namespaces that are made and that the operator may write Secrets in; `['mail']` when absent. */
  readonly tenants?: readonly string[];
  /** Chart values, laid over those that a lab needs. */
  readonly values?: Values;
  readonly more?: MoreWorld;
  /** Where progress is said; silent when absent. */
  readonly steps?: Steps;
}

export interface Values {
  readonly [key: string]: unknown;
}

/** An MX host that gets an agent, and the exchanger (`namespace/name`) whose Secret it takes. */
export interface AgentSpec {
  readonly exchanger: string;
  readonly postfix: PostfixMx;
  readonly address: string;
}

export interface Installed {
  readonly lab: Lab;
  readonly cluster: Cluster;
  /** PEM file with the roots of the lab's public CA. */
  readonly rootsFile: string;
  /** The chart's values, as they were given to Helm. */
  readonly valuesFile: string;
  readonly seconds: { readonly lab: number; readonly install: number };
  /** Enrolls an agent, as the administrator, and starts it beside its Postfix. Resolves when it runs. */
  readonly startAgent: (spec: AgentSpec) => Promise<Running>;
  readonly stop: () => Promise<void>;
}

/** Resolves when operator and policy pods are ready. Needs the namespaces of a lab that can run a node. */
export async function startInstalled(dir: string, spec: InstalledSpec = {}): Promise<Installed> {
  const steps = spec.steps ?? createSteps(() => undefined);
  const rootsFile = join(dir, 'roots.pem');
  const startedLab = performance.now();
  let roots = '';
  const [lab, image] = await Promise.all([
    steps.run('lab: cluster, DNS, CA, MX hosts and senders', () =>
      startLab(
        dir,
        async (pebble) => {
          roots = await pebble.rootPem();
          writeFileSync(rootsFile, roots);
          return { caFile: rootsFile };
        },
        spec.more,
      ),
    ),
    steps.run('image', () => buildImage({ name: imageName, dir: newFolder('image') })),
  ]);
  shareWithExec({ KUBECONFIG: lab.controlPlane.kubeconfig });
  await addAddress(places.policy);
  await steps.run('image into the node', async () => lab.node?.loadImage(image));
  const labSeconds = secondsSince(startedLab);

  const startedInstall = performance.now();
  const cluster = [lab.controlPlane.kubeconfig] as const;
  const tenants = spec.tenants ?? ['mail'];
  await steps.run('Mailseal, by its Helm chart', async () => {
    for (const name of [operatorNamespace, ...tenants]) await ensureNamespace(cluster, name);
    const secret = `--from-literal=tsig-secret=${lab.bind.tsig.secret}`;
    await kubectl(...cluster, '-n', operatorNamespace, 'create', 'secret', 'generic', 'dns-update-key', secret);
    await installChart(cluster, overlaid(labValues(lab, roots, tenants), spec.values ?? {}), dir);
  });
  const agents: Running[] = [];
  return {
    lab,
    cluster,
    rootsFile,
    valuesFile: valuesFileIn(dir),
    seconds: { lab: labSeconds, install: secondsSince(startedInstall) },
    startAgent: async (agent) => {
      const started = await startAgent(lab, dir, agent);
      agents.push(started);
      return started;
    },
    stop: async () => {
      await Promise.all(agents.map((agent) => agent.stop()));
      await lab.stop();
    },
  };
}

/** What the chart must be told of a lab: its resolver, its roots, its private addresses. */
function labValues(lab: Lab, roots: string, tenants: readonly string[]): Values {
  const [repository, tag] = imageName.split(/:(?=[^:]*$)/);
  return {
    image: { repository, tag },
    tenantNamespaces: tenants,
    resolvers: {
      outside: [lab.views.outsideUrl],
      inside: [`udp://${places.inside}:53`],
      caBundle: lab.views.outsideCa,
      secureName: domain,
      bogusName: 'bogus.test',
    },
    egress: { allowPrivateAddresses: places.ranges },
    trust: { extraCAs: roots },
    operator: { ehloName: 'probe.test' },
    policy: { service: { type: 'ClusterIP', externalIPs: [places.policy] } },
    networkPolicy: {
      enabled: true,
      apiServerPorts: [443, Number(new URL(lab.controlPlane.server).port)],
      extraEgressPorts: [14000],
    },
  };
}

const isValues = (value: unknown): value is Values =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** As Helm lays values over each other: maps are merged, all else is replaced. */
function overlaid(under: Values, over: Values): Values {
  const merged = Object.entries(over).map(([key, value]): [string, unknown] => {
    const below = under[key];
    return [key, isValues(value) && isValues(below) ? overlaid(below, value) : value];
  });
  return { ...under, ...Object.fromEntries(merged) };
}

async function startAgent(lab: Lab, dir: string, { exchanger, postfix, address }: AgentSpec): Promise<Running> {
  const file = join(dir, `${postfix.name}.agent.json`);
  const place = [exchanger, postfix.name, '--out', file, '--mail-config', postfix.configDir];
  const smtp = ['--smtp', `${address}:25`, '--files', `chain=${postfix.chainFile}`];
  const ca = join(dir, `${postfix.name}.resolver-ca.pem`);
  writeFileSync(ca, lab.views.outsideCa);
  const tested = ['--secure-name', domain, '--bogus-name', 'bogus.test'];
  const resolver = ['--resolver', lab.views.outsideUrl, '--resolver-ca', ca, ...tested];
  const enroll = [process.execPath, main, 'agent', 'enroll'] as const;
  await run([...enroll, ...place, ...smtp, ...resolver, '--kubeconfig', lab.controlPlane.kubeconfig]);
  return startProcess({
    name: `agent of ${postfix.name}`,
    argv: [process.execPath, main, 'agent', 'run', '--config', file],
    log: join(dir, 'logs', `${postfix.name}.agent.log`),
  });
}

/** Agents on the two MX hosts of every lab, for one exchanger. */
export async function startExampleAgents(installed: Installed, exchanger: string): Promise<void> {
  const [mx1, mx2] = installed.lab.mail.mx;
  await Promise.all([
    installed.startAgent({ exchanger, postfix: mx1, address: places.mx1 }),
    installed.startAgent({ exchanger, postfix: mx2, address: places.mx2 }),
  ]);
}
