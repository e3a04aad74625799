/** The demo in a cluster that the user has: his own image, DNS, ACME server and MX. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadAll } from 'js-yaml';
import { kubectl } from '../kubectl.ts';
import { type Cluster, ensureNamespace, installChart, operatorNamespace } from './install.ts';
import type { DemoOptions } from './options.ts';
import { createSteps } from './steps.ts';
import { watchUntilReady } from './watch.ts';

const steps = createSteps((text) => void process.stdout.write(text));
/** Real CAs, real DNS: minutes, not seconds. */
const patienceMs = 30 * 60 * 1000;

interface Manifest {
  readonly kind?: string;
  readonly metadata?: { readonly name?: string; readonly namespace?: string };
}

export async function runExisting(options: DemoOptions, given: NonNullable<DemoOptions['existing']>): Promise<number> {
  const { context, image, manifest } = given;
  const file = process.env['KUBECONFIG'] ?? join(homedir(), '.kube/config');
  const cluster: Cluster = [file, `--context=${context}`];
  const objects = loadAll(readFileSync(manifest, 'utf8')) as readonly Manifest[];
  const wanted = objects.find(({ kind }) => kind === 'MailDomain')?.metadata;
  if (wanted?.name === undefined) throw new Error(`${manifest} holds no MailDomain`);
  const target = { name: wanted.name, namespace: wanted.namespace ?? 'default' };
  const dir = mkdtempSync(join(tmpdir(), 'mailseal-demo-'));
  try {
    const at = image.lastIndexOf(':');
    const split = at > image.lastIndexOf('/') ? at : image.length;
    const started = performance.now();
    await steps.run('Mailseal, by its Helm chart', async () => {
      await ensureNamespace(cluster, operatorNamespace);
      await ensureNamespace(cluster, target.namespace);
      const values = {
        image: { repository: image.slice(0, split), tag: image.slice(split + 1) },
        tenantNamespaces: [target.namespace],
      };
      await installChart(cluster, values, dir);
    });
    const install = (performance.now() - started) / 1000;
    const applied = performance.now();
    const { domain } = await steps.run(`MailDomain ${target.name} becomes Ready`, async () => {
      await kubectl(...cluster, 'apply', '-f', manifest);
      return watchUntilReady(cluster, target, steps, patienceMs);
    });
    const result = {
      ready: true,
      seconds: { setup: null, lab: 0, install, converge: (performance.now() - applied) / 1000 },
      counts: null,
      conditions: domain.status?.conditions ?? [],
      records: domain.status?.records ?? [],
      policy: domain.status?.mtaSts ?? null,
      proof: { dane: null, mtaSts: null },
    };
    if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(result, undefined, 2)}\n`);
    steps.say(`==> Ready. Look around: kubectl --context ${context} -n ${target.namespace} describe md ${target.name}`);
    return 0;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
