import { afterEach, describe, expect, test, vi } from 'vitest';
import { createLog } from '../../src/log.ts';
import { createMetrics } from '../../src/metrics.ts';
import { createControllers } from '../../src/reconcile/controllers.ts';
import type { World } from '../../src/world.ts';
import { createScene, type Scene } from './scene.ts';

const key = 'mail/mx';
const stop = new AbortController();
afterEach(() => stop.abort());

interface Operated {
  /** Tells of what has changed, as a watch does. */
  readonly see: () => void;
  readonly asked: () => boolean;
  readonly answer: () => void;
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
    ended: async (queue) => {
      const { values } = await metrics.reconciles.get();
      return values.filter(({ labels }) => labels.controller === queue).length;
    },
  };
}

describe('a deletion', () => {
  test('does not wait for a slow look at the same object, which then writes nothing more', async () => {
    const scene = await createScene();
    const operator = operate(scene);
    await vi.waitFor(() => expect(operator.asked()).toBe(true));
    await scene.kube.remove({
      apiVersion: 'mailseal.dev/v1alpha1',
      kind: 'MailExchanger',
      namespace: 'mail',
      name: 'mx',
    });
    operator.see();
    await vi.waitFor(() => expect(scene.exchanger()).toBeUndefined());
    const writes = scene.writes();
    operator.answer();
    await vi.waitFor(async () => expect(await operator.ended('exchanger')).toBeGreaterThan(0));
    expect(scene.writes()).toBe(writes);
    expect(scene.mounted()).toBeUndefined();
  });
});
