import type { Dispatcher } from 'undici';

/** The same request, which asks `mayWrite` at the last moment at which it can still be held back: its connection stands. */
export const fencedBy = (
  mayWrite: (() => void) | undefined,
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
