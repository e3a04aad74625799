/** The Kubernetes API in memory: versions, conflicts, generations, finalizers, server-side apply, lists, watches. */
import { randomUUID } from 'node:crypto';
import type { Page } from '../../src/kube/answer.ts';
import type { Watching } from '../../src/kube/client.ts';
import { aborted, KubeError } from '../../src/kube/error.ts';
import type { Kube, KubeObject, ListQuery, Ref } from '../../src/kube/types.ts';
import type { WatchEvent, WatchOptions } from '../../src/kube/watch.ts';
import { type Json, merge } from './apply.ts';
import { bounded, equal, idOf, named, own, part, precondition, refOf, status, withoutStatus } from './objects.ts';
import { matches } from './selector.ts';

export interface FakeCall {
  readonly verb: 'get' | 'list' | 'watch' | 'create' | 'replace' | 'apply' | 'annotate' | 'remove';
  readonly kind: string;
  readonly key: string;
  readonly fieldManager?: string;
}

export interface FakeKube extends Kube, Watching {
  /** Every call so far. */
  readonly calls: FakeCall[];
  /** Only calls that write. */
  readonly writes: () => readonly FakeCall[];
  /**
   * Runs before each call from now on: throw to refuse it, await to delay it. What it returns runs after the call
   * has been carried out: throw there to lose the answer.
   */
  readonly setFault: (fault: (call: FakeCall) => Promise<void | (() => void)> | void | (() => void)) => void;
  /** All objects, deep copies. */
  readonly dump: () => readonly KubeObject[];
  /** Watches below this version now answer 410. */
  readonly compact: () => void;
  /** Ends all open watches, as a server that is restarted. */
  readonly cut: () => void;
}

interface Stored {
  object: KubeObject;
  readonly applied: Map<string, Json>;
}

interface OpenWatch {
  readonly query: ListQuery;
  readonly onEvent: (event: WatchEvent) => void;
  readonly end: () => void;
}

