/** One sequence from its number to its verdict, and the shortest part of it that shows the same. */
import { act } from './acts.ts';
import { settle } from './calm.ts';
import { createGround } from './ground.ts';
import type { Server } from './server.ts';
import { drawSequence, type Sequence } from './steps.ts';

export interface Verdict {
  readonly sequence: Sequence;
  readonly problems: readonly string[];
  /** Changes of record sets that operators made. */
  readonly writes: number;
}

/** Servers for one sequence after another, each as if it were new. */
export interface Servers {
  /** How many kinds of API there are to choose from. */
  readonly kinds: number;
  readonly fresh: (kind: number) => Promise<Server>;
}

export async function play(sequence: Sequence, servers: Servers): Promise<Verdict> {
  const ground = await createGround(await servers.fresh(sequence.api % servers.kinds), sequence.second);
  const done = (problems: readonly string[]): Verdict => ({
    sequence,
    problems,
    writes: ground.written,
  });
  for (const [at, step] of sequence.steps.entries()) {
    await act(ground, step);
    const unfenced = ground.ended.some(({ life, writes }) => life.writes > writes);
    if (unfenced) ground.problems.push('an operator that leads no more has written');
    const problems = [...ground.oracle.violations, ...ground.problems];
    if (problems.length > 0) return done(problems.map((problem) => `step ${at}: ${problem}`));
  }
  const unsettled = await settle(ground);
  return done([...ground.oracle.violations, ...ground.problems, ...unsettled]);
}

export const playSeed = (seed: number, servers: Servers): Promise<Verdict> => play(drawSequence(seed), servers);

/** Leaves out what is not needed for the same kind of problem, step by step. */
export async function shrink(verdict: Verdict, servers: Servers): Promise<Verdict> {
  let best = verdict;
  for (let at = verdict.sequence.steps.length - 1; at >= 0; at -= 1) {
    const steps = best.sequence.steps.filter((_, index) => index !== at);
    const shorter = await play({ ...best.sequence, steps }, servers);
    if (shorter.problems.length > 0) best = shorter;
  }
  return best;
}

/** For a human: the number that repeats it, what went wrong, and by which steps. */
export const told = ({ sequence, problems }: Verdict): string =>
  [
    `seed ${sequence.seed} (second operator: ${sequence.second}):`,
    ...problems.map((problem) => `  ${problem}`),
    ...sequence.steps.map((step) => `    ${JSON.stringify(step)}`),
  ].join('\n');
