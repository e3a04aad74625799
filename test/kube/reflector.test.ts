import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { slim } from '../../src/kube/cache.ts';
import { KubeError } from '../../src/kube/error.ts';
import { createReflector, type Reflector, type ReflectorOptions } from '../../src/kube/reflector.ts';
import type { ConfigMapObject, KubeObject } from '../../src/kube/types.ts';
import { isOlder } from '../../src/kube/version.ts';
import type { WatchEvent } from '../../src/kube/watch.ts';
import { createFakeKube, type FakeKube } from '../fakes/kube.ts';
import { settle, type VirtualTimers, virtualTimers } from './virtual.ts';

const query = { apiVersion: 'v1', kind: 'ConfigMap' };

function configMap(name: string, value: string): ConfigMapObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'mail' }, data: { value } };
}

interface Scene {
  readonly timers: VirtualTimers;
  readonly kube: FakeKube;
  readonly reflector: Reflector<string>;
  readonly changes: string[];
  readonly errors: string[];
  readonly missed: number[];
  /** What becomes of each event before the reflector sees it. */
  setEvents: (rewrite: (event: WatchEvent) => readonly WatchEvent[]) => void;
}

function scene(extra: Partial<ReflectorOptions<ConfigMapObject, string>> = {}): Scene {
  const timers = virtualTimers();
  const kube = createFakeKube({ now: timers.now });
  const changes: string[] = [];
  const errors: string[] = [];
  const missed: number[] = [];
  let rewrite: (event: WatchEvent) => readonly WatchEvent[] = (event) => [event];
  const reflector = createReflector<ConfigMapObject, string>({
    kube: {
      listPage: kube.listPage,
      watch: (what, from, options) =>
        kube.watch<KubeObject>(what, from, {
          ...options,
          onEvent: (event) => {
            for (const one of rewrite(event)) options.onEvent(one as WatchEvent<never>);
          },
        }),
    },
    query,
    timers,
    random: () => 0.5,
    pageSize: 2,
    select: (object) => object.data?.['value'],
    onChange: (key, entry, previous) => void changes.push(`${key} ${previous ?? '-'}→${entry ?? '-'}`),
    onError: (error) => void errors.push(error instanceof KubeError ? error.reason : String(error)),
    onMissed: (count) => void missed.push(count),
    ...extra,
  });
  return {
    timers,
    kube,
    reflector,
    changes,
    errors,
    missed,
    setEvents: (next) => {
      rewrite = next;
    },
  };
}

async function put(kube: FakeKube, name: string, value: string): Promise<void> {
  await kube.apply(configMap(name, value), { fieldManager: 'test' });
}

const ref = (name: string): { apiVersion: string; kind: string; namespace: string; name: string } => ({
  ...query,
  namespace: 'mail',
  name,
});

/** What the server holds, as the cache should. */
function truth(kube: FakeKube): Record<string, string | undefined> {
  const all = kube.dump() as readonly ConfigMapObject[];
  return Object.fromEntries(all.map((object) => [`mail/${object.metadata.name}`, object.data?.['value']]));
}

describe('a reflector', () => {
  test('holds what a list of several pages held, then what the watch tells', async () => {
    const { kube, reflector, changes, timers } = scene();
    for (const name of ['a', 'b', 'c', 'd', 'e']) await put(kube, name, '1');
    reflector.start();
    await reflector.synced;
    expect(reflector.size()).toBe(5);
    await settle();
    expect(reflector.problem()).toBeUndefined();
    changes.length = 0;
    await put(kube, 'a', '2');
    await kube.remove(ref('b'));
    await put(kube, 'f', '1');
    expect(changes).toEqual(['mail/a 1→2', 'mail/b 1→-', 'mail/f -→1']);
    expect(Object.fromEntries(reflector.entries())).toEqual(truth(kube));
    await reflector.stop();
    expect(timers.pending()).toBe(0);
  });

  test('keeps nothing of what select leaves out, and lets go of what it no longer wants', async () => {
    const select = (object: ConfigMapObject): string | undefined =>
      object.data?.['value'] === 'foreign' ? undefined : object.data?.['value'];
    const { kube, reflector, changes } = scene({ select });
    await put(kube, 'a', 'foreign');
    await put(kube, 'b', 'ours');
    reflector.start();
    await reflector.synced;
    await settle();
    await put(kube, 'b', 'foreign');
    expect(changes).toEqual(['mail/b -→ours', 'mail/b ours→-']);
    expect(reflector.size()).toBe(0);
    await reflector.stop();
  });

  test('goes on from where it was when a watch is cut, without a new list', async () => {
    const { kube, reflector, timers } = scene();
    reflector.start();
    await reflector.synced;
    await settle();
    kube.cut();
    await put(kube, 'a', '1');
    await timers.advance(2000);
    expect(reflector.get('mail/a')).toBe('1');
    expect(kube.calls.filter(({ verb }) => verb === 'list')).toHaveLength(1);
    await reflector.stop();
  });

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
    const bookmarked = createReflector<ConfigMapObject, string>({
      kube: {
        listPage: kube.listPage,
        watch: (_, version, options) => {
          from.push(version);
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
      tell?.({
        type: 'BOOKMARK',
        object: { ...configMap('', ''), metadata: { name: '', resourceVersion: `${500 + minute}` } },
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

  test('what throws while it is told of a change stops nothing', async () => {
    const { kube, reflector, errors } = scene({
      onChange: () => {
        throw new Error('no');
      },
    });
    await put(kube, 'a', '1');
    reflector.start();
    await reflector.synced;
    await settle();
    await put(kube, 'b', '1');
    expect([reflector.size(), errors.length]).toEqual([2, 2]);
    await reflector.stop();
  });

  test('can be stopped and started in any order, and then tells each change once', async () => {
    const { kube, reflector, timers, changes } = scene();
    reflector.start();
    reflector.start();
    const stopping = reflector.stop();
    reflector.start();
    await stopping;
    await timers.advance(2000);
    await put(kube, 'a', '1');
    expect(changes).toEqual(['mail/a -→1']);
    await reflector.stop();
    await put(kube, 'b', '1');
    expect(changes).toHaveLength(1);
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

test.each([
  ['9', '10', true],
  ['10', '9', false],
  ['10', '10', false],
  ['199', '200', true],
  ['x', '200', false],
  ['1', undefined, false],
  [undefined, '1', false],
])('of the versions %s and %s the first is older: %s', (one, other, want) => {
  expect(isOlder(one, other)).toBe(want);
});

test('slim drops managed fields and what kubectl noted, and nothing else', () => {
  const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': '{}', mine: 'x' };
  const metadata = { name: 'a', managedFields: [{}], annotations, labels: { l: 'x' } };
  expect(slim({ apiVersion: 'v1', kind: 'Secret', metadata })).toEqual({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'a', annotations: { mine: 'x' }, labels: { l: 'x' } },
  });
});
