/** A program that follows some kinds, leads, and does nothing: `node idle.js KUBECONFIG` prints what it takes. */
import { createKube } from '../../src/kube/client.ts';
import { loadKubeConfig } from '../../src/kube/config.ts';
import { createElection } from '../../src/kube/lease.ts';
import { createReflector } from '../../src/kube/reflector.ts';
import { createWorkQueue } from '../../src/kube/workqueue.ts';

const access = await loadKubeConfig({ from: 'file', file: process.argv[2] ?? '' });
const kube = createKube(access, { userAgent: 'idle' });
const queue = createWorkQueue({ workers: 8, run: () => Promise.resolve({}), onError: console.error });
queue.start();
const reflectors = ['Secret', 'ConfigMap', 'Namespace', 'Pod', 'Service'].map((kind) =>
  createReflector({
    kube,
    query: { apiVersion: 'v1', kind },
    select: ({ metadata }) => metadata.resourceVersion,
    onChange: (key) => queue.add(key),
    onError: console.error,
  }),
);
for (const reflector of reflectors) reflector.start();
await Promise.all(reflectors.map(({ synced }) => synced));
const election = createElection({
  kube,
  namespace: 'default',
  name: 'idle',
  identity: 'idle',
  onStarted: async () => {
    const before = process.cpuUsage();
    await new Promise((resolve) => setTimeout(resolve, 3000));
    const { user, system } = process.cpuUsage(before);
    const problems = reflectors.map((reflector) => reflector.problem()).filter((problem) => problem !== undefined);
    const rssMiB = process.memoryUsage.rss() / 2 ** 20;
    console.log(JSON.stringify({ rssMiB, cpuShare: (user + system) / 3e6, problems }));
  },
});
await election.run();
await Promise.all(reflectors.map((reflector) => reflector.stop()));
await queue.stop();
kube.close();
