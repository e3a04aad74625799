/** What goes wrong between the operator and the Kubernetes API: requests and watches. */
import { setTimeout as pause } from 'node:timers/promises';
import type { ConfigMapObject, Ref } from '../../../src/kube/types.ts';
import { apiVersion, type MailDomain } from '../../../src/api/types.ts';
import { waitFor } from '../../lab/process.ts';
import type { Fault as Trouble, Seen } from '../../kube/proxy.ts';
import { tenant } from '../cluster.ts';
import { objectName } from '../objects.ts';
import { asUndisturbed, byOthers, calm, type Fault, happened, type Stage } from './fault.ts';

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

/** Events of all watches become others while a new domain converges and its spec changes. */
function onEvents(change: (line: string, later: (line: string) => void) => readonly string[]): Fault['play'] {
  return async ({ lane, converge }) => {
    let changed = 0;
    lane.api.setLines((line, later) => {
      const lines = change(line, later);
      if (lines.length !== 1) changed += 1;
      return lines;
    });
    const problems = [...(await converge('new-domain')), ...(await converge('spec-change'))];
    return [...problems, ...happened(changed)];
  };
}

/** Each comes after another while, so that they overtake each other. */
function shuffled(): (line: string, later: (line: string) => void) => readonly string[] {
  let turn = 0;
  return (line, later) => {
    turn += 1;
    setTimeout(() => later(line), [400, 0, 200, 100][turn % 4]);
    return [];
  };
}

/** Every third event is dropped; what nobody hears of any more comes with a list, which the API asks for in the end. */
async function dropped({ lane, converge }: Stage): Promise<readonly string[]> {
  let [seen, gone] = [0, 0];
  lane.api.setLines((line) => {
    seen += 1;
    if (seen % 3 !== 0) return [line];
    gone += 1;
    return [];
  });
  const problems = [...(await converge('new-domain'))];
  const changed = converge('spec-change');
  await Promise.race([changed, pause(15_000)]);
  const asked = new Set<string>();
  lane.api.setFault(({ watch, path }) => {
    const place = path.replace(/\?.*/u, '');
    if (!watch || asked.has(place)) return undefined;
    asked.add(place);
    return { do: 'answer', status: 410, reason: 'Expired' };
  });
  lane.api.cutWatches();
  return [...problems, ...(await changed), ...happened(gone)];
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

/** The version that the API server is at. */
async function versionNow(stage: Stage): Promise<string> {
  const object: ConfigMapObject = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { namespace: 'default', name: 'version' },
    data: { at: String(performance.now()) },
  };
  let version = '';
  await byOthers(stage, async () => {
    version = (await stage.lane.kube.apply(object, { fieldManager: 'faults' })).metadata.resourceVersion ?? '';
  });
  return version;
}

const isList = ({ method, path, watch }: Seen): boolean => method === 'GET' && !watch && /[?&]limit=/u.test(path);

/**
 * An operator starts while the API server that it reached shows an older world, and goes on to show it for a while:
 * lists are of `version`, and watches say nothing.
 */
async function staleFor(stage: Stage, seconds: number): Promise<readonly string[]> {
  const { lane, life, converge } = stage;
  const problems = [...(await converge('new-domain'))];
  const version = await versionNow(stage);
  problems.push(...(await converge('spec-change')));
  life.kill();
  let lists = 0;
  const until = performance.now() + seconds * 1000;
  lane.api.setFault((request) => {
    if (performance.now() > until) return undefined;
    if (!isList(request)) return undefined;
    lists += 1;
    return { do: 'rewrite', path: `${request.path}&resourceVersion=${version}&resourceVersionMatch=Exact` };
  });
  lane.api.setLines(() => []);
  await life.again();
  await waitFor('the old world has been shown', () => performance.now() > until, { timeoutMs: seconds * 1000 + 5000 });
  calm(lane.api);
  lane.api.cutWatches();
  problems.push(...(await converge('spec-change')));
  return [...problems, ...happened(lists)];
}

