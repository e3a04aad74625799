/** Installs Mailseal with its own chart, as a user would. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { helm, kubectl } from '../kubectl.ts';
import { waitFor } from '../process.ts';

export const release = 'mailseal';
export const operatorNamespace = 'mailseal-system';
export const operatorUser: string = `system:serviceaccount:${operatorNamespace}:${release}`;

const chart = join(import.meta.dirname, '../../../charts/mailseal');

/** The kubeconfig, and flags that choose a context. */
export type Cluster = readonly [file: string, ...flags: string[]];

export async function ensureNamespace(cluster: Cluster, name: string): Promise<void> {
  const [file, ...flags] = cluster;
  const found = await kubectl(file, ...flags, 'get', 'namespace', name, '--ignore-not-found', '-o', 'name');
  if (found.trim() === '') await kubectl(file, ...flags, 'create', 'namespace', name);
}

export const valuesFileIn = (dir: string): string => join(dir, 'values.json');

/** Resolves when operator and policy pods are ready. */
export async function installChart(cluster: Cluster, values: object, dir: string): Promise<void> {
  const [file, ...flags] = cluster;
  const valuesFile = valuesFileIn(dir);
  writeFileSync(valuesFile, JSON.stringify(values));
  const contexts = flags.map((flag) => flag.replace('--context', '--kube-context'));
  await helm(
    file,
    ...contexts,
    'upgrade',
    '--install',
    release,
    chart,
    '--namespace',
    operatorNamespace,
    '-f',
    valuesFile,
  );
  await Promise.all(
    ['mailseal', 'mailseal-policy'].map((name) =>
      waitFor(
        `Deployment ${name} available`,
        async () => {
          const text = await kubectl(file, ...flags, '-n', operatorNamespace, 'get', 'deployment', name, '-o', 'json');
          const { spec, status } = JSON.parse(text) as {
            spec: { replicas: number };
            status: { readyReplicas?: number };
          };
          return status.readyReplicas === spec.replicas;
        },
        { timeoutMs: 120_000, everyMs: 250 },
      ),
    ),
  );
}
