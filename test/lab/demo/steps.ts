/** What the demo says while it works: steps with their time, and a failure with its cause and its log. */

/** A step failed; `log` is where its own account of it lies. */
export class StepError extends Error {
  readonly step: string;
  constructor(step: string, cause: unknown) {
    super(`${step}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
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
        say(`    ${what}: ${((performance.now() - started) / 1000).toFixed(1)} s`);
        return value;
      } catch (error) {
        throw error instanceof StepError ? error : new StepError(what, error);
      }
    },
  };
}
