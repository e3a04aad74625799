/** Two operators and one Lease of 15 s: whoever has lost it writes nothing any more, wherever it was stopped. */
import { setTimeout as pause } from 'node:timers/promises';
import type { KubeObject } from '../../../src/kube/types.ts';
import { type Running, waitFor } from '../../lab/process.ts';
import { createGate, joined, type Write } from '../gate.ts';
import { acmeWrite } from '../http-door.ts';
import { operatorNamespace } from '../cluster.ts';
import { asUndisturbed, type Fault, type Stage } from './fault.ts';
import { whose } from './whose.ts';

/** Longer than a Lease is good for, and a candidate's next look at it. */
const takeoverMs = 30_000;
/** For which an operator that has lost the Lease is watched after it woke. */
const wakingMs = 10_000;

type Name = 'first' | 'second';

interface Deed {
  readonly by: string;
  readonly what: string;
}

interface Pair {
  readonly first: Running;
  readonly second: Running;
  /** All writes but those of the Lease, in order. */
  readonly deeds: () => readonly Deed[];
  /** Resolves when the named one has written something. */
  readonly untilWrites: (name: Name) => Promise<void>;
  /** Resolves when something of that name was written. */
  readonly untilWritten: (what: RegExp) => Promise<void>;
}

/** The first comes by the lane's own doors, the second by one of its own; who speaks ACME and DNS is seen by its port. */
async function startPair(stage: Stage, together: boolean): Promise<Pair> {
  const { lane, life, testimony, observer } = stage;
  const deeds: Deed[] = [];
  const note = (by: string | undefined, { what }: Write): void => {
    if (!what.includes(' leases/')) deeds.push({ by: by ?? 'somebody', what });
  };
  const gate = createGate();
  gate.arm({ spot: undefined, kill: () => undefined, witness: joined(testimony, observer.wires('second')) });
  gate.listen((write) => note('second', write));
  const { kubeconfig } = await lane.openApiDoor('second', gate);
  // Nobody is to wait for the Lease of an operator that another row has ended.
  await lane.kube.remove(lease);
  stage.dress({ election: true });
  life.start();
  const first = stage.operator();
  if (first === undefined) throw new Error('there is no operator');
  if (!together) await waitFor('the first operator leads', () => leads(lane.kube), { everyMs: 100, part: first });
  const second = lane.startOperator({ name: 'second', election: true, kubeconfig });
  const pids = { first: first.pid, second: second.pid };
  lane.gate.listen((write) => {
    if (write.wire === 'kubernetes') note('first', write);
    if (write.wire === 'dns') note(whose(write.port ?? 0, pids), write);
  });
  lane.ca.setFault(({ method, path, port }, body) => {
    const write = acmeWrite(method, path, body);
    if (write !== undefined) note(whose(port, pids), write);
    return undefined;
  });
  const until = async (what: string, is: (deed: Deed) => boolean): Promise<void> =>
    void (await waitFor(what, () => deeds.some(is), { timeoutMs: takeoverMs, everyMs: 10 }));
  return {
    first,
    second,
    deeds: () => deeds,
    untilWrites: (name) => until(`the ${name} operator writes`, ({ by }) => by === name),
    untilWritten: (wanted) => until(`${wanted.source} is written`, ({ what }) => wanted.test(what)),
  };
}

const lease = {
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  namespace: operatorNamespace,
  name: 'mailseal-operator',
} as const;

async function leads({ get }: Stage['lane']['kube']): Promise<boolean> {
  const found = await get<LeaseObject>(lease);
  return (found?.spec?.holderIdentity ?? '') !== '';
}

interface LeaseObject extends KubeObject {
  readonly spec?: { readonly holderIdentity?: string };
}

/** What the first wrote since `from`, as problems. */
const writesOfFirst = ({ deeds }: Pair, from: number): readonly string[] =>
  deeds()
    .slice(from)
    .filter(({ by }) => by !== 'second')
    .map(({ by, what }) => `the ${by} operator wrote after the second led: ${what}`);

/** The leader is stopped once `moment` was written, sleeps until the other writes, and wakes. */
function paused(moment: RegExp): Fault['play'] {
  return async (stage) => {
    const pair = await startPair(stage, false);
    try {
      const converged = stage.converge('new-domain');
      await pair.untilWritten(moment);
      pair.first.signal('SIGSTOP');
      // The answer that it waits for is lost to whoever goes on.
      stage.observer.told({ is: 'killed' });
      await pair.untilWrites('second');
      stage.observer.told({ is: 'started' });
      const from = pair.deeds().length;
      pair.first.signal('SIGCONT');
      const problems = [...(await converged)];
      await pause(wakingMs);
      return [...problems, ...writesOfFirst(pair, from)];
    } finally {
      pair.first.signal('SIGCONT');
      await pair.second.stop();
    }
  };
}

/** The API is cut off for the leader alone, in the middle of its work, and comes back when the other has taken over. */
async function cutOff(stage: Stage): Promise<readonly string[]> {
  const pair = await startPair(stage, false);
  try {
    const converged = stage.converge('new-domain');
    await pair.untilWritten(/^acme order-plz/u);
    stage.lane.api.setFault(() => ({ do: 'drop' }));
    stage.lane.api.cutWatches();
    stage.observer.told({ is: 'killed' });
    await pair.untilWrites('second');
    stage.observer.told({ is: 'started' });
    const from = pair.deeds().length;
    stage.lane.api.setFault(() => undefined);
    const problems = [...(await converged)];
    await pause(wakingMs);
    return [...problems, ...writesOfFirst(pair, from)];
  } finally {
    await pair.second.stop();
  }
}

/** Both start at once; one of them does all. When it is killed the other goes on, alone. */
async function atOnce(stage: Stage): Promise<readonly string[]> {
  const pair = await startPair(stage, true);
  try {
    const problems = [...(await stage.converge('new-domain'))];
    const writers = new Set(pair.deeds().map(({ by }) => by));
    return [...problems, ...(writers.size === 1 ? [] : [`written by ${[...writers].join(' and ')}`])];
  } finally {
    await pair.second.stop();
  }
}

const fenced = `another takes over within 30 s, the old one writes nothing any more to Kubernetes, CA and DNS; ${asUndisturbed}`;

const byPorts = { I10: 'both speak to CA and DNS by the same doors; who it is, the row tells by the ports' } as const;

const rows: readonly Omit<Fault, 'excuses'>[] = [
  {
    name: 'leader-paused-ordering',
    fault: 'the leader is stopped with an order open, and wakes when another leads',
    holds: fenced,
    play: paused(/^acme order-plz/u),
  },
  {
    name: 'leader-paused-finalizing',
    fault: 'the leader is stopped when it finalizes an order, and wakes when another leads',
    holds: fenced,
    play: paused(/^acme finalize-order/u),
  },
  {
    name: 'leader-paused-publishing',
    fault: 'the leader is stopped when it writes to the DNS, and wakes when another leads',
    holds: fenced,
    play: paused(/^update dns/u),
  },
  {
    name: 'leader-paused-storing',
    fault: 'the leader is stopped when it writes a Secret, and wakes when another leads',
    holds: fenced,
    play: paused(/^create secrets/u),
  },
  {
    name: 'leader-cut-off',
    fault: 'the API is cut off for the leader alone, with an order open, until another leads',
    holds: fenced,
    play: cutOff,
  },
  {
    name: 'leaders-at-once',
    fault: 'two operators are started at once',
    holds: `one of them does all; ${asUndisturbed}`,
    play: atOnce,
  },
];

export const leadershipFaults: readonly Fault[] = rows.map((row) => ({ ...row, excuses: byPorts }));
