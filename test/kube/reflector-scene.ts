/** A reflector on a fake API and a virtual clock, with whatever may befall its events. */
import { KubeError } from '../../src/kube/error.ts';
import { createReflector, type Reflector, type ReflectorOptions } from '../../src/kube/reflector.ts';
import type { ConfigMapObject, KubeObject, ListQuery, Ref } from '../../src/kube/types.ts';
import type { WatchEvent } from '../../src/kube/watch.ts';
import { createFakeKube, type FakeKube } from '../fakes/kube.ts';
import { type VirtualTimers, virtualTimers } from './virtual.ts';

export const query: ListQuery = { apiVersion: 'v1', kind: 'ConfigMap' };

export function configMap(name: string, value: string): ConfigMapObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'mail' }, data: { value } };
}

export interface Scene {
  readonly timers: VirtualTimers;
  readonly kube: FakeKube;
  readonly reflector: Reflector<string>;
  readonly changes: string[];
  readonly errors: string[];
  readonly missed: number[];
  /** What becomes of each event before the reflector sees it. */
  setEvents: (rewrite: (event: WatchEvent) => readonly WatchEvent[]) => void;
}

export function scene(extra: Partial<ReflectorOptions<ConfigMapObject, string>> = {}): Scene {
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

export async function put(kube: FakeKube, name: string, value: string): Promise<void> {
  await kube.apply(configMap(name, value), { fieldManager: 'test' });
}

export const ref = (name: string): Ref => ({
  ...query,
  namespace: 'mail',
  name,
});

/** What the server holds, as the cache should. */
export function truth(kube: FakeKube): Record<string, string | undefined> {
  const all = kube.dump() as readonly ConfigMapObject[];
  return Object.fromEntries(all.map((object) => [`mail/${object.metadata.name}`, object.data?.['value']]));
}
