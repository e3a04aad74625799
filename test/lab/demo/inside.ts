/** The demo itself, inside the namespaces of a lab. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startCounting } from '../counts.ts';
import { type Installed, startExampleAgents, startInstalled } from '../installed.ts';
import { kubectl, kubectlApply } from '../kubectl.ts';
import { domain, places } from '../lab.ts';
import { labDir } from '../namespace.ts';
import { tail } from '../process.ts';
import { operatorNamespace, operatorUser } from './install.ts';
import { demoOptions } from './options.ts';
import { renderOverlay } from './overlay.ts';
import { provePair, seePolicy, seeRecords } from './proof.ts';
import { createResults, type Results } from './result.ts';
import { createSteps, messageOf, secondsSince, StepError } from './steps.ts';
import { watchUntilReady } from './watch.ts';

const target = { namespace: 'mail', name: 'example' } as const;
const patienceMs = 180_000;

const steps = createSteps((text) => void process.stdout.write(text));

/** From `kubectl apply` to Ready. */
async function converge(installed: Installed, results: Results): Promise<void> {
  const { lab, cluster } = installed;
  const { auditLogPath: auditLog } = lab.controlPlane;
  const counted = startCounting({ ...lab, auditLog, user: operatorUser, zones: [domain] });
  const started = performance.now();
  steps.say('    kubectl apply: examples/quickstart.yaml with the overlay of the lab (TTLs of 5 s, promotion at once;');
  steps.say('    without the overlay a new policy begins in testing)');
  try {
    await steps.run(`MailDomain ${target.name} becomes Ready`, async () => {
      await kubectlApply(cluster[0], await renderOverlay(lab));
      await watchUntilReady(cluster, target, steps, patienceMs, (object) =>
        results.note({ conditions: object.status?.conditions ?? [] }),
      );
    });
    results.note({ ready: true, seconds: { converge: secondsSince(started) } });
  } finally {
    results.note({ counts: counted() });
  }
}

/** What strangers see. Resolves with whether all of it holds. */
async function prove(installed: Installed, results: Results): Promise<boolean> {
  const records = await steps.run('records, as the outside resolver shows them', seeRecords);
  results.note({ records });
  for (const { name, type, values, authentic } of records) {
    steps.say(
      `    ${name} ${type} ${values.join(' | ') || '(nothing)'}${authentic === true ? '  [AD]' : '  [not authentic]'}`,
    );
  }
  const policy = await steps.run('policy, over HTTPS with a trusted certificate', () => seePolicy(installed.rootsFile));
  results.note({ policy });
  for (const text of policy.trimEnd().split(/\r?\n/)) steps.say(`    ${text}`);
  const mail = await steps.run('mail from two senders that accept nothing unverified', () => provePair(installed.lab));
  for (const [how, { verified, status, log }] of Object.entries(mail)) {
    steps.say(`    ${how}: ${verified ? 'Verified TLS connection' : 'NOT VERIFIED'}, status=${status}`);
    if (!verified || status !== 'sent') for (const text of log) steps.say(`      ${text}`);
  }
  const { dane, mtaSts } = mail;
  results.note({
    proof: {
      dane: { verified: dane.verified, status: dane.status },
      mtaSts: { verified: mtaSts.verified, status: mtaSts.status },
    },
  });
  return (
    records.every(({ values, authentic }) => values.length > 0 && authentic === true) &&
    policy.includes('mode: enforce') &&
    [dane, mtaSts].every(({ verified, status }) => verified && status === 'sent')
  );
}

async function lookAround({ rootsFile }: Installed): Promise<void> {
  steps.say('');
  steps.say('The lab stays up until Ctrl-C. In another terminal, from this checkout:');
  steps.say('  npm run -s demo -- exec kubectl get md,mex -A');
  steps.say('  npm run -s demo -- exec kubectl -n mail describe md example');
  steps.say(`  npm run -s demo -- exec kubectl -n ${operatorNamespace} logs deploy/mailseal`);
  const host = `mta-sts.${domain}`;
  const found = `--cacert ${rootsFile} --resolve ${host}:443:${places.policy}`;
  steps.say(`  npm run -s demo -- exec curl ${found} https://${host}/.well-known/mta-sts.txt`);
  const { promise, resolve } = Promise.withResolvers<void>();
  process.once('SIGINT', () => resolve()).once('SIGTERM', () => resolve());
  await promise;
  steps.say('\n==> taking the lab down');
}

/** The operator's own account of a failure, kept with the logs of the lab; what went wrong in it is quoted. */
async function quoteOperator({ cluster }: Installed): Promise<void> {
  const log = join(labDir(), 'logs', 'operator.log');
  mkdirSync(join(labDir(), 'logs'), { recursive: true });
  const where = ['-n', operatorNamespace, 'logs', 'deploy/mailseal', '--tail=500'] as const;
  writeFileSync(log, await kubectl(...cluster, ...where).catch((error: unknown) => messageOf(error)));
  process.stderr.write(`the operator's last words (all of them in operator.log):\n${tail(log, 10)}\n`);
}

async function demo(args: readonly string[], results: Results): Promise<number> {
  const { once } = demoOptions(args);
  const installed = await startInstalled(labDir(), { steps });
  results.note({ seconds: installed.seconds });
  try {
    const startedAgents = performance.now();
    await steps.run('agents on mx1 and mx2', () => startExampleAgents(installed, `${target.namespace}/${target.name}`));
    const agents = secondsSince(startedAgents);
    results.note({ seconds: { install: Math.round((installed.seconds.install + agents) * 10) / 10 } });
    await converge(installed, results);
    const holds = await prove(installed, results);
    steps.say(`    counts: ${JSON.stringify(results.get().counts)}`);
    steps.say(holds ? '==> all of it holds' : '==> NOT all of it holds');
    results.write();
    if (!once) await lookAround(installed);
    await installed.stop();
    return holds ? 0 : 1;
  } catch (error) {
    await quoteOperator(installed);
    throw error;
  }
}

const args = process.argv.slice(2);
const results = createResults(demoOptions(args).json, process.env['MAILSEAL_STARTED']);
try {
  process.exitCode = await demo(args, results);
} catch (error) {
  const text = messageOf(error);
  results.note({ failure: text });
  results.write();
  process.stderr.write(error instanceof StepError ? `demo failed at ${text}\n` : `demo failed: ${text}\n`);
  if (!(error instanceof StepError) && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  process.exitCode = 1;
}
// Whatever a failed step left running ends with the namespaces.
process.exit();
