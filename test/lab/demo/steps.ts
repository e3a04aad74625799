/** What the demo says while it works: steps with their time, and a failure with its cause and its log. */

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Seconds, to a tenth, since a moment of `performance.now()`. */
export const secondsSince = (since: number): number => Math.round((performance.now() - since) / 100) / 10;

/** A step failed; the message names it, its cause and what its own log says last. */
export class StepError extends Error {
  readonly step: string;
  constructor(step: string, cause: unknown) {
    super(`${step}: ${messageOf(cause)}`, { cause });
    this.step = step;
  }
}

export interface Steps {
  /** Runs one step, says how long it took, and names it when it fails. */
  readonly run: <T>(what: string, work: () => Promise<T>) => Promise<T>;
  readonly say: (line: string) => void;
}

export function createSteps(write: (line: string) => void): Steps {
  const say = (line: string): void => write(`${line}\n`);
  return {
    say,
    run: async (what, work) => {
      const started = performance.now();
      say(`==> ${what}`);
      try {
        const value = await work();
        say(`    ${what}: ${secondsSince(started).toFixed(1)} s`);
        return value;
      } catch (error) {
        throw error instanceof StepError ? error : new StepError(what, error);
      }
    },
  };
}
