/** `mailseal operator`: follows the API, takes part in the election, and reconciles while it leads. */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { conditionOf } from '../api/conditions.ts';
import { createStore } from '../apply/store.ts';
import { operatorConfig, operatorUsage, type OperatorConfig } from '../config.ts';
import { messageOf } from '../errors.ts';
import { createKube } from '../kube/client.ts';
import { loadKubeConfig } from '../kube/config.ts';
import { createEventRecorder } from '../kube/events.ts';
import { type MayWrite, writesWhile } from '../kube/guard.ts';
import { createElection } from '../kube/lease.ts';
import type { Kube } from '../kube/types.ts';
import { createLog, type Log } from '../log.ts';
import { createMetrics, type Metrics } from '../metrics.ts';
import { createResolver, type TestedResolver } from '../observe/dns/resolver.ts';
import { createCaches } from '../reconcile/caches.ts';
import { createControllers } from '../reconcile/controllers.ts';
import { installationId, rememberedId } from '../reconcile/installation.ts';
import { serveTerm } from '../reconcile/term.ts';
import { createWorld } from '../reconcile/world.ts';
import { serveOperatorStatus } from '../server/operator-status.ts';
import type { Cache } from '../world.ts';
import { watchClock } from './clock-watch.ts';
import type { Io } from './io.ts';
import { createRest } from './rest.ts';

/** Without a word from the API server for so long, a restart is the best that can be done. */
const deafSeconds = 900;
const selfTestMs = 5 * 60 * 1000;
const firstSelfTestMs = 5 * 1000;
const restMs = 5 * 1000;

