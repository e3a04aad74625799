/** The campaign on name servers in memory: many sequences, one after another. `node memory.ts FIRST COUNT` prints what fails. */
import { memoryServer, memoryTypes } from './server.ts';
import { playSeed, type Servers, shrink, told, type Verdict } from './play.ts';

export const inMemory: Servers = {
  kinds: memoryTypes.length,
  fresh: async (kind) => memoryServer(memoryTypes[kind] ?? 'rfc2136'),
};

export interface Played {
  readonly sequences: number;
  readonly writes: number;
  readonly failed: readonly Verdict[];
}

/** Plays so many sequences, but no more after some have failed. */
export async function playMany(first: number, count: number, servers: Servers, mostFailed = 3): Promise<Played> {
  const failed: Verdict[] = [];
  let [sequences, writes] = [0, 0];
  while (sequences < count && failed.length < mostFailed) {
    const verdict = await playSeed(first + sequences, servers);
    sequences += 1;
    writes += verdict.writes;
    if (verdict.problems.length > 0) failed.push(verdict);
  }
  return { sequences, writes, failed };
}

if (import.meta.main) {
  const [first = 1, count = 1] = process.argv.slice(2).map(Number);
  const began = performance.now();
  const { sequences, writes, failed } = await playMany(first, count, inMemory);
  for (const verdict of failed) process.stdout.write(`${told(await shrink(verdict, inMemory))}\n`);
  process.stdout.write(
    `${sequences} sequences, ${writes} writes, ${failed.length} failed, ${Math.round(performance.now() - began)} ms\n`,
  );
}
