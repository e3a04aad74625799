import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KubeError } from '../../src/kube/error.ts';
import { createReflector } from '../../src/kube/reflector.ts';
import type { ConfigMapObject } from '../../src/kube/types.ts';
import type { WatchEvent } from '../../src/kube/watch.ts';
import { createFakeKube } from '../fakes/kube.ts';
import { configMap, put, query, ref, scene, truth } from './reflector-scene.ts';
import { settle } from './virtual.ts';

describe('a reflector', () => {
  test('lists anew after 410, and finds what was lost', async () => {
    const { kube, reflector, timers, errors } = scene();
    await put(kube, 'a', '1');
    reflector.start();
    await reflector.synced;
    await settle();
    kube.setFault((call) => {
      if (call.verb === 'watch') throw new KubeError(0, 'Unreachable', 'down');
    });
    kube.cut();
    await timers.advance(1000);
    expect(reflector.problem()).toContain("configmaps can't be watched");
    await put(kube, 'b', '1');
    await kube.remove(ref('a'));
    kube.compact();
    kube.setFault(() => undefined);
    await timers.advance(60_000);
    expect(Object.fromEntries(reflector.entries())).toEqual(truth(kube));
    expect(errors).toContain('Expired');
    expect(reflector.problem()).toBeUndefined();
    await reflector.stop();
  });

  test('does not spin where every watch answers 410', async () => {
    const { kube, reflector, timers } = scene();
    kube.setFault((call) => {
      if (call.verb === 'watch') throw new KubeError(410, 'Expired', 'too old');
    });
    reflector.start();
    await timers.advance(600_000);
    expect(kube.calls.length).toBeLessThan(70);
    await reflector.stop();
  });

  test('does not spin where every watch ends at once', async () => {
    const { kube, reflector, timers } = scene();
    reflector.start();
    await reflector.synced;
    for (let second = 0; second < 600; second++) {
      kube.cut();
      await timers.advance(1000);
    }
    expect(kube.calls.length).toBeLessThan(620);
    await reflector.stop();
  });

  test('waits as long as a list that was turned away asks for', async () => {
    const { kube, reflector, timers } = scene();
    let lists = 0;
    kube.setFault((call) => {
      if (call.verb === 'list' && lists++ === 0) {
        throw new KubeError(429, 'TooManyRequests', 'slower', { retryAfterSeconds: 20 });
      }
    });
    reflector.start();
    await timers.advance(19_000);
    expect(lists).toBe(1);
    await timers.advance(2000);
    expect(lists).toBe(2);
    await reflector.synced;
    await reflector.stop();
  });

  test('takes a watch for dead that says nothing for 150 s', async () => {
    const { kube, reflector, timers, setEvents, errors } = scene();
    reflector.start();
    await reflector.synced;
    await settle();
    setEvents(() => []);
    await put(kube, 'a', '1');
    await timers.advance(140_000);
    expect(reflector.lastContact()).toBe(140);
    setEvents((event) => [event]);
    await timers.advance(20_000);
    expect(errors).toEqual(['Timeout']);
    expect(reflector.get('mail/a')).toBe('1');
    await reflector.stop();
  });

  test('bookmarks keep it alive and move it on', async () => {
    const { kube, reflector, timers, errors } = scene();
    let tell: ((event: WatchEvent<ConfigMapObject>) => void) | undefined;
    const from: string[] = [];
    let version = '100';
    const bookmarked = createReflector<ConfigMapObject, string>({
      kube: {
        listPage: async (...given) =>
          ({ ...(await kube.listPage<ConfigMapObject>(...given)), resourceVersion: version }) as never,
        watch: (_, start, options) => {
          from.push(start);
          options.onOpen?.();
          tell = options.onEvent as unknown as typeof tell;
          return new Promise((_resolve, reject) => {
            options.signal.addEventListener('abort', () => reject(new KubeError(0, 'Aborted', 'us')));
          });
        },
      },
      query,
      timers,
      random: () => 0.5,
      select: () => 'x',
      onChange: () => undefined,
    });
    bookmarked.start();
    await bookmarked.synced;
    await settle();
    for (let minute = 0; minute < 10; minute++) {
      await timers.advance(60_000);
      version = `${500 + minute}`;
      tell?.({
        type: 'BOOKMARK',
        object: { ...configMap('', ''), metadata: { name: '', resourceVersion: version } },
      });
    }
    expect(from).toHaveLength(1);
    await timers.advance(151_000);
    expect(from[1]).toBe('509');
    expect(errors).toEqual([]);
    await bookmarked.stop();
    await reflector.stop();
  });

  test('says so where LIST is allowed and WATCH is not, and still follows by lists', async () => {
    const { kube, reflector, timers } = scene();
    kube.setFault((call) => {
      if (call.verb === 'watch') throw new KubeError(403, 'Forbidden', 'cannot watch');
    });
    reflector.start();
    await reflector.synced;
    await settle();
    expect(reflector.problem()).toBe(
      'configmaps may be listed but not watched, so changes are seen late: grant the verb watch (cannot watch)',
    );
    await put(kube, 'a', '1');
    await timers.advance(100_000);
    expect(reflector.get('mail/a')).toBe('1');
    expect(reflector.problem()).toContain('grant the verb watch');
    expect(reflector.watchDenied()).toBe(true);
    kube.setFault((call) => {
      throw new KubeError(403, 'Forbidden', `cannot ${call.verb}`);
    });
    await timers.advance(120_000);
    expect([reflector.problem(), reflector.watchDenied()]).toEqual([
      'configmaps may not be listed: cannot list',
      false,
    ]);
    kube.setFault(() => undefined);
    await timers.advance(120_000);
    expect([reflector.problem(), reflector.watchDenied()]).toEqual([undefined, false]);
    await reflector.stop();
  });

  test('holds nobody up over a kind that is not there, says so, and follows it when it comes back', async () => {
    const { kube, reflector, timers } = scene();
    const absent = (): void => {
      kube.setFault((call) => {
        if (call.verb === 'list' || call.verb === 'watch') throw new KubeError(404, 'NotFound', 'no such resource');
      });
    };
    absent();
    reflector.start();
    await reflector.synced;
    await timers.advance(1_000_000);
    expect(reflector.problem()).toContain('apply the CRD');
    expect(reflector.lastContact()).toBeLessThan(60);
    kube.setFault(() => undefined);
    await put(kube, 'a', '1');
    await timers.advance(60_000);
    expect(Object.fromEntries(reflector.entries())).toEqual(truth(kube));

    absent();
    kube.cut();
    await timers.advance(60_000);
    await kube.remove(ref('a'));
    await put(kube, 'b', '2');
    kube.setFault(() => undefined);
    await timers.advance(60_000);
    expect([reflector.problem(), Object.fromEntries(reflector.entries())]).toEqual([undefined, truth(kube)]);
    await reflector.stop();
  });

  test('says so where LIST is refused, and stays unsynced', async () => {
    const { kube, reflector, timers } = scene();
    kube.setFault(() => {
      throw new KubeError(403, 'Forbidden', 'cannot list');
    });
    let synced = false;
    void reflector.synced.then(() => {
      synced = true;
    });
    reflector.start();
    await timers.advance(60_000);
    expect([synced, reflector.problem()]).toEqual([false, 'configmaps may not be listed: cannot list']);
    await reflector.stop();
  });

  test('counts what the watch did not tell, when it lists after 10 to 30 minutes', async () => {
    const { kube, reflector, timers, setEvents, missed } = scene({ relistSeconds: [600, 600] });
    for (const name of ['a', 'b', 'c']) await put(kube, name, '1');
    reflector.start();
    await reflector.synced;
    await settle();
    setEvents((event) => (event.object.metadata.name === 'c' ? [event] : []));
    await put(kube, 'a', '2');
    await kube.remove(ref('b'));
    await put(kube, 'c', '2');
    expect(reflector.get('mail/a')).toBe('1');
    await timers.advance(700_000);
    kube.cut();
    await timers.advance(1000);
    expect(Object.fromEntries(reflector.entries())).toEqual(truth(kube));
    expect(missed).toEqual([2]);
    await reflector.stop();
  });

  test('does not believe one list that is older than what it knows, but a second', async () => {
    const { kube, reflector, timers, errors } = scene();
    const old = createFakeKube({ firstVersion: 10 });
    await put(kube, 'a', 'new');
    let lists = 0;
    const set = createReflector<ConfigMapObject, string>({
      kube: {
        watch: (...given) => (lists === 1 ? Promise.reject(new KubeError(410, 'Expired', 'x')) : old.watch(...given)),
        listPage: (...given) => (++lists === 1 ? kube : old).listPage(...given),
      },
      query,
      timers,
      random: () => 0.5,
      select: (object) => object.data?.['value'],
      onChange: () => undefined,
      onError: (error) => void errors.push((error as KubeError).reason),
    });
    set.start();
    await timers.advance(600);
    expect([lists, set.get('mail/a')]).toEqual([2, 'new']);
    await timers.advance(10_000);
    expect([lists, set.get('mail/a')]).toEqual([3, undefined]);
    expect(errors).toEqual(['Expired', 'BadAnswer']);
    await set.stop();
    await reflector.stop();
  });

  test('follows a server that was set back, as by a restored backup, from when it answers again', async () => {
    const kube = createFakeKube();
    const old = createFakeKube({ firstVersion: 10 });
    await put(kube, 'a', 'new');
    await put(old, 'a', 'restored');
    const { timers, reflector } = scene();
    let server = kube;
    const set = createReflector<ConfigMapObject, string>({
      kube: {
        watch: (...given) => server.watch(...given),
        listPage: (...given) => server.listPage(...given),
      },
      query,
      timers,
      random: () => 0.5,
      select: (object) => object.data?.['value'],
      onChange: () => undefined,
    });
    set.start();
    await timers.advance(100);
    expect(set.get('mail/a')).toBe('new');
    kube.setFault((call) => {
      if (call.verb === 'watch') throw new KubeError(0, 'Unreachable', 'it is being restored');
    });
    kube.cut();
    await timers.advance(1000);
    server = old;
    await timers.advance(2000);
    expect(set.get('mail/a')).toBe('restored');
    await put(old, 'a', 'changed');
    await timers.advance(100);
    expect(set.get('mail/a')).toBe('changed');
    await set.stop();
    await reflector.stop();
  });

  test('comes to the truth whatever is dropped, repeated, reordered, cut and refused', async () => {
    const step = fc.record({
      name: fc.constantFrom('a', 'b', 'c', 'd'),
      value: fc.option(fc.constantFrom('1', '2', '3'), { nil: undefined }),
      event: fc.constantFrom('pass', 'pass', 'drop', 'repeat', 'swap'),
      server: fc.constantFrom('fine', 'fine', 'cut', 'compact', 'refuse'),
      wait: fc.nat(5000),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const { kube, reflector, timers, setEvents } = scene({ relistSeconds: [600, 1800] });
        reflector.start();
        const held: WatchEvent[] = [];
        for (const { name, value, event, server, wait } of steps) {
          setEvents((one) => {
            if (event === 'drop') return [];
            if (event === 'swap' && held.length === 0) {
              held.push(one);
              return [];
            }
            return [one, ...held.splice(0), ...(event === 'repeat' ? [one] : [])];
          });
          kube.setFault((call) => {
            if (server === 'refuse' && call.verb !== 'apply' && call.verb !== 'remove') {
              throw new KubeError(500, 'InternalError', 'no');
            }
          });
          if (value === undefined) await kube.remove(ref(name));
          else await put(kube, name, value);
          if (server === 'compact') kube.compact();
          if (server === 'compact' || server === 'cut') kube.cut();
          await timers.advance(wait);
        }
        setEvents((one) => [one]);
        kube.setFault(() => undefined);
        // The next list at the latest: the server ends watches within ten minutes.
        for (let minute = 0; minute < 32; minute++) {
          await timers.advance(60_000);
          if (minute % 5 === 0) kube.cut();
        }
        expect(Object.fromEntries(reflector.entries())).toEqual(truth(kube));
        expect(reflector.problem()).toBeUndefined();
        await reflector.stop();
      }),
      { numRuns: 40 },
    );
  }, 60_000);
});
