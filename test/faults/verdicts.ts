/** What became of each kill of a run, and what is said of it. */
import { messageOf } from '../../src/errors.ts';
import type { Kill } from './gate.ts';
import type { Outcome } from './run.ts';
import { type Scenario, scenarios } from './scenarios.ts';

export interface Failure {
  readonly name: string;
  readonly steady: string;
  readonly problems: readonly string[];
}

export interface NamedKill extends Kill {
  readonly name: string;
  readonly steady: string;
  readonly scenario: Scenario;
}

export type Outcomes = Readonly<Partial<Record<Scenario, Outcome>>>;

export interface Result {
  readonly kill: NamedKill;
  readonly struck: boolean;
  readonly failure: Failure | undefined;
}

/** Nothing went wrong, and nothing was tried: the operator never came to the spot. */
export const isMissed = ({ struck, failure }: Result): boolean => !struck && failure === undefined;

/** Why a campaign proves nothing, or not all of what it set out to prove; empty where every kill was survived. */
export function shortcomings(results: readonly Result[]): readonly string[] {
  const kills = results.filter(({ struck }) => struck).length;
  const failures = results.flatMap(({ failure }) => failure ?? []);
  const missed = results.filter(isMissed);
  const told = failures.map(({ name, steady, problems }) => `  ${name} (${steady}): ${problems.join('; ')}`);
  return [
    ...(kills === 0 ? ['nothing was killed'] : []),
    ...(failures.length === 0 ? [] : [`${failures.length} of ${results.length} kills were not survived:`, ...told]),
    ...(missed.length === 0 ? [] : [`${missed.length} spots were not met:`]),
    ...missed.map(({ kill: { name, steady } }) => `  ${name} (${steady})`),
  ];
}

/** A run that could not be played to its end counts as one that failed. */
export function broken(kills: readonly NamedKill[], error: unknown): Outcomes {
  const outcome: Outcome = { writes: [], zone: [], problems: [messageOf(error)], struck: false, seconds: 0 };
  return Object.fromEntries(kills.slice(0, 1).map(({ scenario }) => [scenario, outcome]));
}

/**
 * What became of each kill of a run; undefined where its turn did not come. What goes wrong in a scenario without a kill
 * is laid to the kill before it.
 */
export function verdicts(
  kills: readonly NamedKill[],
  outcomes: Outcomes,
): readonly (readonly [NamedKill, Outcome | undefined])[] {
  const failed = scenarios.find((scenario) => (outcomes[scenario]?.problems.length ?? 0) > 0);
  const place = (scenario: Scenario): number => scenarios.indexOf(scenario);
  const guilty =
    failed === undefined ? undefined : (kills.findLast(({ scenario }) => place(scenario) <= place(failed)) ?? kills[0]);
  return kills.map((kill) => {
    const own = outcomes[kill.scenario];
    if (kill !== guilty || failed === undefined || kill.scenario === failed) return [kill, own];
    const later = outcomes[failed]?.problems ?? [];
    const outcome = own ?? { writes: [], zone: [], struck: false, seconds: 0 };
    return [kill, { ...outcome, problems: later.map((problem) => `then, in ${failed}: ${problem}`) }];
  });
}

export function judged(kill: NamedKill, { problems, struck, seconds }: Outcome, say: (line: string) => void): Result {
  const verdict = problems.length > 0 ? `FAILED: ${problems.join('; ')}` : struck ? 'survived' : 'not met';
  say(`${kill.name} (${kill.steady}): ${verdict} ${seconds.toFixed(1)} s`);
  const failure = problems.length === 0 ? undefined : { name: kill.name, steady: kill.steady, problems };
  return { kill, struck, failure };
}
