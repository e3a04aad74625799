import type { Retirement } from '../api/types.ts';
import { messageOf, stackOf } from '../errors.ts';
import { createWorkQueue, type WorkQueue } from '../kube/workqueue.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { Result, World } from '../world.ts';
import type { Notify } from './caches.ts';
import { cachedObject, fenced, isEnding } from './fence.ts';
import { reconcileDomain } from './domain.ts';
import { reconcileExchanger } from './exchanger.ts';
import { giveUpForgotten } from './givenup.ts';
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
  /** Looks that have ended so far. */
  readonly looks: () => number;
}

/** A look at a domain mostly waits: for the company of others' changes, for the CA, for name servers. */
export const workersFor = { domain: 128, exchanger: 16, retirement: 8, provider: 4, issuer: 4 } as const;
const workers: Readonly<Record<Queue, number>> = { ...workersFor, ending: 8, claims: 1 };
/** Someone waits for it: it is never left alone for long. */
const longestEndingRetryMs = 5000;

type Kind = keyof typeof workersFor;
/** `claims`: what retirements left that went while nobody looked, once a run. */
type Queue = Kind | 'ending' | 'claims';

/** `namespace/name` in two. */
const split = (key: string): readonly [string, string] => {
  const at = key.indexOf('/');
  return [key.slice(0, at), key.slice(at + 1)];
};

type Looking = Exclude<Kind, 'retirement'>;
const reconcilers: Readonly<Record<Looking, (world: World, key: string) => Promise<Result>>> = {
  domain: (world, key) => reconcileDomain(fenced(world, 'domain', key), ...split(key)),
  exchanger: (world, key) => reconcileExchanger(fenced(world, 'exchanger', key), ...split(key)),
  provider: reconcileProvider,
  issuer: reconcileIssuer,
};

/** Of `domain NAMESPACE/NAME`. */
const end = (world: World, kind: 'domain' | 'exchanger', key: string): Promise<Result> =>
  kind === 'domain' ? reconcileDomain(world, ...split(key)) : reconcileExchanger(world, ...split(key));

/** It was looked at before: whoever changes it now waits for no crowd that is new. */
const isKnown = (object: { readonly status?: { readonly conditions?: unknown } } | undefined): boolean =>
  object?.status?.conditions !== undefined;

export function createControllers(
  metrics: Metrics,
  log: Log,
  all: () => Readonly<Record<Kind, readonly string[]>>,
): Controllers {
  let world: World | undefined;
  let looks = 0;
  const queues = new Map<Queue, WorkQueue>();
  /** Retirements that went during this run, until what they held was seen to. */
  const removed = new Map<string, Retirement>();
  const queueOf = (name: Queue): WorkQueue => {
    const queue = queues.get(name) ?? create(name);
    queues.set(name, queue);
    return queue;
  };
  const look = async (kind: Kind, key: string): Promise<Result> => {
    if (world === undefined) return {};
    if (kind === 'retirement') return lookAtRetirement(world, key);
    if (kind !== 'domain' && kind !== 'exchanger') return reconcilers[kind](world, key);
    if (!isEnding(cachedObject(world.cache, kind, key))) return reconcilers[kind](world, key);
    queueOf('ending').add(`${kind} ${key}`);
    return {};
  };
  const lookAtRetirement = async (world: World, name: string): Promise<Result> => {
    const last = removed.get(name);
    const result = await reconcileRetirement(fenced(world, 'retirement', name), name, last);
    if (removed.get(name) === last) removed.delete(name);
    return result;
  };
  const attend = async (): Promise<Result> => {
    if (world !== undefined) await giveUpForgotten(world);
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
  const turn = (name: Queue, key: string): Promise<Result> => {
    if (name === 'ending') return finish(key);
    return name === 'claims' ? attend() : look(name, key);
  };
  const create = (name: Queue): WorkQueue =>
    createWorkQueue({
      workers: workers[name],
      ...(name === 'ending' ? { maximumMilliseconds: longestEndingRetryMs } : {}),
      run: async (key) => {
        const { requeueAfterMs } = await turn(name, key);
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
          looks += 1;
          metrics.reconcileSeconds.observe({ controller: name }, seconds);
          metrics.reconciles.inc({ controller: name, result: failed ? 'error' : 'success' });
        },
      },
    });
  /** A deletion goes past a look at the same object that is under way. */
  const add = (kind: 'domain' | 'exchanger', key: string): void => {
    const object = world && cachedObject(world.cache, kind, key);
    if (isEnding(object)) queueOf('ending').add(`${kind} ${key}`);
    else queueOf(kind).add(key, isKnown(object));
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
    retirement: (key, last) => {
      if (last === undefined || world === undefined) removed.delete(key);
      else removed.set(key, last);
      queueOf('retirement').add(key);
      // The certificate of deleted hosts waited for the domain, perhaps.
      const waiting = last?.spec.what === 'Domain' ? (world?.cache.retirements() ?? []) : [];
      for (const { metadata, spec } of waiting) if (spec.what === 'Exchanger') queueOf('retirement').add(metadata.name);
    },
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
  const names = Object.keys(workers) as readonly Queue[];
  return {
    notify,
    run: async (with_, signal) => {
      world = with_;
      for (const kind of kinds) {
        for (const key of all()[kind]) queueOf(kind).add(key);
        queueOf(kind).start();
      }
      queueOf('ending').start();
      queueOf('claims').add('all');
      queueOf('claims').start();
      const { promise, resolve } = Promise.withResolvers<void>();
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
      await promise;
      // The next run has queues of its own: a look of this one that is slow is in nobody's way.
      for (const queue of queues.values()) void queue.stop();
      queues.clear();
      removed.clear();
      world = undefined;
    },
    depths: () => Object.fromEntries(names.map((name) => [name, queueOf(name).depth().ready])),
    looks: () => looks,
  };
}
