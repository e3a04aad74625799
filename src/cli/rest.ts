/** Looks after which there is something to give back: V8 keeps the room that a burst took, for the next one. */
const burst = 200;
/** Looks between two questions at most: an operator that makes more is not at rest. */
const few = 20;

/**
 * Asked every few seconds with how many looks there were so far, it calls `collect` once after each burst of them: an
 * operator rests for most of its life, and its node has better use for the memory.
 */
export function createRest(collect: () => void): (looks: number) => void {
  let last = 0;
  let collected = 0;
  return (looks) => {
    const atRest = looks - last <= few;
    last = looks;
    if (!atRest || looks - collected < burst) return;
    collected = looks;
    collect();
  };
}
