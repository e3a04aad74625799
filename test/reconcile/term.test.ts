import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Kube } from '../../src/kube/types.ts';
import { createLog } from '../../src/log.ts';
import { createMetrics } from '../../src/metrics.ts';
import { createControllers, type Controllers } from '../../src/reconcile/controllers.ts';
import { serveTerm } from '../../src/reconcile/term.ts';
import type { World } from '../../src/world.ts';
import { createScene, type Scene } from './scene.ts';

const patience = { timeout: 30_000 };
const key = 'mail/mx';
let scene: Scene;
let controllers: Controllers;
/** Looks that wait for an MX host, which answers nobody before the test says so. */
let asked: number;
let answer: () => void;
/** Looks that have come to their end. */
let looked: () => Promise<number>;

beforeEach(async () => {
  scene = await createScene();
  asked = 0;
  const log = createLog(() => undefined, 'error', { now: scene.now });
  const all = () => ({ domain: [], exchanger: [key], retirement: [], provider: [], issuer: [] });
  const metrics = createMetrics();
  controllers = createControllers(metrics, log, all);
  looked = async () => (await metrics.reconciles.get()).values.length;
});
afterEach(() => answer());

/** A term of an operator on the fakes; its writes to Kubernetes go by `way`. */
function serve(signal: AbortSignal, way: Kube = scene.kube): Promise<void> {
  const open = Promise.withResolvers<readonly []>();
  answer = () => open.resolve([]);
  const probe = (): Promise<readonly []> => {
    asked += 1;
    return open.promise;
  };
  const createWorld = (kube: Kube): World => ({ ...scene.start(kube), prober: { probe } });
  return serveTerm({ kube: way, isLeader: () => true, controllers, createWorld }, signal);
}

test('a term ends while a look is slow, which then writes nothing more', async () => {
  const stop = new AbortController();
  const serving = serve(stop.signal);
  await vi.waitFor(() => expect(asked).toBe(1), patience);
  stop.abort();
  await serving;
  const before = JSON.stringify(scene.kube.dump());
  answer();
  await vi.waitFor(async () => expect(await looked()).toBe(1), patience);
  expect(JSON.stringify(scene.kube.dump())).toBe(before);
});

test('a term ends no sooner than a write that is under way', async () => {
  const arrived = Promise.withResolvers<void>();
  const written = Promise.withResolvers<void>();
  const slow: Kube = {
    ...scene.kube,
    apply: async (object, options) => {
      arrived.resolve();
      await written.promise;
      return scene.kube.apply(object, options);
    },
  };
  const stop = new AbortController();
  let ended = false;
  const serving = serve(stop.signal, slow).then(() => {
    ended = true;
  });
  await arrived.promise;
  stop.abort();
  await new Promise(setImmediate);
  expect(ended).toBe(false);
  written.resolve();
  await serving;
});

test('the next term looks at an object that a slow look of the last one is still about', async () => {
  const [one, two] = [new AbortController(), new AbortController()];
  const first = serve(one.signal);
  await vi.waitFor(() => expect(asked).toBe(1), patience);
  one.abort();
  await first;
  const second = serve(two.signal);
  await vi.waitFor(() => expect(asked).toBe(2), patience);
  two.abort();
  await second;
});
