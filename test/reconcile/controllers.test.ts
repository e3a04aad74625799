import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { apiVersion, type MailExchanger } from '../../src/api/types.ts';
import { MailsealError } from '../../src/errors.ts';
import { KubeError } from '../../src/kube/error.ts';
import { createLog } from '../../src/log.ts';
import { createMetrics } from '../../src/metrics.ts';
import { createControllers } from '../../src/reconcile/controllers.ts';
import type { World } from '../../src/world.ts';
import { createScene, type Scene } from './scene.ts';

const key = 'mail/mx';
let stop = new AbortController();
beforeEach(() => {
  stop = new AbortController();
});
afterEach(() => stop.abort());

interface Operated {
  /** Tells of what has changed, as a watch does. */
  readonly see: () => void;
  readonly asked: () => boolean;
  readonly answer: () => void;
  /** The look ends in trouble, which it would tell of. */
  readonly fail: () => void;
  /** Runs of one queue that have ended. */
  readonly ended: (queue: string) => Promise<number>;
}

/** An operator on the fakes, whose looks at MX hosts take as long as the test says. */
function operate(scene: Scene): Operated {
  const open = Promise.withResolvers<readonly []>();
  let asked = false;
  const started = scene.start();
  const world: World = {
    ...started,
    prober: {
      probe: () => {
        asked = true;
        return open.promise;
      },
    },
  };
  const log = createLog(() => undefined, 'error', { now: scene.now });
  const metrics = createMetrics();
  const controllers = createControllers(metrics, log, () => ({
    domain: [],
    exchanger: [key],
    retirement: [],
    provider: [],
    issuer: [],
  }));
  void controllers.run(world, stop.signal);
  return {
    see: () => controllers.notify.exchanger(key),
    asked: () => asked,
    answer: () => open.resolve([]),
    fail: () => open.reject(new MailsealError('Waiting', 'the hosts are slow')),
    ended: async (queue) => {
      const { values } = await metrics.reconciles.get();
      const runs = values.filter(({ labels }) => labels.controller === queue).map(({ value }) => value);
      return runs.reduce((sum, value) => sum + value, 0);
    },
  };
}

const ref = { apiVersion, kind: 'MailExchanger', namespace: 'mail', name: 'mx' };
const waiting = { timeout: 30_000 };

/** GitOps makes it again at once. */
const makeAgain = (scene: Scene, hosts: readonly string[]): Promise<MailExchanger> =>
  scene.kube.create<MailExchanger>({
    apiVersion,
    kind: 'MailExchanger',
    metadata: { name: 'mx', namespace: 'mail' },
    spec: { hosts },
  });

describe('a deletion', () => {
  test('does not wait for a slow look at the same object, which then writes nothing more', async () => {
    const scene = await createScene();
    const operator = operate(scene);
    await vi.waitFor(() => expect(operator.asked()).toBe(true), waiting);
    await scene.kube.remove(ref);
    operator.see();
    await vi.waitFor(() => expect(scene.exchanger()).toBeUndefined(), waiting);
    const writes = scene.writes();
    operator.answer();
    await vi.waitFor(async () => expect(await operator.ended('exchanger')).toBeGreaterThan(0), waiting);
    expect(scene.writes()).toBe(writes);
    expect(scene.mounted()).toBeUndefined();
  });

  test('leaves no word of a slow look in the status of another object that has the name by then', async () => {
    const scene = await createScene();
    const operator = operate(scene);
    await vi.waitFor(() => expect(operator.asked()).toBe(true), waiting);
    await scene.kube.remove(ref);
    operator.see();
    await vi.waitFor(() => expect(scene.exchanger()).toBeUndefined(), waiting);
    await makeAgain(scene, ['mx2.example.com']);
    const writes = scene.writes();
    operator.fail();
    await vi.waitFor(async () => expect(await operator.ended('exchanger')).toBeGreaterThan(0), waiting);
    expect([scene.writes(), scene.exchanger()?.status]).toEqual([writes, undefined]);
  });

  test('whose answer is lost leaves the object that has its name by then to the looks', async () => {
    const scene = await createScene();
    const operator = operate(scene);
    await vi.waitFor(() => expect(operator.asked()).toBe(true), waiting);
    scene.kube.setFault(({ verb, kind }) => () => {
      const ended = verb === 'apply' && kind === 'MailExchanger' && scene.exchanger() === undefined;
      if (ended) throw new KubeError(409, 'Conflict', 'the answer to what was sent twice');
    });
    await scene.kube.remove(ref);
    operator.see();
    await vi.waitFor(() => expect(scene.exchanger()).toBeUndefined(), waiting);
    await makeAgain(scene, ['mx1.nowhere.test']);
    await vi.waitFor(async () => expect(await operator.ended('ending')).toBe(2), waiting);
    // The queue of the looks waits for the slow one.
    expect(scene.exchanger()?.metadata.finalizers).toBeUndefined();
    operator.answer();
    await vi.waitFor(() => expect(scene.exchanger()?.status?.conditions).toBeDefined(), waiting);
    expect(await operator.ended('ending')).toBe(2);
  });
});
