/** Further domains in a lab in which one is Ready already: how long each takes, what it costs, what remains after. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { MailDomain } from '../src/api/types.ts';
import { type Counts, startCounting } from '../test/lab/counts.ts';
import { operatorNamespace, operatorUser } from '../test/lab/demo/install.ts';
import { renderOverlay } from '../test/lab/demo/overlay.ts';
import { createSteps } from '../test/lab/demo/steps.ts';
import type { ZoneSpec } from '../test/lab/dns-zone.ts';
import { type Installed, startExampleAgents, startInstalled } from '../test/lab/installed.ts';
import { leanEnv, leanFlags } from '../test/lab/image.ts';
import { kubectl, kubectlApply } from '../test/lab/kubectl.ts';
import { places } from '../test/lab/lab.ts';
import { addAddress, labDir } from '../test/lab/namespace.ts';
import { startPostfixMx } from '../test/lab/postfix-mx.ts';
import { startProcess, waitFor } from '../test/lab/process.ts';
import { ageSeconds, containersOf, cpuSeconds, podAddress, residentMegabytes } from './proc.ts';
import { median, type Row, row } from './report.ts';

const [file = '', ...flags] = process.argv.slice(2);
const quick = flags.includes('--quick');
const rounds = quick ? 1 : 5;
const idleSeconds = quick ? 10 : 30;
const namespace = 'mail';
/** On standard error: standard output is the table's. */
const steps = createSteps((text) => void process.stderr.write(text));

interface Domain {
  readonly label: string;
  /** Its own MX host's address; absent: it is on the example's hosts. */
  readonly address?: string;
  /** Further names in its MX host's certificate. */
  readonly dnsNames?: readonly string[];
}

interface Cost extends Counts {
  readonly seconds: number;
}

const indexes = Array.from({ length: rounds }, (_, index) => index);
const own: readonly Domain[] = indexes.map((index) => ({ label: `own${index}`, address: `10.53.0.${100 + index}` }));
const shared: readonly Domain[] = indexes.map((index) => ({ label: `shared${index}` }));
const named: Domain = { label: 'named', address: '10.53.0.99', dnsNames: ['smtp.named.test'] };
const domains = [...own, ...shared, named];

const zones: readonly ZoneSpec[] = domains.map(({ label, address }) => ({
  name: `${label}.test`,
  records: address === undefined ? '@ MX 10 mx1.example.test.' : `@ MX 10 mx\nmx A ${address}\nsmtp A ${address}`,
}));

function manifest({ label, address, dnsNames }: Domain): MailDomain {
  const mx = {
    hosts: [`mx.${label}.test`],
    dane: { ttlSeconds: 5 },
    ...(dnsNames === undefined ? {} : { certificate: { dnsNames: [...dnsNames] } }),
  };
  return {
    apiVersion: 'mailseal.dev/v1alpha1',
    kind: 'MailDomain',
    metadata: { name: label, namespace },
    spec: {
      domain: `${label}.test`,
      mtaSts: { ttlSeconds: 5, promotion: { immediately: true } },
      ...(address === undefined ? { exchangerRefs: [{ name: 'example' }] } : { mx }),
    },
  };
}

/** A Postfix with its agent for each domain that has a host of its own, and a provider for all their zones. */
async function prepare(installed: Installed): Promise<void> {
  const { lab, cluster } = installed;
  const provider = {
    apiVersion: 'mailseal.dev/v1alpha1',
    kind: 'DNSProvider',
    metadata: { name: 'bench' },
    spec: {
      zones: zones.map(({ name }) => name),
      allowedNamespaces: { names: [namespace] },
      rfc2136: { server: places.primary.v4, tsigKeyName: lab.bind.tsig.name, tsigAlgorithm: lab.bind.tsig.algorithm },
      credentialsSecretRef: { name: 'dns-update-key' },
    },
  };
  await kubectlApply(cluster[0], JSON.stringify(provider));
  for (const { label, address } of domains) {
    if (address === undefined) continue;
    await addAddress(address);
    const name = `mx.${label}.test`;
    const more = { resolver: places.inside, domains: [`${label}.test`] };
    const postfix = await startPostfixMx({ dir: join(labDir(), label), name, v4: address, ...more });
    await installed.startAgent({ exchanger: `${namespace}/${label}`, postfix, address });
  }
}

async function untilReady({ cluster }: Installed, name: string): Promise<void> {
  await kubectl(...cluster, '-n', namespace, 'wait', `md/${name}`, '--for=condition=Ready', '--timeout=120s');
}

/** Resolves with the counts once nothing has been added to them for some seconds. */
async function settled(counted: () => Counts): Promise<Counts> {
  const last = { text: '', since: performance.now() };
  return waitFor(
    'the operator has nothing more to do',
    () => {
      const counts = counted();
      const text = JSON.stringify(counts);
      if (text !== last.text) Object.assign(last, { text, since: performance.now() });
      return performance.now() - last.since > 6000 ? counts : undefined;
    },
    { timeoutMs: 90_000, everyMs: 500 },
  );
}

async function costOf(installed: Installed, domain: Domain): Promise<Cost> {
  const { lab, cluster } = installed;
  const auditLog = lab.controlPlane.auditLogPath;
  const counted = startCounting({ ...lab, auditLog, user: operatorUser, zones: [`${domain.label}.test`] });
  const started = performance.now();
  await kubectlApply(cluster[0], JSON.stringify(manifest(domain)));
  await untilReady(installed, domain.label);
  const seconds = (performance.now() - started) / 1000;
  const cost = { seconds, ...(await settled(counted)) };
  steps.say(`    ${domain.label}.test: ${seconds.toFixed(1)} s ${JSON.stringify({ ...cost, seconds: undefined })}`);
  return cost;
}

