/** The demo in a cluster that the user has: his own image, DNS, ACME server and MX. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { load, loadAll } from 'js-yaml';
import type { Values } from '../installed.ts';
import { kubectl } from '../kubectl.ts';
import { type Cluster, ensureNamespace, installChart, operatorNamespace } from './install.ts';
import type { DemoOptions } from './options.ts';
import { createResults, type Results } from './result.ts';
import { createSteps, messageOf, secondsSince } from './steps.ts';
import { watchUntilReady } from './watch.ts';

const steps = createSteps((text) => void process.stdout.write(text));
/** Real CAs, real DNS: minutes, not seconds. */
const patienceMs = 30 * 60 * 1000;

type Existing = NonNullable<DemoOptions['existing']>;

interface Manifest {
  readonly kind?: string;
  readonly metadata?: { readonly name?: string; readonly namespace?: string };
}

interface Target {
  readonly name: string;
  readonly namespace: string;
}

/** Resolves with the exit code. Needs no root and no node here, but kubectl's and Helm's access to the cluster. */
export async function runExisting(options: DemoOptions, given: Existing): Promise<number> {
  const results = createResults(options.json, process.env['MAILSEAL_STARTED']);
  const dir = mkdtempSync(join(tmpdir(), 'mailseal-demo-'));
  const leave = (): void => rmSync(dir, { recursive: true, force: true });
  process.once('exit', leave);
  try {
    await demo(given, dir, results);
    return 0;
  } catch (error) {
    results.note({ failure: messageOf(error) });
    process.stderr.write(`demo failed at ${messageOf(error)}\n`);
    process.stderr.write(`see kubectl --context ${given.context} -n ${operatorNamespace} logs deploy/mailseal\n`);
    return 1;
  } finally {
    results.write();
  }
}

async function demo({ context, image, manifest, values }: Existing, dir: string, results: Results): Promise<void> {
  const file = process.env['KUBECONFIG'] ?? join(homedir(), '.kube/config');
  const cluster: Cluster = [file, `--context=${context}`];
  const target = targetIn(manifest);
  const startedInstall = performance.now();
  await steps.run('Mailseal, by its Helm chart', async () => {
    await ensureNamespace(cluster, operatorNamespace);
    await ensureNamespace(cluster, target.namespace);
    const given = values === undefined ? {} : (load(readFileSync(values, 'utf8')) as Values);
    await installChart(cluster, { tenantNamespaces: [target.namespace], ...given, image: imageValues(image) }, dir);
  });
  results.note({ seconds: { install: secondsSince(startedInstall) } });
  const startedConverge = performance.now();
  await steps.run(`MailDomain ${target.name} becomes Ready`, async () => {
    await kubectl(...cluster, 'apply', '-f', manifest);
    const { domain } = await watchUntilReady(cluster, target, steps, patienceMs, ({ status }) =>
      results.note({ conditions: status?.conditions ?? [] }),
    );
    const records = domain.status?.records ?? [];
    // Nobody here asked a validating resolver: what the operator saw is all that is known.
    results.note({
      ready: true,
      records: records.map(({ name, type, values: shown }) => ({ name, type, values: shown, authentic: null })),
    });
  });
  results.note({ seconds: { converge: secondsSince(startedConverge) } });
  steps.say(`==> Ready. Look around: kubectl --context ${context} -n ${target.namespace} describe md ${target.name}`);
}

/** The MailDomain of a manifest that holds one. */
function targetIn(manifest: string): Target {
  const objects = loadAll(readFileSync(manifest, 'utf8')) as readonly (Manifest | null)[];
  const wanted = objects.find((object) => object?.kind === 'MailDomain')?.metadata;
  if (wanted?.name === undefined) throw new Error(`${manifest} holds no MailDomain`);
  return { name: wanted.name, namespace: wanted.namespace ?? 'default' };
}

/** `registry/name:tag`, `registry/name@sha256:…` or `registry/name`, as the chart takes it. */
function imageValues(image: string): Values {
  const [named = '', digest] = image.split('@');
  const at = named.lastIndexOf(':');
  const split = at > named.lastIndexOf('/') ? at : named.length;
  const tag = named.slice(split + 1) || (digest === undefined ? 'latest' : '');
  return { repository: named.slice(0, split), tag, digest: digest ?? '' };
}
