import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KubeError } from '../../src/kube/error.ts';
import { guardWrites, writesWhile } from '../../src/kube/guard.ts';
import { createElection, type Election } from '../../src/kube/lease.ts';
import type { Timers } from '../../src/kube/timers.ts';
import { createFakeKube, type FakeKube } from '../fakes/kube.ts';
import { type VirtualTimers, virtualTimers } from './virtual.ts';

interface Candidate {
  readonly election: Election;
  readonly log: string[];
  readonly timers: ReturnType<VirtualTimers['program']>;
  readonly ended: Promise<void>;
}

function candidate(kube: FakeKube, timers: VirtualTimers, identity: string, drainMilliseconds = 0): Candidate {
  const own = timers.program();
  const log: string[] = [];
  const election = createElection({
    kube: paused(kube, own),
    namespace: 'mailseal',
    name: 'operator',
    identity,
    timers: own,
    random: () => 0.5,
    onStarted: (signal) => {
      log.push(`started ${timers.monotonic()}`);
      return new Promise((resolve) => {
        signal.addEventListener('abort', () => void own.after(drainMilliseconds, resolve));
      });
    },
    onStopped: () => void log.push(`stopped ${timers.monotonic()}`),
  });
  return { election, log, timers: own, ended: election.run() };
}

async function stop(timers: VirtualTimers, { election, ended }: Candidate): Promise<void> {
  const stopped = election.stop();
  await timers.advance(1000);
  await stopped;
  await ended;
}

/** The API as a program sees it that can be stopped: answers reach it when it goes on. */
function paused(kube: FakeKube, timers: Timers): FakeKube {
  const later =
    <A extends readonly unknown[], R>(run: (...given: A) => Promise<R>) =>
    async (...given: A): Promise<R> => {
      await new Promise<void>((resolve) => timers.after(1, resolve));
      try {
        return await run(...given);
      } finally {
        await new Promise<void>((resolve) => timers.after(1, resolve));
      }
    };
  return {
    ...kube,
    get: async (ref) => later(kube.get<never>)(ref),
    create: async (object) => later(kube.create<typeof object>)(object),
    replace: async (object) => later(kube.replace<typeof object>)(object),
  };
}

