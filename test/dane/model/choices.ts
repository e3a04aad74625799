/** Asks for one of several things that may be so. Nothing is chosen that is not asked for. */
export type Choose = <T>(what: string, options: readonly T[], word?: (option: T) => string) => T;

/** Runs it once for every way in which its questions can be answered; the first options are those of a fair day. */
export function* everyChoice<T>(
  run: (choose: Choose) => T,
): Generator<{ readonly result: T; readonly chosen: string }> {
  let turns: number[] = [];
  do {
    const sizes: number[] = [];
    const said: string[] = [];
    const result = run((what, options, word = String) => {
      const turn = turns[sizes.length] ?? 0;
      sizes.push(options.length);
      if (turn >= options.length) throw new Error(`there is nothing to choose from for ${what}`);
      const option = options[turn] as (typeof options)[number];
      if (turn > 0) said.push(`${what} ${word(option)}`);
      return option;
    });
    yield { result, chosen: said.join(', ') };
    turns = sizes.map((_, index) => turns[index] ?? 0);
    while (turns.length > 0 && (turns.at(-1) ?? 0) + 1 >= (sizes[turns.length - 1] ?? 0)) turns.pop();
    if (turns.length > 0) turns.push((turns.pop() ?? 0) + 1);
  } while (turns.length > 0);
}