export async function runOperator(args: readonly string[], io: Io): Promise<number> {
  if (args.includes('--help')) {
    io.out(operatorUsage);
    return 0;
  }
  const config = operatorConfig(args);
  const log = createLog(io.out, config.logLevel, io.clock);
  const metrics = createMetrics();
  const access = await loadKubeConfig(config.kube);
  const isLeader = (): boolean => !config.leaderElection || election.isLeader();
  const kube = createKube(access, {
    userAgent: 'mailseal-operator',
    mayWrite: writesWhile(isLeader),
    onRequest: (method, resource, code) => metrics.kubeRequests.inc({ method, resource, code: String(code) }),
  });
  const controllers = createControllers(metrics, log, () => ({
    domain: keys(caches.cache.domains()),
    exchanger: keys(caches.cache.exchangers()),
    retirement: caches.cache.retirements().map(({ metadata }) => metadata.name),
    provider: keys(caches.cache.providers()),
    issuer: keys(caches.cache.issuers()),
  }));
  const caches = createCaches({ ...config, kube, notify: controllers.notify, log });
  const outside = await openResolver('outside', config.outsideResolvers, config);
  const inside =
    config.insideResolvers.length === 0 ? undefined : await openResolver('inside', config.insideResolvers, config);
  let synced = false;
  const server = await serveOperatorStatus(config.httpAddress, {
    sick: () =>
      caches.lastContact() > deafSeconds
        ? `nothing was heard from the API server for ${deafSeconds} s`
        : caches.watchDenied(),
    unready: () => (synced ? undefined : (caches.problems()[0] ?? 'the caches are being filled')),
    metrics: async () => {
      for (const [name, depth] of Object.entries(controllers.depths())) metrics.queueDepth.set({ name }, depth);
      countObjects(metrics, caches.cache);
      return metrics.registry.metrics();
    },
  });
  log.info('listening', { port: server.port });
  // Node has it only where the chart says --expose-gc.
  const { gc } = globalThis;
  const rest = createRest(() => gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' }));
  const resting = setInterval(() => rest(controllers.looks()), restMs);
  caches.start();

  /** When the clock was last set. */
  let steadySince: number | undefined;
  const lead = async (signal: AbortSignal): Promise<void> => {
    await caches.synced;
    metrics.leader.set({ name: 'mailseal' }, 1);
    const store = createStore(kube, config.namespace);
    const remembered = (): Promise<string | undefined> => rememberedId(store, caches.cache);
    const id = await installationId(kube, config.namespace, config.installationId, remembered);
    const events = createEventRecorder({
      kube,
      controller: 'mailseal.dev/operator',
      instance: hostname(),
      onError: (error) => log.warn('an Event could not be written', { problem: messageOf(error) }),
    });
    const parts = {
      config,
      clock: io.clock,
      log,
      metrics,
      cache: caches.cache,
      outside,
      inside,
      installationId: id,
      events,
      onShardRebuilt: controllers.notify.policy,
    };
    log.info('leading', { installationId: id });
    while (!signal.aborted) {
      const watched = watchClock(io.clock);
      const steady = { ...parts, steadySince };
      const term = {
        kube,
        isLeader,
        controllers,
        createWorld: (writing: Kube, mayWrite: MayWrite) => createWorld({ ...steady, kube: writing, mayWrite }),
      };
      await serveTerm(term, AbortSignal.any([signal, watched.set]));
      watched.stop();
      // What is remembered for a while, by a clock that was set back, would be remembered for that long too.
      if (!watched.set.aborted) continue;
      steadySince = io.clock.now();
      log.warn('the clock was set: what was remembered is forgotten, and all is looked at');
    }
    metrics.leader.set({ name: 'mailseal' }, 0);
  };
  // A connection of its own: no burst of writes delays a renewal of the Lease.
  const leaseKube = createKube(access, { userAgent: 'mailseal-operator-lease', connections: 1, timeoutSeconds: 3 });
  const election = createElection({
    kube: leaseKube,
    namespace: config.namespace,
    name: 'mailseal-operator',
    identity: `${hostname()}-${randomUUID().slice(0, 8)}`,
    onStarted: lead,
    onStopped: (why) => log.warn('no longer leading', { why }),
    onError: (error) => log.warn('the Lease could not be renewed', { problem: messageOf(error) }),
  });
  const views = inside === undefined ? [outside] : [outside, inside];
  const testing = Promise.all(views.map((view) => keepTesting(view, config, log, io.signal)));
  void caches.synced.then(() => {
    synced = true;
    return log.info('ready');
  });
  if (config.leaderElection) {
    io.signal.addEventListener('abort', () => void election.stop(), { once: true });
    await election.run();
  } else {
    await lead(io.signal);
  }
  await testing;
  clearInterval(resting);
  await caches.stop();
  await server.close();
  for (const view of views) view.close();
  kube.close();
  leaseKube.close();
  return 0;
}

const keys = (
  objects: readonly { readonly metadata: { readonly name: string; readonly namespace?: string } }[],
): readonly string[] =>
  objects.map(({ metadata: { name, namespace } }) => (namespace === undefined ? name : `${namespace}/${name}`));

/** How many objects of each kind are Ready, are not, or were not looked at yet. */
function countObjects(metrics: Metrics, cache: Cache): void {
  metrics.objects.reset();
  const kept = [...cache.domains(), ...cache.exchangers(), ...cache.retirements()];
  const all = [...kept, ...cache.providers(), ...cache.issuers()];
  for (const { kind, status } of all)
    metrics.objects.inc({ kind, ready: conditionOf(status?.conditions, 'Ready')?.status ?? 'Unknown' });
}

async function openResolver(
  view: 'inside' | 'outside',
  servers: readonly string[],
  config: OperatorConfig,
): Promise<TestedResolver> {
  const caBundle = config.resolverCaFile === undefined ? undefined : await readFile(config.resolverCaFile, 'utf8');
  return createResolver({ view, servers, caBundle });
}

/** Nothing counts as authentic until a resolver was shown to validate, and it is shown again and again. */
async function keepTesting(
  resolver: TestedResolver,
  config: OperatorConfig,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  let last = '';
  while (!signal.aborted) {
    const verdict = await resolver.selfTest(config.secureName, config.bogusName);
    const text = verdict === 'Validating' ? verdict : verdict.problem;
    if (text !== last) {
      if (verdict === 'Validating') log.info('the resolver validates DNSSEC', { view: resolver.view });
      else
        log.error('the resolver is not shown to validate: nothing counts as secure', {
          view: resolver.view,
          problem: text,
        });
    }
    last = text;
    await pauseUnlessAborted(verdict === 'Validating' ? selfTestMs : firstSelfTestMs, signal);
  }
}

function pauseUnlessAborted(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  signal.addEventListener(
    'abort',
    () => {
      clearTimeout(timer);
      resolve();
    },
    { once: true },
  );
  return promise;
}