export function createFakeKube(
  options: { readonly now?: () => number; readonly firstVersion?: number } = {},
): FakeKube {
  const now = options.now ?? Date.now;
  const store = new Map<string, Stored>();
  const history: { version: number; event: WatchEvent }[] = [];
  const watches = new Set<OpenWatch>();
  const calls: FakeCall[] = [];
  let version = options.firstVersion ?? 100;
  let oldest = 0;
  let fault: (call: FakeCall) => Promise<void | (() => void)> | void | (() => void) = () => undefined;

  const call = async <R>(one: FakeCall, run: () => R): Promise<R> => {
    calls.push(one);
    const after = await fault(one);
    const result = run();
    if (typeof after === 'function') after();
    return structuredClone(result);
  };

  const emit = (type: 'ADDED' | 'MODIFIED' | 'DELETED', object: KubeObject): void => {
    const event: WatchEvent = { type, object: structuredClone(object) };
    history.push({ version, event });
    for (const watch of watches) if (matches(watch.query, object)) watch.onEvent(structuredClone(event));
  };

  const put = (id: string, object: KubeObject, applied: Map<string, Json>, before?: KubeObject): KubeObject => {
    const bare = { ...object.metadata, resourceVersion: before?.metadata.resourceVersion ?? '' };
    const same = before !== undefined && equal({ ...object, metadata: bare }, before);
    if (same) {
      store.set(id, { object: before, applied });
      return before;
    }
    version += 1;
    const changed = before !== undefined && !equal(withoutStatus(object), withoutStatus(before));
    const generation = (before?.metadata.generation ?? 0) + (before === undefined || changed ? 1 : 0);
    const metadata = { ...object.metadata, resourceVersion: String(version), generation };
    const next = { ...object, metadata };
    if (metadata.deletionTimestamp !== undefined && (metadata.finalizers ?? []).length === 0) {
      store.delete(id);
      emit('DELETED', next);
    } else {
      store.set(id, { object: next, applied });
      emit(before === undefined ? 'ADDED' : 'MODIFIED', next);
    }
    return next;
  };

  const born = (object: KubeObject): KubeObject => ({
    ...object,
    metadata: { ...object.metadata, uid: randomUUID(), creationTimestamp: new Date(now()).toISOString() },
  });

  const kept = (object: KubeObject, before: KubeObject): KubeObject => {
    const { uid, creationTimestamp, deletionTimestamp } = before.metadata;
    const metadata = { ...object.metadata };
    return {
      ...object,
      metadata: {
        ...metadata,
        ...(uid === undefined ? {} : { uid }),
        ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
        ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
      },
    };
  };

  const select = (query: ListQuery): KubeObject[] =>
    [...store.entries()]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, stored]) => stored.object)
      .filter((object) => matches(query, object));

  const fake: FakeKube = {
    calls,
    writes: () => calls.filter(({ verb }) => verb !== 'get' && verb !== 'list' && verb !== 'watch'),
    setFault: (next) => {
      fault = next;
    },
    dump: () => structuredClone([...store.values()].map(({ object }) => object)),
    compact: () => {
      oldest = version;
    },
    cut: () => {
      for (const watch of watches) watch.end();
    },
    get: <T extends KubeObject>(ref: Ref) =>
      call(named('get', ref), () => store.get(idOf(ref))?.object as T | undefined),
    list: <T extends KubeObject>(query: ListQuery) =>
      call(
        { verb: 'list', kind: query.kind, key: query.namespace ?? '' },
        () => bounded(query, select(query)) as unknown as readonly T[],
      ),
    listPage: <T extends KubeObject>(query: ListQuery, page: { readonly limit: number; readonly continue?: string }) =>
      call<Page<T>>({ verb: 'list', kind: query.kind, key: query.namespace ?? '' }, () => {
        const from = Number(page.continue ?? 0);
        const all = select(query) as unknown as readonly T[];
        const more = from + page.limit < all.length ? String(from + page.limit) : undefined;
        return { items: all.slice(from, from + page.limit), resourceVersion: String(version), continue: more };
      }),
    watch: async <T extends KubeObject>(query: ListQuery, from: string, watching: WatchOptions<T>) => {
      await call({ verb: 'watch', kind: query.kind, key: query.namespace ?? '' }, () => {
        if (Number(from) < oldest) throw status(410, 'Expired', 'too old resource version');
      });
      if (watching.signal.aborted) throw aborted();
      watching.onOpen?.();
      const onEvent = watching.onEvent as (event: WatchEvent) => void;
      for (const { version: at, event } of history) {
        if (at > Number(from) && matches(query, event.object)) onEvent(structuredClone(event));
      }
      await follow(watches, query, onEvent, watching.signal);
    },
    create: <T extends KubeObject>(object: T) =>
      call(named('create', refOf(object)), () => {
        const id = idOf(refOf(object));
        if (store.has(id)) throw status(409, 'AlreadyExists', `${object.kind} ${object.metadata.name} already exists`);
        return put(id, born(own(structuredClone(object))), new Map()) as T;
      }),
    replace: <T extends KubeObject>(object: T) =>
      call(named('replace', refOf(object)), () => {
        const id = idOf(refOf(object));
        const before = store.get(id);
        if (object.metadata.resourceVersion === undefined) throw new KubeError(0, 'Invalid', 'no resourceVersion');
        if (before === undefined) throw status(404, 'NotFound', `${object.kind} ${object.metadata.name} not found`);
        precondition(before.object, object.metadata);
        return put(
          id,
          kept(own(structuredClone(object), before.object), before.object),
          before.applied,
          before.object,
        ) as T;
      }),
    apply: <T extends KubeObject>(object: T, { fieldManager, subresource }: Parameters<Kube['apply']>[1]) =>
      call({ ...named('apply', refOf(object)), fieldManager }, () => {
        const id = idOf(refOf(object));
        const before = store.get(id);
        const { uid, resourceVersion, ...metadata } = object.metadata;
        if (before === undefined && (subresource !== undefined || resourceVersion !== undefined || uid !== undefined)) {
          throw uid === undefined
            ? status(404, 'NotFound', `${object.kind} ${object.metadata.name} not found`)
            : status(409, 'Conflict', 'the object has gone: its uid was given');
        }
        if (before !== undefined) precondition(before.object, object.metadata);
        const config = structuredClone(part({ ...object, metadata }, subresource)) as unknown as Json;
        const applied = new Map(before?.applied);
        const previous = applied.get(fieldManager);
        applied.delete(fieldManager);
        const live = before?.object ?? { apiVersion: object.apiVersion, kind: object.kind, metadata };
        const merged = merge(live as unknown as Json, config, previous, [...applied.values()]) as unknown as T;
        applied.set(fieldManager, config);
        if (before === undefined) return put(id, born(merged), applied) as T;
        return put(id, kept(merged, before.object), applied, before.object) as T;
      }),
    annotate: (ref, annotations) =>
      call(named('annotate', ref), () => {
        const before = store.get(idOf(ref));
        if (before === undefined) return undefined;
        const all: Record<string, string | null> = { ...before.object.metadata.annotations, ...annotations };
        const left = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null)) as Record<
          string,
          string
        >;
        const metadata = { ...before.object.metadata, annotations: left };
        return put(idOf(ref), { ...before.object, metadata }, before.applied, before.object);
      }),
    remove: (ref, given) =>
      call(named('remove', ref), () => {
        const before = store.get(idOf(ref));
        if (before === undefined) return;
        if (given !== undefined) precondition(before.object, given);
        const deletionTimestamp = before.object.metadata.deletionTimestamp ?? new Date(now()).toISOString();
        const metadata = { ...before.object.metadata, deletionTimestamp };
        put(idOf(ref), { ...before.object, metadata }, before.applied, before.object);
      }),
  };
  return fake;
}

function follow(
  watches: Set<OpenWatch>,
  query: ListQuery,
  onEvent: (event: WatchEvent) => void,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const finish = (settle: () => void): void => {
      watches.delete(watch);
      settle();
    };
    const watch: OpenWatch = {
      query,
      end: () => finish(resolve),
      onEvent: (event) => {
        try {
          onEvent(event);
        } catch (error) {
          finish(() => reject(error));
        }
      },
    };
    watches.add(watch);
    signal.addEventListener('abort', () => finish(() => reject(aborted())), { once: true });
  });
}
