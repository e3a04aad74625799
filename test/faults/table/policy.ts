/** What goes wrong with those who serve the policies. */
import { createServer } from 'node:https';
import type { KubeObject, SecretObject } from '../../../src/kube/types.ts';
import { kubectl } from '../../lab/kubectl.ts';
import { places } from '../../lab/lab.ts';
import { waitFor } from '../../lab/process.ts';
import { servedPolicy } from '../../observer/looks.ts';
import { makeCa } from '../../pki/certificates.ts';
import { operatorNamespace } from '../cluster.ts';
import { applyDomain } from '../objects.ts';
import { placeOf } from '../ways.ts';
import { readZone } from '../zone.ts';
import { byOthers, type Fault, type Stage } from './fault.ts';
import { asked, asUndisturbed, hear, looked, type Saying, trial } from './trial.ts';

const podOf = ({ lane }: Stage) => {
  const pod = lane.pods.pods[1];
  if (pod === undefined) throw new Error('there are two policy pods');
  return pod;
};

const notServed = (words: RegExp): readonly Saying[] => [{ type: 'PolicyServed', reason: 'PolicyNotServed', words }];

/** No id was announced, since not every pod shows its policy. */
const unannounced = async ({ testimony }: Stage): Promise<readonly string[]> =>
  testimony.ids().map((id) => `${id} was announced though a pod does not show its policy`);

/** In place of a policy server something else listens; resolves with what ends that. */
async function otherServer(stage: Stage, status: number, headers: Readonly<Record<string, string>>): Promise<void> {
  const pod = podOf(stage);
  await pod.part.stop();
  const { cert, key } = await (await makeCa('nobody')).issue({ names: [`mta-sts.${stage.domain}`] });
  const server = createServer({ cert, key }, (_, response) => void response.writeHead(status, headers).end('no'));
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(443, pod.address, () => resolve()));
  others.set(stage, async () => {
    await new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
    pod.start();
  });
}

const others = new WeakMap<Stage, () => Promise<void>>();
const realServer = async (stage: Stage): Promise<void> => others.get(stage)?.();

const podRef = (name: string) => ({ apiVersion: 'v1', kind: 'Pod', namespace: operatorNamespace, name });

const noGhost = ({ lane }: Stage): Promise<string> =>
  kubectl(
    lane.plane.kubeconfig,
    'delete',
    'pod',
    'policy-ghost',
    '-n',
    operatorNamespace,
    '--force',
    '--ignore-not-found',
  );

/** A pod as a node writes it that was lost: it exists, and nothing answers where it says it is. */
async function ghost(stage: Stage): Promise<void> {
  const { lane } = stage;
  stage.atEnd(async () => void (await noGhost(stage)));
  const [name, ip] = ['policy-ghost', placeOf(lane.index, 99)];
  const [real] = lane.pods.pods;
  const { metadata, spec } =
    (await lane.kube.get<KubeObject & { readonly spec: object }>(podRef(real?.name ?? ''))) ?? {};
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: operatorNamespace, labels: metadata?.labels ?? {} },
  };
  await lane.kube.create({ ...pod, spec } as KubeObject);
  const status = { phase: 'Running', podIP: ip, podIPs: [{ ip }], conditions: [{ type: 'Ready', status: 'False' }] };
  await lane.kube.apply({ ...pod, status } as KubeObject, { fieldManager: 'faults', subresource: 'status' });
}

const serviceRef = { apiVersion: 'v1', kind: 'Service', namespace: operatorNamespace, name: 'mailseal-policy' };

async function serviceAt(stage: Stage, addresses: readonly string[]): Promise<void> {
  const { kube } = stage.lane;
  const service = await kube.get<KubeObject & { readonly spec: object }>(serviceRef);
  if (service === undefined) throw new Error('there is no policy Service');
  const moved = { ...service, spec: { ...service.spec, externalIPs: addresses } } as KubeObject;
  await byOthers(stage, () => kube.replace(moved));
}

const addressesAre =
  (count: number) =>
  async ({ domain }: Stage): Promise<readonly string[]> => {
    const addresses = async (): Promise<number> =>
      (await readZone(places.primary.v4, domain)).filter((line) => line.startsWith('mta-sts.DOMAIN A')).length;
    await waitFor(`mta-sts has ${count} addresses`, async () => (await addresses()) === count);
    return [];
  };

/** A shard that a user wrote over. */
async function spoilShard({ lane }: Stage): Promise<void> {
  const ref = { apiVersion: 'v1', kind: 'Secret', namespace: operatorNamespace, name: 'mailseal-policy-shard-0' };
  const secret = await lane.kube.get<SecretObject>(ref);
  if (secret === undefined) throw new Error('there is no shard');
  const data = Object.fromEntries(
    Object.keys(secret.data ?? {}).map((key) => [key, Buffer.from('{"hosts":').toString('base64')]),
  );
  await lane.kube.replace({ ...secret, data });
}

