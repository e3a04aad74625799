/** The demo itself, inside the namespaces of a lab. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { MailDomain } from '../../../src/api/types.ts';
import { run } from '../command.ts';
import { startCounting } from '../counts.ts';
import { buildImage } from '../image.ts';
import { kubectl, kubectlApply } from '../kubectl.ts';
import { domain, type Lab, places, startLab } from '../lab.ts';
import { addAddress, labDir, newFolder, shareWithExec } from '../namespace.ts';
import { type Running, startProcess } from '../process.ts';
import { ensureNamespace, installChart, operatorNamespace, operatorUser } from './install.ts';
import { type DemoOptions, demoOptions } from './options.ts';
import { type MailProof, provePair, type RecordProof, seePolicy, seeRecords } from './proof.ts';
import { renderOverlay } from './overlay.ts';
import { createSteps, StepError } from './steps.ts';
import { watchUntilReady } from './watch.ts';

const target = { namespace: 'mail', name: 'example' } as const;
const imageName = 'localhost/mailseal:demo';
const main = join(import.meta.dirname, '../../../src/main.ts');

export interface DemoResult {
  readonly ready: boolean;
  readonly seconds: {
    readonly setup: number | null;
    readonly lab: number;
    readonly install: number;
    readonly converge: number;
  };
  readonly counts: object | null;
  readonly conditions: NonNullable<MailDomain['status']>['conditions'];
  readonly records: readonly RecordProof[];
  readonly policy: string;
  readonly proof: {
    readonly dane: Pick<MailProof, 'verified' | 'status'> | null;
    readonly mtaSts: Pick<MailProof, 'verified' | 'status'> | null;
  };
}

const steps = createSteps((text) => void process.stdout.write(text));
const seconds = (since: number): number => Math.round((performance.now() - since) / 100) / 10;

/** Roots of the lab's CA, for everyone who trusts the public ones outside. */
async function writeTrust(pem: string): Promise<{ readonly caFile: string }> {
  const caFile = join(labDir(), 'roots.pem');
  writeFileSync(caFile, pem);
  return { caFile };
}

