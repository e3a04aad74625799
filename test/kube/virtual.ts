/** A clock that moves only when told. */
import type { Timers } from '../../src/kube/timers.ts';

export interface VirtualTimers extends Timers {
  /** Moves on, running what becomes due in order, and all promises that follow from it. */
  readonly advance: (milliseconds: number) => Promise<void>;
  readonly jumpWall: (milliseconds: number) => void;
  readonly pending: () => number;
  /** The same time for another program, which can be stopped and goes on later, as by SIGSTOP and SIGCONT. */
  readonly program: () => Timers & { readonly freeze: () => void; readonly thaw: () => void };
}

interface Timer {
  at: number;
  readonly order: number;
  readonly run: () => void;
}

/** Lets every promise that can settle without the passing of time do so. */
export async function settle(): Promise<void> {
  for (let round = 0; round < 3; round++) await new Promise((resolve) => setImmediate(resolve));
}

export function virtualTimers(start: number = Date.UTC(2026, 0, 1)): VirtualTimers {
  const timers = new Set<Timer>();
  let time = 0;
  let wall = start;
  let order = 0;

  const after: Timers['after'] = (milliseconds, run) => {
    const timer: Timer = { at: time + Math.max(0, milliseconds), order: order++, run };
    timers.add(timer);
    return () => timers.delete(timer);
  };

  const earliest = (until: number): Timer | undefined =>
    [...timers].filter((timer) => timer.at <= until).sort((a, b) => a.at - b.at || a.order - b.order)[0];

  const advance = async (milliseconds: number): Promise<void> => {
    await settle();
    const until = time + milliseconds;
    for (let timer = earliest(until); timer !== undefined; timer = earliest(until)) {
      timers.delete(timer);
      time = Math.max(time, timer.at);
      timer.run();
      await settle();
    }
    time = until;
  };

  const base: Timers = { now: () => wall + time, monotonic: () => time, after };
  const program: VirtualTimers['program'] = () => {
    let frozen: (() => void)[] | undefined;
    return {
      ...base,
      after: (milliseconds, run) => {
        let cancelled = false;
        const go = (): void => {
          if (!cancelled) run();
        };
        const cancel = after(milliseconds, () => (frozen === undefined ? go() : void frozen.push(go)));
        return () => {
          cancelled = true;
          cancel();
        };
      },
      freeze: () => {
        frozen ??= [];
      },
      thaw: () => {
        const due = frozen ?? [];
        frozen = undefined;
        for (const run of due) run();
      },
    };
  };
  return {
    ...base,
    advance,
    jumpWall: (milliseconds) => {
      wall += milliseconds;
    },
    pending: () => timers.size,
    program,
  };
}
