import { KubeError } from './error.ts';
import { keyOf } from './resources.ts';
import type { KubeObject } from './types.ts';
import { isOlder } from './version.ts';
import type { WatchEvent } from './watch.ts';

/** What is kept of the objects of one kind, each with the version it came with. */
export interface Cache<T extends KubeObject, E> {
  /**
   * Takes an object of a list, and notes its key in `seen`. 1 when the object had changed at or before `watchedTo`
   * without our knowing, else 0.
   */
  readonly put: (object: T, seen: Set<string>, watchedTo: string | undefined) => number;
  /** Drops what a whole list did not hold; how many that were, if they are to be counted. */
  readonly keepOnly: (seen: ReadonlySet<string>, count: boolean) => number;
  /** Trusts no version any more: the server has been set back, and may give the same ones again for other contents. */
  readonly forgetVersions: () => void;
  readonly store: (object: T) => void;
  readonly drop: (key: string) => void;
  readonly versionOf: (key: string) => string | undefined;
  readonly get: (key: string) => E | undefined;
  readonly entries: () => IterableIterator<[string, E]>;
  readonly size: () => number;
}

/** How far a watch has come. */
export interface Cached {
  version: string;
}

interface Kept<E> {
  readonly entry: E;
  readonly version: string;
}

export function createCache<T extends KubeObject, E>(options: {
  readonly select: (object: T) => E | undefined;
  readonly onChange: (key: string, entry: E | undefined, previous: E | undefined) => void;
  readonly onError: (error: unknown) => void;
}): Cache<T, E> {
  const kept = new Map<string, Kept<E>>();

  const tell = (key: string, entry: E | undefined, previous: E | undefined): void => {
    try {
      options.onChange(key, entry, previous);
    } catch (error) {
      options.onError(error);
    }
  };

  const select = (object: T): E | undefined => {
    try {
      return options.select(object);
    } catch (error) {
      options.onError(error);
      return undefined;
    }
  };

  const drop = (key: string): void => {
    const previous = kept.get(key);
    if (previous !== undefined && kept.delete(key)) tell(key, undefined, previous.entry);
  };

  const store = (object: T): void => {
    const key = keyOf(object.metadata);
    const entry = select(object);
    if (entry === undefined) return drop(key);
    const previous = kept.get(key)?.entry;
    kept.set(key, { entry, version: object.metadata.resourceVersion ?? '' });
    tell(key, entry, previous);
  };

  function* entries(): Generator<[string, E]> {
    for (const [key, { entry }] of kept) yield [key, entry];
  }

  return {
    put: (object, seen, watchedTo) => {
      const key = keyOf(object.metadata);
      const version = object.metadata.resourceVersion ?? '';
      seen.add(key);
      const before = kept.get(key);
      if (before?.version === version) return 0;
      store(object);
      const missed = watchedTo !== undefined && !isOlder(watchedTo, version) && kept.has(key);
      return missed ? 1 : 0;
    },
    keepOnly: (seen, count) => {
      const gone = [...kept.keys()].filter((key) => !seen.has(key));
      for (const key of gone) drop(key);
      return count ? gone.length : 0;
    },
    forgetVersions: () => {
      for (const [key, { entry }] of kept) kept.set(key, { entry, version: '' });
    },
    store,
    drop,
    versionOf: (key) => kept.get(key)?.version,
    get: (key) => kept.get(key)?.entry,
    entries,
    size: () => kept.size,
  };
}

/**
 * Takes one event of a watch. What was seen before is ignored; throws `BadAnswer` for an event that comes after newer
 * ones and tells something new: only a list can say what is true then.
 */
export function accept<T extends KubeObject, E>(cache: Cache<T, E>, cached: Cached, event: WatchEvent<T>): void {
  const version = event.object.metadata.resourceVersion ?? '';
  const late = version === cached.version || isOlder(version, cached.version);
  if (event.type === 'BOOKMARK') {
    if (!late) cached.version = version;
    return;
  }
  const key = keyOf(event.object.metadata);
  if (late) {
    const known = cache.versionOf(key);
    const repeated = known === undefined ? event.type === 'DELETED' : !isOlder(known, version);
    if (repeated) return;
    throw new KubeError(0, 'BadAnswer', `the watch told of ${event.object.kind} ${key} out of order`);
  }
  cached.version = version;
  if (event.type === 'DELETED') cache.drop(key);
  else cache.store(event.object);
}

/** The object without what servers and other clients put there for their own use. */
export function slim<T extends KubeObject>(object: T): T {
  const { managedFields: _, annotations, ...metadata } = object.metadata as T['metadata'] & { managedFields?: unknown };
  if (annotations === undefined) return { ...object, metadata };
  const { 'kubectl.kubernetes.io/last-applied-configuration': __, ...rest } = annotations;
  return { ...object, metadata: { ...metadata, annotations: rest } };
}