/** I12: whatever was written over, the policy is served on, all the time that it takes to be mended. */
async function servedOn(stage: Stage): Promise<readonly string[]> {
  const problems = new Set<string>();
  const until = performance.now() + 6000;
  await waitFor('the pods have had the time to read it', async () => {
    for (const { name, address } of stage.lane.pods.pods) {
      const { answer } = await servedPolicy(address, stage.domain);
      const enforced = answer.is === 'Body' && answer.body.includes('mode: enforce');
      if (!enforced) problems.add(`${name} answers ${JSON.stringify(answer)}`);
    }
    return performance.now() > until;
  });
  return [...problems];
}

/** A policy changes while `make` is so: its new id waits for every pod. */
async function changed(
  stage: Stage,
  course: { readonly make: () => void; readonly end: () => void },
): Promise<readonly string[]> {
  const problems = [...(await stage.converge('new-domain'))];
  if (problems.length > 0) return problems;
  const before = stage.testimony.ids().length;
  course.make();
  await applyDomain(stage.lane, stage.domain, true);
  problems.push(...(await hear(stage, { type: 'PolicyServed', reason: 'PolicyNotServed', words: /pod policy-1/u })));
  if (stage.testimony.ids().length > before) problems.push('the new id was announced before every pod had its policy');
  course.end();
  return [...problems, ...(await asked(stage, () => stage.converge('spec-change')))];
}

/** A new policy has just been written when a policy server is killed; it starts again. */
async function killedInSwap(stage: Stage): Promise<readonly string[]> {
  const problems = [...(await stage.converge('new-domain'))];
  if (problems.length > 0) return problems;
  const pod = podOf(stage);
  await applyDomain(stage.lane, stage.domain, true);
  const shards = (): number => stage.testimony.accepted('replace secrets/mailseal-policy-shard-0');
  const before = shards();
  await waitFor('the new policy is written', () => shards() > before, { everyMs: 5 });
  pod.part.signal('SIGKILL');
  await pod.part.ended;
  pod.start();
  return [...problems, ...(await asked(stage, () => stage.converge('spec-change')))];
}

export const policyFaults: readonly Fault[] = [
  trial({
    name: 'policy-without-volume',
    fault: 'a policy pod starts while its shard is absent (the API server is down for its kubelet)',
    holds: `its policy is not announced before every pod serves it; afterwards ${asUndisturbed}`,
    when: 'new',
    troubles: [
      {
        make: (stage) => podOf(stage).stick(true),
        says: notServed(/pod policy-1/u),
        meanwhile: unannounced,
        end: (stage) => podOf(stage).stick(false),
      },
    ],
  }),
  {
    name: 'policy-stuck-volume',
    fault: 'the volume of a policy pod is stuck: it serves an old policy',
    holds: `the new id waits for it, and the pod is named; afterwards ${asUndisturbed}`,
    play: (stage) => changed(stage, { make: () => podOf(stage).stick(true), end: () => podOf(stage).stick(false) }),
  },
  {
    name: 'policy-killed-in-swap',
    fault: 'a policy server is killed while a new policy is on its way',
    holds: asUndisturbed,
    play: killedInSwap,
  },
  trial({
    name: 'policy-ghost',
    fault: 'a policy pod exists that is not ready and that nothing stands behind',
    holds: `it is named, and no id is announced; once it is deleted, ${asUndisturbed}`,
    when: 'new',
    troubles: [
      {
        make: ghost,
        says: notServed(/pod policy-ghost/u),
        meanwhile: unannounced,
        end: noGhost,
      },
    ],
  }),
  trial({
    name: 'policy-other-server',
    fault: 'in place of a policy server something answers 500, or a redirect',
    holds: `it is said, and no id is announced; afterwards ${asUndisturbed}`,
    when: 'new',
    troubles: [
      {
        make: (stage) => otherServer(stage, 500, {}),
        says: notServed(/500/u),
        meanwhile: unannounced,
        end: realServer,
      },
      {
        make: (stage) => otherServer(stage, 302, { location: 'https://example.test/' }),
        says: notServed(/redirect/u),
        meanwhile: unannounced,
        end: realServer,
      },
    ],
  }),
  trial({
    name: 'policy-address',
    fault: 'the address of the policy Service changes, and vanishes for a while',
    holds: `records follow it, and stay while there is none; afterwards ${asUndisturbed}`,
    when: 'ready',
    troubles: [
      { make: (stage) => serviceAt(stage, stage.lane.policyServers.slice(0, 1)), meanwhile: addressesAre(1) },
      {
        make: (stage) => serviceAt(stage, []),
        meanwhile: async (stage) => [...(await looked(stage)), ...(await addressesAre(1)(stage))],
        end: (stage) => serviceAt(stage, stage.lane.policyServers),
      },
    ],
  }),
  trial({
    name: 'policy-shard-spoilt',
    fault: 'a user writes garbage over the Secret of a shard',
    holds: `the pods serve the last good policy, and the shard is written again; ${asUndisturbed}`,
    when: 'ready',
    lasting: true,
    troubles: [{ make: spoilShard, meanwhile: servedOn }],
  }),
];
