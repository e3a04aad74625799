/** Looks in a row of busy intervals after which there is something to give back: V8 keeps the room that they took. */
const burst = 200;
/** Looks in an interval of some seconds that make no burst: those of many objects at rest. */
const few = 50;
/** Calm intervals after which what is kept for a minute has been forgotten too. */
const forgotten = 20;

/**
 * Asked every few seconds with how many looks there were so far, it calls `collect` after each burst of them, at once and
 * once more later: an operator rests for most of its life, and its node has better use for the memory.
 */
export function createRest(collect: () => void): (looks: number) => void {
  let last = 0;
  let busy = 0;
  let calm = 0;
  return (looks) => {
    const made = looks - last;
    last = looks;
    if (made > few) {
      busy += made;
      calm = 0;
      return;
    }
    calm += 1;
    if (busy >= burst && (calm === 1 || calm === forgotten)) collect();
    if (calm >= forgotten || busy < burst) busy = 0;
  };
}
