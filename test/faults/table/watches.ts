/** What the operator is not told, or told wrongly, by its lists and watches. */
import { setTimeout as pause } from 'node:timers/promises';
import type { ConfigMapObject } from '../../../src/kube/types.ts';
import { waitFor } from '../../lab/process.ts';
import type { Seen } from '../../kube/proxy.ts';
import { asUndisturbed, byOthers, calm, type Fault, happened, orderOpened, type Stage } from './fault.ts';

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
async function halfOpen(stage: Stage): Promise<readonly string[]> {
  const { lane, converge } = stage;
  const converged = converge('new-domain', silenceMs);
  await orderOpened(stage);
  const open = lane.api.openWatches();
  lane.api.freezeWatches();
  return [...(await converged), ...happened(open)];
}

export const watchFaults: readonly Fault[] = [
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
];
