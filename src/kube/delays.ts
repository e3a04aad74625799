import type { Timers } from './timers.ts';

/** Keys that become due later, each at most once; one timer for all of them. */
export interface Delays {
  /** The earlier of this time and one set before wins. */
  readonly set: (key: string, milliseconds: number) => void;
  readonly drop: (key: string) => void;
  readonly size: () => number;
  readonly clear: () => void;
}

interface Entry {
  readonly key: string;
  readonly at: number;
}

export function createDelays(timers: Timers, onDue: (key: string) => void): Delays {
  /** What counts; entries of the heap that differ from it are leftovers. */
  const due = new Map<string, number>();
  let heap: Entry[] = [];
  let armed: { readonly at: number; readonly cancel: () => void } | undefined;

  const arm = (): void => {
    while (heap[0] !== undefined && due.get(heap[0].key) !== heap[0].at) takeFirst(heap);
    const next = heap[0]?.at;
    if (next === armed?.at) return;
    armed?.cancel();
    armed = next === undefined ? undefined : { at: next, cancel: timers.after(next - timers.monotonic(), fire) };
  };

  const fire = (): void => {
    armed = undefined;
    const now = timers.monotonic();
    const ready: string[] = [];
    for (let first = heap[0]; first !== undefined && first.at <= now; first = heap[0]) {
      takeFirst(heap);
      if (due.get(first.key) !== first.at) continue;
      due.delete(first.key);
      ready.push(first.key);
    }
    arm();
    for (const key of ready) onDue(key);
  };

  return {
    set: (key, milliseconds) => {
      const at = timers.monotonic() + Math.max(0, milliseconds);
      const before = due.get(key);
      if (before !== undefined && before <= at) return;
      due.set(key, at);
      put(heap, { key, at });
      if (heap.length > 2 * due.size + 64) heap = rebuilt(due);
      arm();
    },
    drop: (key) => {
      if (due.delete(key)) arm();
    },
    size: () => due.size,
    clear: () => {
      due.clear();
      heap = [];
      arm();
    },
  };
}

function rebuilt(due: ReadonlyMap<string, number>): Entry[] {
  // A sorted array is a heap.
  return [...due].map(([key, at]) => ({ key, at })).sort((a, b) => a.at - b.at);
}

function put(heap: Entry[], entry: Entry): void {
  let index = heap.push(entry) - 1;
  while (index > 0) {
    const above = (index - 1) >> 1;
    const parent = heap[above];
    if (parent === undefined || parent.at <= entry.at) break;
    heap[index] = parent;
    index = above;
  }
  heap[index] = entry;
}

function takeFirst(heap: Entry[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let index = 0;
  for (;;) {
    const left = 2 * index + 1;
    const smaller = (heap[left + 1]?.at ?? Infinity) < (heap[left]?.at ?? Infinity) ? left + 1 : left;
    const child = heap[smaller];
    if (child === undefined || child.at >= last.at) break;
    heap[index] = child;
    index = smaller;
  }
  heap[index] = last;
}
