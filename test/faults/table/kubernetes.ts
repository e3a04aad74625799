/** What goes wrong with the requests of the operator to the Kubernetes API, and with what they ask for. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Ref } from '../../../src/kube/types.ts';
import { apiVersion, type MailDomain } from '../../../src/api/types.ts';
import type { Fault as Trouble, Seen } from '../../kube/proxy.ts';
import { tenant } from '../cluster.ts';
import { objectName } from '../objects.ts';
import { asUndisturbed, type Fault, happened, orderOpened, type Stage } from './fault.ts';

const writes = ({ method, path }: Seen): boolean => method !== 'GET' && !path.includes('selfsubjectaccessreviews');

/** Every `nth` request that writes fares badly while a new domain converges, at most `most` times. */
function onWrites(nth: number, trouble: Trouble, most = Number.POSITIVE_INFINITY): Fault['play'] {
  return async ({ lane, converge }) => {
    let [seen, struck] = [0, 0];
    lane.api.setFault((request) => {
      if (!writes(request)) return undefined;
      seen += 1;
      if (seen % nth !== 0 || struck >= most) return undefined;
      struck += 1;
      return trouble;
    });
    return [...(await converge('new-domain')), ...happened(struck)];
  };
}

const kinds: Readonly<Record<string, readonly [apiVersion: string, kind: string]>> = {
  secrets: ['v1', 'Secret'],
  configmaps: ['v1', 'ConfigMap'],
  maildomains: ['mailseal.dev/v1alpha1', 'MailDomain'],
  mailexchangers: ['mailseal.dev/v1alpha1', 'MailExchanger'],
};

function refOf(path: string): Ref | undefined {
  const [, namespace, plural = '', name] = /namespaces\/([^/]+)\/([a-z]+)\/([^/?]+)/u.exec(path) ?? [];
  const kind = kinds[plural];
  if (namespace === undefined || name === undefined || kind === undefined) return undefined;
  return { apiVersion: kind[0], kind: kind[1], namespace, name };
}

/** Before whatever the operator replaces in the first ten seconds, someone else writes the same object. */
async function conflictStorm({ lane, converge }: Stage): Promise<readonly string[]> {
  const until = performance.now() + 10_000;
  let storms = 0;
  lane.api.setFault(({ method, path }) => {
    const ref = method === 'PUT' && performance.now() < until ? refOf(path) : undefined;
    if (ref === undefined) return undefined;
    storms += 1;
    const stamp = String(storms);
    return { do: 'after', first: () => lane.kube.annotate(ref, { 'storm.test/turn': stamp }) };
  });
  return [...(await converge('new-domain')), ...happened(storms)];
}

/** Everything of Kubernetes is killed while an order is open, and comes back. */
async function powerCut(stage: Stage): Promise<readonly string[]> {
  const { lane, converge } = stage;
  const converged = converge('new-domain');
  await orderOpened(stage);
  await lane.plane.crash();
  return converged;
}

/** The spec goes to and fro every 200 ms for ten seconds. */
async function flipFlop({ lane, converge }: Stage): Promise<readonly string[]> {
  const problems = [...(await converge('new-domain'))];
  const at = { apiVersion, kind: 'MailDomain' } as const;
  for (let turn = 0; turn < 50; turn += 1) {
    const now = await lane.kube.get<MailDomain>({ ...at, namespace: tenant, name: objectName });
    if (now === undefined) return [...problems, 'the MailDomain has gone'];
    const mtaSts = { ...now.spec.mtaSts, maxAgeSeconds: turn % 2 === 0 ? 604_800 : 86_400 };
    const metadata = { namespace: tenant, name: objectName };
    await lane.kube.apply({ ...at, metadata, spec: { ...now.spec, mtaSts } }, { fieldManager: 'faults' });
    await pause(200);
  }
  return [...problems, ...(await converge('spec-change'))];
}

export const kubernetesFaults: readonly Fault[] = [
  {
    name: 'writes-answered-500',
    fault: 'every fourth request that writes is answered 500',
    holds: asUndisturbed,
    quick: true,
    play: onWrites(4, { do: 'answer', status: 500, reason: 'InternalError' }),
  },
  {
    name: 'writes-answered-429',
    fault: 'every third request that writes is answered 429 with Retry-After: 1',
    holds: asUndisturbed,
    play: onWrites(3, { do: 'answer', status: 429, retryAfter: 1, reason: 'TooManyRequests' }),
  },
  {
    name: 'answers-lost',
    fault: 'every third request that writes is carried out, and its answer lost',
    holds: asUndisturbed,
    play: onWrites(3, { do: 'lose' }),
  },
  {
    name: 'writes-hang',
    fault: 'three requests that write, every fifth, are never answered',
    holds: asUndisturbed,
    play: onWrites(5, { do: 'hang' }, 3),
  },
  {
    name: 'conflict-storm',
    fault: 'someone else writes every object between each read and write of ours for 10 s',
    holds: asUndisturbed,
    play: conflictStorm,
  },
  {
    name: 'api-server-killed',
    fault: 'API server and etcd are killed while an order is open, and started again',
    holds: asUndisturbed,
    play: powerCut,
  },
  {
    name: 'spec-flip-flop',
    fault: 'the spec changes to and fro every 200 ms for 10 s',
    holds: asUndisturbed,
    play: flipFlop,
  },
];
