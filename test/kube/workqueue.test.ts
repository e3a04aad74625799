import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createDelays } from '../../src/kube/delays.ts';
import { KubeError } from '../../src/kube/error.ts';
import { createWorkQueue, type Outcome, type WorkQueue } from '../../src/kube/workqueue.ts';
import { settle, type VirtualTimers, virtualTimers } from './virtual.ts';

interface Run {
  readonly key: string;
  readonly at: number;
}

interface Scene {
  readonly timers: VirtualTimers;
  readonly queue: WorkQueue;
  readonly runs: Run[];
  readonly errors: string[];
}

function scene(workers: number, outcome: (key: string, timers: VirtualTimers) => Promise<Outcome>): Scene {
  const timers = virtualTimers();
  const runs: Run[] = [];
  const errors: string[] = [];
  const queue = createWorkQueue({
    workers,
    timers,
    random: () => 0.999999,
    onError: (key) => void errors.push(key),
    run: (key) => {
      runs.push({ key, at: timers.monotonic() });
      return outcome(key, timers);
    },
  });
  queue.start();
  return { timers, queue, runs, errors };
}

const after = (timers: VirtualTimers, milliseconds: number): Promise<void> =>
  new Promise((resolve) => timers.after(milliseconds, resolve));

describe('a work queue', () => {
  test('runs a key once however often it was added while it waited', async () => {
    const { queue, runs, timers } = scene(1, async (_, timers) => {
      await after(timers, 10);
      return {};
    });
    for (const key of ['a', 'b', 'b', 'b', 'c', 'b']) queue.add(key);
    await timers.advance(100);
    expect(runs.map(({ key }) => key)).toEqual(['a', 'b', 'c']);
  });

  test('never runs one key twice at once, and runs it again when it was added meanwhile', async () => {
    const { queue, runs, timers } = scene(4, async (_, timers) => {
      await after(timers, 10);
      return {};
    });
    queue.add('a');
    await timers.advance(5);
    queue.add('a');
    queue.add('a');
    expect(queue.depth()).toEqual({ ready: 0, running: 1, delayed: 0 });
    await timers.advance(100);
    expect(runs).toEqual([
      { key: 'a', at: 0 },
      { key: 'a', at: 10 },
    ]);
  });

  test('doubles the delay of a failing key from 200 ms up to 5 minutes, and forgets it on success', async () => {
    let fails = true;
    const { queue, runs, timers, errors } = scene(1, () =>
      fails ? Promise.reject(new Error('no')) : Promise.resolve({}),
    );
    queue.add('a');
    await timers.advance(3_600_000);
    const gaps = runs.slice(1).map((run, index) => Math.round(run.at - (runs[index]?.at ?? 0)));
    expect(gaps.slice(0, 5)).toEqual([200, 400, 800, 1600, 3200]);
    expect(gaps.at(-1)).toBe(300_000);
    expect(errors).toHaveLength(runs.length);
    fails = false;
    queue.add('a');
    await settle();
    expect(queue.failures('a')).toBe(0);
    expect(queue.depth()).toEqual({ ready: 0, running: 0, delayed: 0 });
  });

  test('waits as long as an error asks for', async () => {
    const { queue, runs, timers } = scene(1, () =>
      Promise.reject(new KubeError(429, 'TooManyRequests', 'slower', { retryAfterSeconds: 7 })),
    );
    queue.add('a');
    await timers.advance(6_999);
    expect(runs).toHaveLength(1);
    await timers.advance(1);
    expect(runs).toHaveLength(2);
  });

  test('runs a key when its requeueAfter has passed', async () => {
    const { queue, runs, timers } = scene(1, () => Promise.resolve({ requeueAfterMilliseconds: 1000 }));
    queue.add('a');
    await timers.advance(2500);
    expect(runs.map(({ at }) => at)).toEqual([0, 1000, 2000]);
  });

  test('a run replaces the time set before it', async () => {
    const { queue, runs, timers } = scene(1, () => Promise.resolve({}));
    queue.addAfter('a', 1000);
    queue.addAfter('a', 500);
    queue.addAfter('a', 2000);
    await timers.advance(100);
    queue.add('a');
    await timers.advance(5000);
    expect(runs.map(({ at }) => at)).toEqual([100]);
  });

  test('keys that fail for ever and slowly leave half of the workers to the healthy', async () => {
    const { queue, runs, timers } = scene(4, async (key, timers) => {
      await after(timers, key.startsWith('bad') ? 60_000 : 10);
      if (key.startsWith('bad')) throw new Error('timed out');
      return {};
    });
    for (let index = 0; index < 60; index++) queue.add(`bad${index}`);
    // The first round of all sixty, before anything is known of them.
    await timers.advance(16 * 60_000);
    const added = timers.monotonic();
    for (let index = 0; index < 20; index++) queue.add(`good${index}`);
    await timers.advance(200);
    const good = runs.filter(({ key }) => key.startsWith('good'));
    expect(good).toHaveLength(20);
    expect(Math.max(...good.map(({ at }) => at)) - added).toBeLessThanOrEqual(200);
  });

  test('runs that take long wait for somebody, and keep none of the others waiting', async () => {
    const { queue, runs, timers } = scene(2, async (key, timers) => {
      await after(timers, key.startsWith('slow') ? 60_000 : 10);
      return {};
    });
    for (let index = 0; index < 8; index++) queue.add(`slow${index}`);
    await timers.advance(7000);
    queue.add('quick');
    await timers.advance(20);
    expect(runs.map(({ key }) => key)).toContain('quick');
    // A bound all the same.
    for (let index = 8; index < 40; index++) queue.add(`slow${index}`);
    await timers.advance(40_000);
    expect(queue.depth().running).toBe(12);
  });

  test('goes on with what is begun before it begins with others', async () => {
    const left = new Map<string, number>();
    const { queue, runs, timers } = scene(4, async (key, timers) => {
      await after(timers, 100);
      const more = (left.get(key) ?? 5) - 1;
      left.set(key, more);
      return more === 0 ? {} : { requeueAfterMilliseconds: 50 };
    });
    for (let index = 0; index < 100; index++) queue.add(`key${index}`);
    await timers.advance(1999);
    const ended = (): number => [...left.values()].filter((more) => more === 0).length;
    // Were they run in turn, each would have been run once at most, and none had ended.
    expect(runs.length).toBeLessThan(100);
    expect(ended()).toBeGreaterThanOrEqual(10);
    await timers.advance(20_000);
    expect(ended()).toBe(100);
  });

  test('what is known from earlier waits for no crowd of new ones', async () => {
    const { queue, runs, timers } = scene(1, async (_, timers) => {
      await after(timers, 10);
      return {};
    });
    for (let index = 0; index < 100; index++) queue.add(`new${index}`);
    queue.add('changed', true);
    await timers.advance(50);
    expect(runs.slice(0, 3).map(({ key }) => key)).toContain('changed');
  });

  test('what asks for ever to be run again soon leaves every sixteenth run to others', async () => {
    const { queue, runs, timers } = scene(1, async (key, timers) => {
      await after(timers, 10);
      return key.startsWith('restless') ? { requeueAfterMilliseconds: 1 } : {};
    });
    for (let index = 0; index < 20; index++) queue.add(`restless${index}`);
    await timers.advance(4000);
    runs.length = 0;
    queue.add('calm');
    await timers.advance(200);
    expect(runs.slice(0, 17).map(({ key }) => key)).toContain('calm');
  });

  test('stops when the runs under way have ended, and begins none after', async () => {
    const { queue, runs, timers } = scene(1, async (_, timers) => {
      await after(timers, 50);
      return { requeueAfterMilliseconds: 10 };
    });
    queue.add('a');
    queue.add('b');
    await timers.advance(10);
    let stopped = false;
    const stopping = queue.stop().then(() => {
      stopped = true;
    });
    await timers.advance(30);
    expect(stopped).toBe(false);
    await timers.advance(1000);
    await stopping;
    expect(runs.map(({ key }) => key)).toEqual(['a']);
    expect(timers.pending()).toBe(0);
  });

  test('tells its metrics how long keys waited and ran', async () => {
    const told: string[] = [];
    const timers = virtualTimers();
    const queue = createWorkQueue({
      workers: 1,
      timers,
      onError: () => undefined,
      metrics: {
        added: () => void told.push('added'),
        started: (seconds) => void told.push(`started ${seconds}`),
        finished: (seconds, failed) => void told.push(`finished ${seconds} ${failed}`),
        retried: () => void told.push('retried'),
      },
      run: async (key) => {
        await after(timers, 1000);
        return { failed: key === 'b' };
      },
    });
    queue.start();
    queue.add('a');
    queue.add('b');
    await timers.advance(2000);
    const want = ['added', 'started 0', 'added', 'finished 1 false', 'started 1', 'finished 1 true', 'retried'];
    expect(told).toEqual(want);
    await queue.stop();
  });
});

test('delays hand out every key once, at the earliest time set, in order', async () => {
  const step = fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd', 'e'), wait: fc.nat(100), drop: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const timers = virtualTimers();
      const got: [string, number][] = [];
      const delays = createDelays(timers, (key) => void got.push([key, timers.monotonic()]));
      const want = new Map<string, number>();
      for (const { key, wait, drop } of steps) {
        if (drop) {
          delays.drop(key);
          want.delete(key);
        } else {
          delays.set(key, wait);
          want.set(key, Math.min(wait, want.get(key) ?? Infinity));
        }
      }
      await timers.advance(100);
      expect(new Map(got)).toEqual(want);
      expect(got.map(([, at]) => at)).toEqual([...want.values()].sort((a, b) => a - b));
      expect([delays.size(), timers.pending()]).toEqual([0, 0]);
    }),
    { numRuns: 100 },
  );
});