/** For ten seconds every watch, and every further page of a list, is said to be of a version too old. */
async function expiredLoop({ lane, converge }: Stage): Promise<readonly string[]> {
  const until = performance.now() + 10_000;
  let expired = 0;
  lane.api.setFault(({ watch, path }) => {
    if (performance.now() > until || (!watch && !path.includes('continue='))) return undefined;
    expired += 1;
    return { do: 'answer', status: 410, reason: 'Expired' };
  });
  return [...(await converge('new-domain')), ...happened(expired)];
}

/** After 150 s of silence a watch is taken for dead. */
const silenceMs = 240_000;

/** In the middle of it all watches that are open fall silent for ever; their connections stay. */
async function halfOpen({ lane, testimony, converge }: Stage): Promise<readonly string[]> {
  const converged = converge('new-domain', silenceMs);
  await waitFor('an order was opened', () => testimony.accepted('acme order-plz') > 0, { everyMs: 20 });
  const open = lane.api.openWatches();
  lane.api.freezeWatches();
  return [...(await converged), ...happened(open)];
}

/** Everything of Kubernetes is killed while an order is open, and comes back. */
async function powerCut({ lane, testimony, converge }: Stage): Promise<readonly string[]> {
  const converged = converge('new-domain');
  await waitFor('an order was opened', () => testimony.accepted('acme order-plz') > 0, { everyMs: 20 });
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

/** As with a kill, at most one for each certificate: that is counted. */
const orderLost = { I6: 'an order that can not be stored is lost' } as const;

export const kubernetesFaults: readonly Fault[] = [
  {
    name: 'watch-events-dropped',
    fault: 'every third event of every watch is dropped',
    holds: `with the next list at the latest: ${asUndisturbed}`,
    play: dropped,
  },
  {
    name: 'watch-events-repeated',
    fault: 'every event of every watch comes three times',
    holds: asUndisturbed,
    play: onEvents((line) => [line, line, line]),
  },
  {
    name: 'watch-events-reordered',
    fault: 'events of every watch come late and in another order',
    holds: asUndisturbed,
    play: onEvents(shuffled()),
  },
  {
    name: 'watch-half-open',
    fault: 'all watches fall silent for ever while an order is open',
    holds: `when the silence is noticed, after 150 s: ${asUndisturbed}`,
    play: halfOpen,
  },
  { name: 'expired-loop', fault: 'every watch is answered 410 for 10 s', holds: asUndisturbed, play: expiredLoop },
  {
    name: 'stale-list',
    fault: 'a restarted operator is shown the world before the last change of spec for 10 s',
    holds: asUndisturbed,
    play: (stage) => staleFor(stage, 10),
  },
  {
    name: 'stale-list-minutes',
    fault: 'a restarted operator is shown the world before the last change of spec for two minutes',
    holds: asUndisturbed,
    play: (stage) => staleFor(stage, 120),
  },
  {
    name: 'writes-answered-500',
    excuses: orderLost,
    fault: 'every fourth request that writes is answered 500',
    holds: asUndisturbed,
    quick: true,
    play: onWrites(4, { do: 'answer', status: 500, reason: 'InternalError' }),
  },
  {
    name: 'writes-answered-429',
    excuses: orderLost,
    fault: 'every third request that writes is answered 429 with Retry-After: 1',
    holds: asUndisturbed,
    play: onWrites(3, { do: 'answer', status: 429, retryAfter: 1, reason: 'TooManyRequests' }),
  },
  {
    name: 'answers-lost',
    excuses: orderLost,
    fault: 'every third request that writes is carried out, and its answer lost',
    holds: asUndisturbed,
    play: onWrites(3, { do: 'lose' }),
  },
  {
    name: 'writes-hang',
    excuses: orderLost,
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
    excuses: orderLost,
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
