import { messageOf } from '../errors.ts';
import { createWorkQueue, type WorkQueue } from '../kube/workqueue.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { Result, World } from '../world.ts';
import type { Notify } from './caches.ts';
import { reconcileDomain } from './domain.ts';
import { reconcileExchanger } from './exchanger.ts';
import { reconcileIssuer, reconcileProvider } from './grants.ts';
import { reconcileRetirement } from './retirement.ts';

/** One queue for each kind: what waits for a slow kind waits alone. */
export interface Controllers {
  readonly notify: Notify;
  /** Looks at everything that waits, until `signal` aborts; resolves when the last look has ended. */
  readonly run: (world: World, signal: AbortSignal) => Promise<void>;
  readonly depths: () => Readonly<Record<string, number>>;
}

const workersFor = { domain: 16, exchanger: 16, retirement: 8, provider: 4, issuer: 4 } as const;

type Kind = keyof typeof workersFor;

/** `namespace/name` in two. */
const split = (key: string): readonly [string, string] => {
  const at = key.indexOf('/');
  return [key.slice(0, at), key.slice(at + 1)];
};

const reconcilers: Readonly<Record<Kind, (world: World, key: string) => Promise<Result>>> = {
  domain: (world, key) => reconcileDomain(world, ...split(key)),
  exchanger: (world, key) => reconcileExchanger(world, ...split(key)),
  retirement: reconcileRetirement,
  provider: reconcileProvider,
  issuer: reconcileIssuer,
};

export function createControllers(
  metrics: Metrics,
  log: Log,
  all: () => Readonly<Record<Kind, readonly string[]>>,
): Controllers {
  let world: World | undefined;
  const queues = new Map<Kind, WorkQueue>();
  const queueOf = (kind: Kind): WorkQueue => {
    const queue = queues.get(kind) ?? create(kind);
    queues.set(kind, queue);
    return queue;
  };
  const create = (kind: Kind): WorkQueue =>
    createWorkQueue({
      workers: workersFor[kind],
      run: async (key) => {
        if (world === undefined) return {};
        const { requeueAfterMs } = await reconcilers[kind](world, key);
        return { requeueAfterMilliseconds: requeueAfterMs };
      },
      onError: (key, error) =>
        log.error('reconcile ended in an error that nobody expected', {
          kind,
          object: key,
          problem: messageOf(error),
          stack: error instanceof Error ? error.stack : undefined,
        }),
      metrics: {
        started: (seconds) => metrics.queueSeconds.observe({ name: kind }, seconds),
        finished: (seconds, failed) => {
          metrics.reconcileSeconds.observe({ controller: kind }, seconds);
          metrics.reconciles.inc({ controller: kind, result: failed ? 'error' : 'success' });
        },
      },
    });

  /** A grant changed: whoever waits for it is looked at again. */
  const everybody = (): void => {
    for (const kind of ['domain', 'exchanger', 'retirement'] as const) {
      for (const key of all()[kind]) queueOf(kind).add(key);
    }
  };
  const notify: Notify = {
    domain: (key) => queueOf('domain').add(key),
    exchanger: (key) => queueOf('exchanger').add(key),
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
  return {
    notify,
    run: async (with_, signal) => {
      world = with_;
      for (const kind of kinds) {
        for (const key of all()[kind]) queueOf(kind).add(key);
        queueOf(kind).start();
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
      await promise;
      await Promise.all(kinds.map((kind) => queueOf(kind).stop()));
    },
    depths: () => Object.fromEntries(kinds.map((kind) => [kind, queueOf(kind).depth().ready])),
  };
}
