/**
 * Stands in for the kubelet: writes each shard's Secret into the folders that the policy servers read, as soon as it
 * changes. A real kubelet takes a moment longer to look; what it does then is the same.
 */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createKube } from '../src/kube/client.ts';
import { loadKubeConfig } from '../src/kube/config.ts';
import { createReflector } from '../src/kube/reflector.ts';
import type { SecretObject } from '../src/kube/types.ts';

interface Mounted {
  readonly index: string;
  readonly data: Readonly<Record<string, string>>;
}

/** `dirs`: of each pod, its folder of shards, into which `count` empty ones are made. */
export async function mountShards(options: {
  readonly kubeconfig: string;
  readonly namespace: string;
  readonly dirs: readonly string[];
  readonly count: number;
}): Promise<{ readonly stop: () => Promise<void> }> {
  const { namespace, dirs, count } = options;
  for (const dir of dirs) {
    for (let index = 0; index < count; index += 1) mkdirSync(join(dir, String(index)), { recursive: true });
    mkdirSync(`${dir}.next`, { recursive: true });
  }
  const access = await loadKubeConfig({ from: 'file', file: options.kubeconfig, context: undefined });
  const kube = createKube(access, { userAgent: 'bench-kubelet' });
  const reflector = createReflector<SecretObject, Mounted>({
    kube,
    query: { apiVersion: 'v1', kind: 'Secret', namespace, labelSelector: 'mailseal.dev/shard' },
    select: ({ metadata, data = {} }) => ({ index: metadata.labels?.['mailseal.dev/shard'] ?? '', data }),
    onChange: (_, entry) => {
      if (entry === undefined) return;
      for (const dir of dirs) mount(dir, entry);
    },
  });
  reflector.start();
  await reflector.synced;
  const stop = async (): Promise<void> => {
    await reflector.stop();
    kube.close();
  };
  return { stop };
}

function mount(dir: string, { index, data }: Mounted): void {
  for (const [name, value] of Object.entries(data)) {
    const next = join(`${dir}.next`, `${index}-${name}`);
    writeFileSync(next, Buffer.from(value, 'base64'));
    renameSync(next, join(dir, index, name));
  }
}