function chartValues(lab: Lab, roots: string): object {
  const [repository, tag] = imageName.split(/:(?=[^:]*$)/);
  return {
    image: { repository, tag },
    tenantNamespaces: [target.namespace],
    resolvers: {
      outside: [lab.views.outsideUrl],
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

/** The agents of the two MX hosts: enrolled by the administrator, then on their own. */
async function startAgents(lab: Lab): Promise<readonly Running[]> {
  const agents: Running[] = [];
  for (const host of lab.mail.mx) {
    const file = join(labDir(), `${host.name}.agent.json`);
    const address = host.name.startsWith('mx1') ? places.mx1 : places.mx2;
    const place = [`${target.namespace}/${target.name}`, host.name, '--out', file, '--postfix-dir', host.configDir];
    const smtp = ['--smtp', `${address}:25`, '--files', `chain=${host.chainFile}`];
    await run([
      process.execPath,
      main,
      'agent',
      'enroll',
      ...place,
      ...smtp,
      '--kubeconfig',
      lab.controlPlane.kubeconfig,
    ]);
    agents.push(
      startProcess({
        name: `agent of ${host.name}`,
        argv: [process.execPath, main, 'agent', 'run', '--config', file],
        log: join(labDir(), 'logs', `${host.name}.agent.log`),
      }),
    );
  }
  return agents;
}

async function demo(options: DemoOptions): Promise<number> {
  const started = Number(process.env['MAILSEAL_STARTED'] ?? Number.NaN);
  const setup = Number.isNaN(started) ? null : Math.round(Date.now() / 1000 - started);
  const labStarted = performance.now();
  let roots = '';
  const [lab, image] = await Promise.all([
    steps.run('lab: cluster, DNS, CA, MX hosts and senders', () =>
      startLab(labDir(), async (pebble) => {
        roots = await pebble.rootPem();
        return writeTrust(roots);
      }),
    ),
    steps.run('image', () => buildImage({ name: imageName, dir: newFolder('image') })),
  ]);
  const cluster = [lab.controlPlane.kubeconfig] as const;
  shareWithExec({ KUBECONFIG: lab.controlPlane.kubeconfig });
  await addAddress(places.policy);
  await steps.run('image into the node', async () => lab.node?.loadImage(image));
  const labSeconds = seconds(labStarted);

  const installStarted = performance.now();
  await steps.run('Mailseal, by its Helm chart', async () => {
    await ensureNamespace(cluster, operatorNamespace);
    await ensureNamespace(cluster, target.namespace);
    const secret = `--from-literal=tsig-secret=${lab.bind.tsig.secret}`;
    await kubectl(...cluster, '-n', operatorNamespace, 'create', 'secret', 'generic', 'dns-update-key', secret);
    await installChart(cluster, chartValues(lab, roots), labDir());
  });
  const agents = await steps.run('agents on mx1 and mx2', () => startAgents(lab));
  const installSeconds = seconds(installStarted);

  const counted = startCounting({
    auditLog: lab.controlPlane.auditLogPath,
    user: operatorUser,
    pebble: lab.pebble,
    bind: lab.bind,
    zones: [domain],
  });
  const convergeStarted = performance.now();
  steps.say(
    '    kubectl apply: examples/quickstart.yaml with the overlay of the lab (TTLs of 5 s, promotion immediately;',
  );
  steps.say('    without the overlay a new policy begins in testing)');
  const { domain: object } = await steps.run('MailDomain example becomes Ready', async () => {
    await kubectlApply(cluster[0], await renderOverlay(lab));
    return watchUntilReady(cluster, target, steps, 180_000);
  });
  const convergeSeconds = seconds(convergeStarted);
  const counts = counted();

  const records = await steps.run('records, as the outside resolver shows them', seeRecords);
  for (const { name, type, values, authentic } of records) {
    steps.say(`    ${name} ${type} ${values.join(' | ') || '(nothing)'}${authentic ? '  [AD]' : '  [not authentic]'}`);
  }
  const policy = await steps.run('policy, over HTTPS with a trusted certificate', () =>
    seePolicy(join(labDir(), 'roots.pem')),
  );
  for (const text of policy.trimEnd().split(/\r?\n/)) steps.say(`    ${text}`);
  const proof = await steps.run('mail from two senders that accept nothing unverified', () => provePair(lab));
  for (const [how, { verified, status, log }] of Object.entries(proof)) {
    steps.say(`    ${how}: ${verified ? 'Verified TLS connection' : 'NOT VERIFIED'}, status=${status}`);
    if (!verified || status !== 'sent') for (const text of log) steps.say(`      ${text}`);
  }
  steps.say(`    counts: ${JSON.stringify(counts)}`);

  const result: DemoResult = {
    ready: true,
    seconds: { setup, lab: labSeconds, install: installSeconds, converge: convergeSeconds },
    counts,
    conditions: object.status?.conditions ?? [],
    records,
    policy,
    proof: {
      dane: { verified: proof.dane.verified, status: proof.dane.status },
      mtaSts: { verified: proof.mtaSts.verified, status: proof.mtaSts.status },
    },
  };
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(result, undefined, 2)}\n`);
  const good =
    records.every(({ values, authentic }) => values.length > 0 && authentic) &&
    policy.includes('mode: enforce') &&
    Object.values(result.proof).every((one) => one?.verified === true && one.status === 'sent');
  steps.say(good ? '==> all of it holds' : '==> NOT all of it holds');
  if (!options.once) await lookAround();
  for (const agent of agents) await agent.stop();
  await lab.stop();
  return good ? 0 : 1;
}

async function lookAround(): Promise<void> {
  steps.say('');
  steps.say('The lab stays up until Ctrl-C. In another terminal, from this checkout:');
  steps.say('  npm run -s demo -- exec kubectl get md,mex -A');
  steps.say('  npm run -s demo -- exec kubectl -n mail describe md example');
  steps.say(`  npm run -s demo -- exec kubectl -n ${operatorNamespace} logs deploy/mailseal`);
  steps.say(
    `  npm run -s demo -- exec curl --cacert ${join(labDir(), 'roots.pem')} --resolve mta-sts.${domain}:443:${places.policy} https://mta-sts.${domain}/.well-known/mta-sts.txt`,
  );
  const { promise, resolve } = Promise.withResolvers<void>();
  process.once('SIGINT', () => resolve()).once('SIGTERM', () => resolve());
  await promise;
}

try {
  process.exitCode = await demo(demoOptions(process.argv.slice(2)));
} catch (error) {
  const text = error instanceof Error ? error.message : String(error);
  process.stderr.write(error instanceof StepError ? `demo failed at ${text}\n` : `demo failed: ${text}\n`);
  if (!(error instanceof StepError) && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  process.exitCode = 1;
}
// Whatever a failed step left running ends with the namespaces.
process.exit();