describe('an election', () => {
  test('the first leads at once, the second only when the first gives up, within a second', async () => {
    const timers = virtualTimers();
    const kube = createFakeKube({ now: timers.now });
    const one = candidate(kube, timers, 'one', 200);
    await timers.advance(100);
    const two = candidate(kube, timers, 'two');
    await timers.advance(60_000);
    expect([one.election.isLeader(), two.election.isLeader()]).toEqual([true, false]);
    expect(two.election.holder()).toBe('one');
    const stopping = one.election.stop();
    const before = timers.monotonic();
    await timers.advance(1200);
    await stopping;
    expect([one.election.isLeader(), two.election.isLeader()]).toEqual([false, true]);
    const started = Number(two.log[0]?.split(' ')[1]);
    expect(started - before).toBeLessThanOrEqual(200 + 1000);
    await stop(timers, two);
  });

  test('a killed leader is followed after its lease has run out', async () => {
    const timers = virtualTimers();
    const kube = createFakeKube({ now: timers.now });
    const one = candidate(kube, timers, 'one');
    const two = candidate(kube, timers, 'two');
    await timers.advance(30_000);
    const [leader, other] = one.election.isLeader() ? [one, two] : [two, one];
    leader.timers.freeze();
    await timers.advance(12_000);
    expect(other.election.isLeader()).toBe(false);
    await timers.advance(5000);
    expect(other.election.isLeader()).toBe(true);
    await stop(timers, other);
  });

  test('a leader that was paused past its lease knows at once, before any timer of it has run', async () => {
    const timers = virtualTimers();
    const kube = createFakeKube({ now: timers.now });
    const one = candidate(kube, timers, 'one');
    await timers.advance(5000);
    const guarded = guardWrites(kube, writesWhile(one.election.isLeader));
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: 'b' } };
    await guarded.create(object);
    one.timers.freeze();
    await timers.advance(11_000);
    await expect(
      guarded.remove({ apiVersion: 'v1', kind: 'ConfigMap', name: 'a', namespace: 'b' }),
    ).rejects.toMatchObject({
      reason: 'NotLeader',
    });
    expect(await guarded.get({ apiVersion: 'v1', kind: 'ConfigMap', name: 'a', namespace: 'b' })).toBeDefined();
    one.timers.thaw();
    await timers.advance(20_000);
    expect(one.log).toHaveLength(3);
    expect(one.election.isLeader()).toBe(true);
    await stop(timers, one);
  });

  test.each([
    ['ahead', 11_000],
    ['back', -3_600_000],
  ])('a wall clock set %s never prolongs leadership', async (_, jump) => {
    const timers = virtualTimers();
    const kube = createFakeKube({ now: timers.now });
    const one = candidate(kube, timers, 'one');
    await timers.advance(5000);
    kube.setFault(() => {
      throw new KubeError(0, 'Unreachable', 'down');
    });
    timers.jumpWall(jump);
    await timers.advance(10_000);
    expect(one.election.isLeader()).toBe(false);
    expect(one.log.at(-1)).toMatch(/^stopped/);
    kube.setFault(() => undefined);
    await timers.advance(20_000);
    expect(one.election.isLeader()).toBe(true);
    await stop(timers, one);
  });

  test('a renewal whose answer was lost does not cost the lease', async () => {
    const timers = virtualTimers();
    const kube = createFakeKube({ now: timers.now });
    const one = candidate(kube, timers, 'one');
    await timers.advance(3000);
    let lost = 0;
    kube.setFault((call) => () => {
      if (call.verb !== 'replace' || lost++ > 0) return;
      throw new KubeError(0, 'Timeout', 'lost', { mayHaveActed: true });
    });
    await timers.advance(30_000);
    expect(one.log).toEqual([expect.stringMatching(/^started/)]);
    expect(one.election.isLeader()).toBe(true);
    await stop(timers, one);
  });

  test('what the work rejects with ends the election, and the lease is given back', async () => {
    const kube = createFakeKube();
    const election = createElection({
      kube,
      namespace: 'mailseal',
      name: 'operator',
      identity: 'one',
      onStarted: () => Promise.reject(new Error('out of order')),
    });
    await expect(election.run()).rejects.toThrow('out of order');
    expect(kube.dump()[0]).toMatchObject({ spec: { leaseDurationSeconds: 1 } });
    expect(kube.dump()[0]).not.toHaveProperty('spec.holderIdentity');
  });

  test('never two leaders, whatever is paused, delayed or lost', async () => {
    const step = fc.record({
      wait: fc.integer({ min: 50, max: 14_000 }),
      freeze: fc.option(fc.nat(2), { nil: undefined }),
      thaw: fc.option(fc.nat(2), { nil: undefined }),
      fault: fc.constantFrom('none', 'down', 'lossy', 'slow'),
    });
    let led = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 20 }), async (steps) => {
        const timers = virtualTimers();
        const kube = createFakeKube({ now: timers.now });
        const all = ['one', 'two', 'three'].map((identity) => candidate(kube, timers, identity));
        for (const { wait, freeze, thaw, fault } of steps) {
          if (freeze !== undefined) all[freeze]?.timers.freeze();
          if (thaw !== undefined) all[thaw]?.timers.thaw();
          let count = 0;
          kube.setFault(async (call) => {
            count += 1;
            if (fault === 'down') throw new KubeError(0, 'Unreachable', 'down');
            if (fault === 'slow') await new Promise<void>((resolve) => timers.after((count * 997) % 9000, resolve));
            if (fault !== 'lossy' || call.verb === 'get' || count % 3 !== 0) return undefined;
            return () => {
              throw new KubeError(0, 'Timeout', 'lost', { mayHaveActed: true });
            };
          });
          for (let left = wait; left > 0; left -= 250) {
            await timers.advance(Math.min(left, 250));
            const leaders = all.filter(({ election }) => election.isLeader()).length;
            led += leaders;
            expect(leaders).toBeLessThanOrEqual(1);
          }
        }
      }),
      { numRuns: 25 },
    );
    expect(led).toBeGreaterThan(100);
  }, 60_000);
});
