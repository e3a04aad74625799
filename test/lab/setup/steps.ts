/** Progress of the set-up on stderr: what is being done, and how long it took. */

/** A failure with an advice: what the person at the terminal can do about it. */
export class SetupError extends Error {
  readonly advice: string;
  constructor(message: string, advice: string) {
    super(message);
    this.name = 'SetupError';
    this.advice = advice;
  }
}

export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Runs one step, saying its name before and its time after. */
export async function step<T>(name: string, work: () => Promise<T>): Promise<T> {
  const started = performance.now();
  say(`==> ${name}`);
  const result = await work();
  say(`    ${name.split(':')[0]}: done in ${((performance.now() - started) / 1000).toFixed(1)} s`);
  return result;
}
