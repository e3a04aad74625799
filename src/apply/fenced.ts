import type { Dispatcher } from 'undici';
import type { MayWrite } from '../kube/guard.ts';

/** A request that asks once more at the last moment at which it can still be held back. */
export const fencedBy = (
  mayWrite: MayWrite | undefined,
  then: Dispatcher.DispatchHandler,
): Dispatcher.DispatchHandler => ({
  onResponseStart: (...given) => then.onResponseStart?.(...given),
  onResponseData: (...given) => then.onResponseData?.(...given),
  onResponseEnd: (...given) => then.onResponseEnd?.(...given),
  onResponseError: (...given) => then.onResponseError?.(...given),
  onRequestStart: (...given) => {
    mayWrite?.();
    then.onRequestStart?.(...given);
  },
});
