import { messageOf, stackOf } from '../errors.ts';
import { createWorkQueue, type WorkQueue } from '../kube/workqueue.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { Result, World } from '../world.ts';
import type { Notify } from './caches.ts';
import { cachedObject, fenced, isEnding } from './fence.ts';
import { reconcileDomain } from './domain.ts';
import { reconcileExchanger } from './exchanger.ts';
import { reconcileIssuer, reconcileProvider } from './grants.ts';
import { reconcileRetirement } from './retirement.ts';

/**
 * One queue for each kind, and one for what is being deleted: what waits for a slow kind waits alone, and a deletion
 * for no look at all, not even for one at its own object.
 */
export interface Controllers {
  readonly notify: Notify;
  /** Looks at everything until `signal` aborts, and resolves then: looks under way are left to themselves. */
  readonly run: (world: World, signal: AbortSignal) => Promise<void>;
  readonly depths: () => Readonly<Record<string, number>>;
}

/** A look at a domain mostly waits: for the company of others' changes, for the CA, for name servers. */
const workersFor = { domain: 64, exchanger: 16, retirement: 8, provider: 4, issuer: 4 } as const;
const endingWorkers = 8;
/** Someone waits for it: it is never left alone for long. */
const longestEndingRetryMs = 5000;

type Kind = keyof typeof workersFor;
type Queue = Kind | 'ending';

/** `namespace/name` in two. */
const split = (key: string): readonly [string, string] => {
  const at = key.indexOf('/');
  return [key.slice(0, at), key.slice(at + 1)];
};

const reconcilers: Readonly<Record<Kind, (world: World, key: string) => Promise<Result>>> = {
  domain: (world, key) => reconcileDomain(fenced(world, 'domain', key), ...split(key)),
  exchanger: (world, key) => reconcileExchanger(fenced(world, 'exchanger', key), ...split(key)),
  retirement: (world, name) => reconcileRetirement(fenced(world, 'retirement', name), name),
  provider: reconcileProvider,
  issuer: reconcileIssuer,
};

/** Of `domain NAMESPACE/NAME`. */
const end = (world: World, kind: 'domain' | 'exchanger', key: string): Promise<Result> =>
  kind === 'domain' ? reconcileDomain(world, ...split(key)) : reconcileExchanger(world, ...split(key));

export function createControllers(
  metrics: Metrics,
  log: Log,
  all: () => Readonly<Record<Kind, readonly string[]>>,
): Controllers {
  let world: World | undefined;
  const queues = new Map<Queue, WorkQueue>();
  const queueOf = (name: Queue): WorkQueue => {
    const queue = queues.get(name) ?? create(name);
    queues.set(name, queue);
    return queue;
  };
  const look = async (kind: Kind, key: string): Promise<Result> => {
    if (world === undefined) return {};
    if (kind !== 'domain' && kind !== 'exchanger') return reconcilers[kind](world, key);
    if (!isEnding(cachedObject(world.cache, kind, key))) return reconcilers[kind](world, key);
    queueOf('ending').add(`${kind} ${key}`);
    return {};
  };
  const finish = async (key: string): Promise<Result> => {
    if (world === undefined) return {};
    const at = key.indexOf(' ');
    const [kind, of] = [key.slice(0, at) === 'domain' ? 'domain' : 'exchanger', key.slice(at + 1)] as const;
    const object = cachedObject(world.cache, kind, of);
    if (isEnding(object)) return end(world, kind, of);
    // It has come back under its name: another object, with a queue of its own.
    if (object !== undefined) queueOf(kind).add(of);
    return {};
  };
  const create = (name: Queue): WorkQueue =>
    createWorkQueue({
      workers: name === 'ending' ? endingWorkers : workersFor[name],
      ...(name === 'ending' ? { maximumMilliseconds: longestEndingRetryMs } : {}),
      run: async (key) => {
        const { requeueAfterMs } = await (name === 'ending' ? finish(key) : look(name, key));
        return { requeueAfterMilliseconds: requeueAfterMs };
      },
      onError: (key, error) =>
        log.error('reconcile ended in an error that nobody expected', {
          kind: name,
          object: key,
          problem: messageOf(error),
          stack: stackOf(error),
        }),
      metrics: {
        started: (seconds) => metrics.queueSeconds.observe({ name }, seconds),
        finished: (seconds, failed) => {
          metrics.reconcileSeconds.observe({ controller: name }, seconds);
          metrics.reconciles.inc({ controller: name, result: failed ? 'error' : 'success' });
        },
      },
    });
  /** A deletion goes past a look at the same object that is under way. */
  const add = (kind: 'domain' | 'exchanger', key: string): void => {
    const deleted = world !== undefined && isEnding(cachedObject(world.cache, kind, key));
    if (deleted) queueOf('ending').add(`${kind} ${key}`);
    else queueOf(kind).add(key);
  };

  /** A grant changed: whoever waits for it is looked at again. */
  const everybody = (): void => {
    for (const kind of ['domain', 'exchanger', 'retirement'] as const) {
      for (const key of all()[kind]) queueOf(kind).add(key);
    }
  };
  const notify: Notify = {
    domain: (key) => add('domain', key),
    exchanger: (key) => add('exchanger', key),
    retirement: (key) => queueOf('retirement').add(key),
    provider: (key) => {
      queueOf('provider').add(key);
      everybody();
    },
    issuer: (key) => {
      queueOf('issuer').add(key);
      everybody();
    },
    policy: () => {
      for (const key of all().domain) queueOf('domain').add(key);
      for (const key of all().retirement) queueOf('retirement').add(key);
    },
  };
  const kinds = Object.keys(workersFor) as readonly Kind[];
  const names: readonly Queue[] = [...kinds, 'ending'];
  return {
    notify,
    run: async (with_, signal) => {
      world = with_;
      for (const kind of kinds) {
        for (const key of all()[kind]) queueOf(kind).add(key);
        queueOf(kind).start();
      }
      queueOf('ending').start();
      const { promise, resolve } = Promise.withResolvers<void>();
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
      await promise;
      // The next run has queues of its own: a look of this one that is slow is in nobody's way.
      for (const queue of queues.values()) void queue.stop();
      queues.clear();
    },
    depths: () => Object.fromEntries(names.map((name) => [name, queueOf(name).depth().ready])),
  };
}
