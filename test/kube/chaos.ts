/**
 * Rounds of trouble between us and the real API server, each of which must end in the truth: for tests, and by the
 * hundred for the long campaign.
 */
import assert from 'node:assert/strict';
import { createKube, type KubeClient } from '../../src/kube/client.ts';
import { createElection, type Election } from '../../src/kube/lease.ts';
import { createReflector } from '../../src/kube/reflector.ts';
import { pause, systemTimers } from '../../src/kube/timers.ts';
import type { ConfigMapObject } from '../../src/kube/types.ts';
import { waitFor } from '../lab/process.ts';
import { type Fault, startProxy, type Upstream } from './proxy.ts';

export interface ChaosRound {
  /** A client of the API server that nothing disturbs. */
  readonly direct: KubeClient;
  readonly upstream: Upstream;
  /** Namespace or Lease of this round; no other may have it. */
  readonly name: string;
  /** Chooses the trouble: the same one, the same trouble. */
  readonly seed: number;
}

export type Figures = Readonly<Record<string, number>>;

const faults: readonly (Fault | undefined)[] = [
  undefined,
  undefined,
  { do: 'drop' },
  { do: 'lose' },
  { do: 'hang' },
  { do: 'delay', milliseconds: 300 },
  { do: 'answer', status: 429, retryAfter: 1 },
  { do: 'answer', status: 500 },
  { do: 'answer', status: 410, reason: 'Expired' },
];

/** Numbers from 0 up to, but not, 1: Park and Miller's generator. */
function dice(seed: number): () => number {
  let state = (seed % 2_147_483_646) + 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

/** Objects come, change and go while requests and events fare badly. Rejects if the cache does not end in the truth. */
export async function reflectorRound({ direct, upstream, name: namespace, seed }: ChaosRound): Promise<Figures> {
  const roll = dice(seed);
  const kind = { apiVersion: 'v1', kind: 'ConfigMap' } as const;
  const query = { ...kind, namespace };
  await direct.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  const proxy = await startProxy(upstream);
  const through = createKube(proxy.access, { userAgent: 'chaos', timeoutSeconds: 1 });
  const told = new Map<string, string | undefined>();
  const figures = { changes: 0, faults: 0, missed: 0 };
  const reflector = createReflector<ConfigMapObject, string>({
    kube: through,
    query,
    pageSize: 3,
    silenceSeconds: 3,
    relistSeconds: [4, 6],
    select: (object) => object.data?.['value'],
    onChange: (key, entry) => void told.set(key, entry),
    onMissed: (count) => {
      figures.missed += count;
    },
  });
  proxy.setFault(() => {
    const fault = faults[Math.floor(roll() * faults.length)];
    if (fault !== undefined) figures.faults += 1;
    return fault;
  });
  proxy.setLines((line) => {
    const chance = roll();
    return chance < 0.25 ? [] : chance < 0.5 ? [line, line] : [line];
  });
  reflector.start();
  for (let step = 0; step < 80; step++) {
    const metadata = { namespace, name: `m${Math.floor(roll() * 7)}` };
    if (roll() < 0.2) await direct.remove({ ...kind, ...metadata });
    else await direct.apply({ ...kind, metadata, data: { value: String(step) } }, { fieldManager: 'chaos' });
    figures.changes += 1;
    if (roll() < 0.3) proxy.cutWatches();
    if (roll() < 0.04) proxy.freezeWatches();
    await pause(systemTimers, 60);
  }
  proxy.setFault(() => undefined);
  proxy.setLines((line) => [line]);
  await reflector.synced;
  await waitFor(`the cache holds what the server holds (seed ${seed})`, async () => {
    const all = await direct.list<ConfigMapObject>(query);
    const want = all.map(({ metadata, data }) => `${namespace}/${metadata.name}=${data?.['value']}`);
    const have = [...reflector.entries()].map(([key, value]) => `${key}=${value}`);
    const heard = [...told].flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value}`]));
    return [have, heard].every((some) => some.toSorted().join() === want.toSorted().join());
  });
  await reflector.stop();
  through.close();
  await proxy.stop();
  return figures;
}

interface Candidate {
  readonly election: Election;
  readonly disturb: (fault: Fault | undefined) => void;
  readonly leave: () => Promise<void>;
}

async function candidate(upstream: Upstream, lease: string, identity: string): Promise<Candidate> {
  const proxy = await startProxy(upstream);
  const through = createKube(proxy.access, { userAgent: identity, connections: 1, timeoutSeconds: 1 });
  const election = createElection({
    kube: through,
    namespace: 'default',
    name: lease,
    identity,
    durationSeconds: 3,
    renewDeadlineSeconds: 2,
    retrySeconds: 0.4,
    onStarted: (signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve())),
  });
  const ended = election.run();
  return {
    election,
    disturb: (fault) => proxy.setFault(() => fault),
    leave: async () => {
      proxy.setFault(() => undefined);
      await election.stop();
      await ended;
      through.close();
      await proxy.stop();
    },
  };
}

/** Three candidates whose ways to the API fail by turns. Rejects if two lead at once, or if in the end nobody does. */
export async function leaseRound(round: Omit<ChaosRound, 'direct'>, turns = 8): Promise<Figures> {
  const { upstream, name, seed } = round;
  const roll = dice(seed);
  const all = await Promise.all(['one', 'two', 'three'].map((identity) => candidate(upstream, name, identity)));
  const figures = { looks: 0, takeovers: 0 };
  let both = 0;
  let last: Candidate | undefined;
  const look = (): Candidate | undefined => {
    const leading = all.filter(({ election }) => election.isLeader());
    if (leading.length > 1) both += 1;
    figures.looks += 1;
    const [leader] = leading;
    if (leader !== undefined && leader !== last) figures.takeovers += 1;
    last = leader ?? last;
    return leader;
  };
  try {
    await waitFor('somebody leads', look, { everyMs: 5 });
    for (let turn = 0; turn < turns; turn++) {
      const leader = look() ?? last;
      for (const one of all) {
        // Mostly it is the leader who fares badly: the others change nothing.
        if (roll() < (one === leader ? 0.8 : 0.3)) one.disturb(faults[2 + Math.floor(roll() * (faults.length - 2))]);
        else one.disturb(undefined);
      }
      const until = performance.now() + 500 + roll() * 3500;
      await waitFor('the turn ends', () => (look(), performance.now() > until), { everyMs: 5 });
    }
    for (const one of all) one.disturb(undefined);
    await waitFor(`somebody leads in the end (seed ${seed})`, look, { timeoutMs: 15_000, everyMs: 5 });
  } finally {
    await Promise.all(all.map((one) => one.leave()));
  }
  assert.equal(both, 0, `two led at once (seed ${seed})`);
  return figures;
}
