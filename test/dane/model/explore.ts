/** Visits every state of a model that can be reached, each once, nearest first: so the first wrong one has the shortest way. */

/** One thing that may happen in a state. */
export interface Step<W> {
  /** What happens, in words. */
  readonly how: string;
  readonly world: W;
  /** What is wrong with it, whatever state it leads to. */
  readonly wrong?: string | undefined;
}

export interface Model<W> {
  readonly initial: readonly Step<W>[];
  /** Equal for states that nothing can tell apart, and readable: a trace shows it. */
  readonly keyOf: (world: W) => string;
  readonly next: (world: W) => Iterable<Step<W>>;
  /** What is wrong in this state. */
  readonly wrong: (world: W) => string | undefined;
}

export interface Explored {
  readonly states: number;
  readonly transitions: number;
  /** Steps from a first state to the farthest one. */
  readonly depth: number;
  /** All states were visited: neither did one break, nor were there more than allowed. */
  readonly whole: boolean;
  readonly broken?: { readonly what: string; readonly trace: readonly string[] };
}

/** How a state was reached first. */
interface Visited {
  readonly key: string;
  readonly how: string;
  readonly from: Visited | undefined;
}

/** @param most states; beyond them the search ends, and is not whole. */
export function explore<W>(model: Model<W>, most: number = Number.POSITIVE_INFINITY): Explored {
  const seen = new Set<string>();
  let [layer, depth, transitions]: [{ readonly at: Visited; readonly world: W }[], number, number] = [[], 0, 0];
  const figures = (): Omit<Explored, 'whole'> => ({ states: seen.size, transitions, depth });
  const visit = (
    { how, world, wrong }: Step<W>,
    from: Visited | undefined,
    into: typeof layer,
  ): Explored['broken'] | undefined => {
    const key = model.keyOf(world);
    if (wrong === undefined && seen.has(key)) return undefined;
    const at: Visited = { key, how, from };
    const what = wrong ?? model.wrong(world);
    if (what !== undefined) return { what, trace: traceTo(at) };
    seen.add(key);
    into.push({ at, world });
    return undefined;
  };
  for (const first of model.initial) {
    const broken = visit(first, undefined, layer);
    if (broken !== undefined) return { ...figures(), whole: false, broken };
  }
  while (layer.length > 0) {
    const following: typeof layer = [];
    for (const { at, world } of layer) {
      for (const step of model.next(world)) {
        transitions += 1;
        const broken = visit(step, at, following);
        if (broken !== undefined) return { ...figures(), whole: false, broken };
        if (seen.size > most) return { ...figures(), whole: false };
      }
    }
    layer = following;
    if (layer.length > 0) depth += 1;
  }
  return { ...figures(), whole: true };
}

function traceTo(last: Visited): readonly string[] {
  const trace: string[] = [];
  for (let at: Visited | undefined = last; at !== undefined; at = at.from) trace.unshift(`${at.how}\n      ${at.key}`);
  return trace.map((line, index) => `${String(index).padStart(3)}. ${line}`);
}
