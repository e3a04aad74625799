import { KubeError } from './error.ts';
import type { Kube } from './types.ts';

/** Throws a KubeError where nothing may be written: `NotLeader`, another may lead by now; `Deleted`, the object is. */
export type MayWrite = () => void;

type Wrap = <A extends readonly unknown[], R>(write: (...given: A) => Promise<R>) => (...given: A) => Promise<R>;

/** While `isLeader` says yes. */
export const writesWhile =
  (isLeader: () => boolean): MayWrite =>
  () => {
    if (!isLeader()) throw new KubeError(0, 'NotLeader', 'this was not written: another operator may lead by now');
  };

/** The same API, whose writes reject with what `mayWrite` throws: asked anew before each. */
export function guardWrites(kube: Kube, mayWrite: MayWrite): Kube {
  return wrapWrites(kube, (write) => async (...given) => {
    mayWrite();
    return write(...given);
  });
}

/** What may be written from one beginning to its end, by whoever has to do with it. */
export interface Term {
  readonly kube: Kube;
  readonly mayWrite: MayWrite;
  /** From now on nothing is written; resolves when no write to Kubernetes is under way any more. */
  readonly end: () => Promise<void>;
}

/** A term that also ends, for each write, where `isLeader` says no. */
export function createTerm(kube: Kube, isLeader: () => boolean): Term {
  const underWay = new Set<Promise<unknown>>();
  let over = false;
  const lasts = (): boolean => !over && isLeader();
  const counted = wrapWrites(kube, (write) => async (...given) => {
    const writing = write(...given);
    underWay.add(writing);
    try {
      return await writing;
    } finally {
      underWay.delete(writing);
    }
  });
  const mayWrite = writesWhile(lasts);
  return {
    kube: guardWrites(counted, mayWrite),
    mayWrite,
    end: async () => {
      over = true;
      await Promise.allSettled(underWay);
    },
  };
}

const wrapWrites = (kube: Kube, wrap: Wrap): Kube => ({
  get: kube.get,
  list: kube.list,
  create: async (object) => wrap(kube.create<typeof object>)(object),
  replace: async (object) => wrap(kube.replace<typeof object>)(object),
  apply: async (object, options) => wrap(kube.apply<typeof object>)(object, options),
  annotate: wrap(kube.annotate),
  remove: wrap(kube.remove),
});
