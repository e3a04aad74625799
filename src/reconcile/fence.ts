/** A look may be slow: what it has not written when its object is deleted, it must not write any more. */
import type { MailDomain, MailExchanger, Retirement } from '../api/types.ts';
import { KubeError } from '../kube/error.ts';
import { guardWrites, type MayWrite } from '../kube/guard.ts';
import type { KubeObject } from '../kube/types.ts';
import type { Cache, World } from '../world.ts';

/** Who reconciles what: the kinds whose deletion leaves something to do. */
type Fenced = 'domain' | 'exchanger' | 'retirement';

/** The latest that is known of the object of a key. */
export function cachedObject(
  cache: Cache,
  kind: Fenced,
  key: string,
): MailDomain | MailExchanger | Retirement | undefined {
  const at = key.indexOf('/');
  const [namespace, name] = [key.slice(0, Math.max(0, at)), key.slice(at + 1)];
  switch (kind) {
    case 'domain':
      return cache.domain(namespace, name);
    case 'exchanger':
      return cache.exchanger(namespace, name);
    case 'retirement':
      return cache.retirement(name);
  }
}

/** Deleted, and waiting for us to let go. */
export const isEnding = (object: KubeObject | undefined): boolean => object?.metadata.deletionTimestamp !== undefined;

/** The same world, in which whoever looks at an object can write only as long as that very object stays. */
export function fenced(world: World, kind: Fenced, key: string): World {
  const object = cachedObject(world.cache, kind, key);
  // There is nothing to look at: at most to clear up after.
  if (object === undefined) return world;
  const { uid } = object.metadata;
  const stays = (): boolean => {
    const now = cachedObject(world.cache, kind, key);
    return now !== undefined && !isEnding(now) && now.metadata.uid === uid;
  };
  const mayWrite: MayWrite = () => {
    if (!stays()) throw new KubeError(0, 'Deleted', 'nothing was written: the object is deleted');
  };
  const gate =
    <A extends readonly unknown[], R>(write: (...given: A) => Promise<R>) =>
    async (...given: A): Promise<R> => {
      mayWrite();
      return write(...given);
    };
  const { store, claims, shards, zoneWriter, statusWriter } = world;
  return {
    ...world,
    kube: guardWrites(world.kube, mayWrite),
    store: { ...store, save: gate(store.save), remove: gate(store.remove) },
    claims: { ...claims, hold: gate(claims.hold), release: gate(claims.release) },
    shards: { ...shards, serve: gate(shards.serve), unserve: gate(shards.unserve) },
    zoneWriter: { ...zoneWriter, submit: gate(zoneWriter.submit) },
    statusWriter: { ...statusWriter, write: gate(statusWriter.write) },
    // Asked for before every step of an order.
    issuerOf: gate(world.issuerOf),
  };
}
