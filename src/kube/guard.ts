import { KubeError } from './error.ts';
import type { Kube } from './types.ts';

/** Throws KubeError `NotLeader` where whoever asks may not write, since another may lead by now. */
export type MayWrite = () => void;

export const writesWhile =
  (isLeader: () => boolean): MayWrite =>
  () => {
    if (!isLeader()) throw new KubeError(0, 'NotLeader', 'nothing was written: another operator may lead by now');
  };

/** The same API, whose writes reject with reason `NotLeader` while `isLeader` says no: asked anew before each. */
export function guardWrites(kube: Kube, isLeader: () => boolean): Kube {
  const mayWrite = writesWhile(isLeader);
  const guarded =
    <A extends readonly unknown[], R>(write: (...given: A) => Promise<R>) =>
    async (...given: A): Promise<R> => {
      mayWrite();
      return write(...given);
    };
  return {
    get: kube.get,
    list: kube.list,
    create: async (object) => guarded(kube.create<typeof object>)(object),
    replace: async (object) => guarded(kube.replace<typeof object>)(object),
    apply: async (object, options) => guarded(kube.apply<typeof object>)(object, options),
    annotate: guarded(kube.annotate),
    remove: guarded(kube.remove),
  };
}
