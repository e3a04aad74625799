/** Many sequences, one after another, on servers in memory or real ones. */
import { memoryServer, memoryTypes } from './server.ts';
import { playSeed, type Servers, type Verdict } from './play.ts';

export const inMemory: Servers = {
  kinds: memoryTypes.length,
  fresh: async (kind) => memoryServer(memoryTypes[kind] ?? 'rfc2136'),
};

export interface Played {
  readonly sequences: number;
  /** Record sets that operators wrote. */
  readonly writes: number;
  readonly failed: readonly Verdict[];
}

/** Plays sequences of these numbers, but no more after some have failed. */
export async function playMany(
  seeds: Iterable<number>,
  servers: Servers,
  {
    mostFailed = 3,
    onPlayed = () => undefined,
  }: { readonly mostFailed?: number; readonly onPlayed?: (sequences: number) => void } = {},
): Promise<Played> {
  const failed: Verdict[] = [];
  let [sequences, writes] = [0, 0];
  for (const seed of seeds) {
    const verdict = await playSeed(seed, servers);
    sequences += 1;
    writes += verdict.writes;
    onPlayed(sequences);
    if (verdict.problems.length > 0) failed.push(verdict);
    if (failed.length >= mostFailed) break;
  }
  return { sequences, writes, failed };
}

export const seedsFrom = (first: number, count: number): readonly number[] =>
  Array.from({ length: count }, (_, at) => first + at);
