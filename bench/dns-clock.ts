/** Hours at an API whose calls are counted, in minutes: all timers of this program, and its clocks, go faster. */
const [realTimer, realNow] = [setTimeout, performance.now.bind(performance)];

/** Milliseconds since 1970, as the timers go. */
export const clock = { now: (): number => performance.timeOrigin + performance.now() };

const put = (target: object, key: string, value: unknown): void =>
  void Object.defineProperty(target, key, { value, configurable: true, writable: true });

/** Runs `work` while a second of `performance.now` and of timers takes `1 / factor` of one. */
export async function atSpeed<T>(factor: number, work: () => Promise<T>): Promise<T> {
  const [began, shown] = [realNow(), performance.now()];
  put(performance, 'now', () => shown + (realNow() - began) * factor);
  put(globalThis, 'setTimeout', (run: () => void, ms = 0, ...rest: unknown[]) =>
    realTimer(run, ms / factor, ...(rest as [])),
  );
  try {
    return await work();
  } finally {
    // It never goes back.
    const ahead = performance.now() - realNow();
    put(performance, 'now', () => realNow() + ahead);
    put(globalThis, 'setTimeout', realTimer);
  }
}

/** Lets so many seconds go by, of which nearly none is waited for. */
export const skip = (seconds: number): Promise<void> =>
  atSpeed(1000, () => new Promise((resolve) => void setTimeout(resolve, seconds * 1000)));