async function costsOf(installed: Installed, some: readonly Domain[]): Promise<readonly Cost[]> {
  const costs: Cost[] = [];
  for (const domain of some) costs.push(await costOf(installed, domain));
  return costs;
}

/** The rows of a kind of domain: medians for time, the worst for counts. */
function rowsOfCosts(ownCosts: readonly Cost[], sharedCosts: readonly Cost[], namedCost: Cost): readonly Row[] {
  const most = (costs: readonly Cost[], of: (cost: Cost) => number): number => Math.max(...costs.map(of));
  const updates = ({ dns }: Cost): number => Math.max(...Object.values(dns));
  const ownAcme = most(ownCosts, ({ acme }) => acme.requests);
  return [
    row('apply to Ready, own MX host, TTL 5 s (median)', median(ownCosts.map(({ seconds }) => seconds)), 's', 30),
    row('apply to Ready, shared MX hosts (median)', median(sharedCosts.map(({ seconds }) => seconds)), 's', 30),
    row(
      'Kubernetes writes, own MX host',
      most(ownCosts, ({ kubernetes }) => kubernetes.writes),
      'writes',
      26,
    ),
    row(
      'Kubernetes writes, shared MX hosts',
      most(sharedCosts, ({ kubernetes }) => kubernetes.writes),
      'writes',
      16,
    ),
    row(
      'Events among them, own MX host',
      most(ownCosts, ({ kubernetes }) => kubernetes.events),
      'Events',
      4,
    ),
    row(
      'ACME, a certificate of one name',
      most(sharedCosts, ({ acme }) => acme.requests),
      'requests',
      8,
    ),
    row('ACME, a further name', namedCost.acme.requests - ownAcme, 'requests', 3),
    row('DNS updates in a zone, own MX host', most(ownCosts, updates), 'messages', 4),
    row('DNS updates in a zone, shared MX hosts', most(sharedCosts, updates), 'messages', 4),
  ];
}

/** What the containers take when all is done and nothing is asked of them. */
async function idle(): Promise<readonly Row[]> {
  const [operator] = containersOf('operator');
  const [policy] = containersOf('policy-server');
  if (operator === undefined || policy === undefined) throw new Error('operator or policy server does not run');
  await pause(idleSeconds * 1000);
  const before = cpuSeconds(operator);
  await pause(idleSeconds * 1000);
  const share = ((cpuSeconds(operator) - before) / idleSeconds) * 100;
  const memory = residentMegabytes(operator);
  return [
    row('operator, idle after all of it: resident (peer: Node alone)', memory.all, 'MB', 110, await bareMegabytes()),
    row('operator, idle: resident without the program file', memory.anonymous, 'MB', null),
    row(`operator, idle for ${idleSeconds} s: processor`, share, '% of a core', 0.5),
    row('policy pod, idle: resident', residentMegabytes(policy).all, 'MB', null),
  ];
}

/** What Node takes for nothing, with the image's flags. */
async function bareMegabytes(): Promise<number> {
  const argv = [process.execPath, ...leanFlags, '-e', 'setInterval(() => 0, 1e9)'] as const;
  const part = startProcess({ name: 'bare', argv, log: join(labDir(), 'bare.log'), env: leanEnv });
  await pause(2000);
  const { all } = residentMegabytes(part.pid);
  await part.stop();
  return all;
}

/** From the start of the container's first program to the first 200 of /readyz. */
async function readySeconds({ cluster }: Installed): Promise<number> {
  const old = new Set(containersOf('operator'));
  const where = ['-n', operatorNamespace, 'delete', 'pod', '-l', 'app.kubernetes.io/component=operator'] as const;
  await kubectl(...cluster, ...where, '--wait=false');
  const patience = { timeoutMs: 60_000, everyMs: 5 };
  const pid = await waitFor('the next operator', () => containersOf('operator').find((one) => !old.has(one)), patience);
  const address = await waitFor('its address', () => podAddress(pid), patience);
  const ready = async (): Promise<boolean> => (await fetch(`http://${address}:9090/readyz`)).status === 200;
  await waitFor('it is ready', ready, patience);
  const seconds = ageSeconds(pid);
  const gone = (): boolean => containersOf('operator').every((one) => !old.has(one));
  await waitFor('the old operator has ended', gone, patience);
  return seconds;
}

async function main(): Promise<void> {
  const installed = await startInstalled(labDir(), { steps, more: { zones } });
  await steps.run('agents, MX hosts and a first domain', async () => {
    await startExampleAgents(installed, `${namespace}/example`);
    await kubectlApply(installed.cluster[0], await renderOverlay(installed.lab));
    await prepare(installed);
    await untilReady(installed, 'example');
  });
  const costs = await steps.run('further domains', async () => {
    const ownCosts = await costsOf(installed, own);
    const sharedCosts = await costsOf(installed, shared);
    return rowsOfCosts(ownCosts, sharedCosts, await costOf(installed, named));
  });
  const idleRows = await steps.run('an idle operator', idle);
  const starts: number[] = [];
  await steps.run('operators that start', async () => {
    for (const _ of indexes) starts.push(await readySeconds(installed));
    steps.say(`    seconds: ${starts.map((seconds) => seconds.toFixed(2)).join(' ')}`);
  });
  const start = row('operator, container start to /readyz (median)', median(starts), 's', 2);
  writeFileSync(file, JSON.stringify([...costs, ...idleRows, start]));
  await installed.stop();
}

try {
  await main();
} catch (error) {
  process.stderr.write(`bench failed: ${error instanceof Error ? error.stack : String(error)}\n`);
  process.exitCode = 1;
}
// Whatever a failed step left running ends with the namespaces.
process.exit();
