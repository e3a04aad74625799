import { describe, expect, test } from 'vitest';
import { slim } from '../../src/kube/cache.ts';
import type { ConfigMapObject } from '../../src/kube/types.ts';
import { isOlder } from '../../src/kube/version.ts';
import { put, ref, scene, truth } from './reflector-scene.ts';
import { settle } from './virtual.ts';

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
