/** Lets so many of those who want the same thing at a time; the others wait in the order in which they came. */
export interface Turns {
  readonly take: <T>(of: string, work: () => Promise<T>) => Promise<T>;
}

export function createTurns(most: number): Turns {
  /** Whoever waits, by what they wait for; the key stands while anyone works. */
  const lines = new Map<string, { working: number; readonly waiting: (() => void)[] }>();
  return {
    take: async (of, work) => {
      const line = lines.get(of) ?? { working: 0, waiting: [] };
      lines.set(of, line);
      // Whoever is called takes the place of the one that calls: the count stays.
      if (line.working < most) line.working += 1;
      else await new Promise<void>((resolve) => void line.waiting.push(resolve));
      try {
        return await work();
      } finally {
        const next = line.waiting.shift();
        if (next !== undefined) next();
        else line.working -= 1;
        if (line.working === 0) lines.delete(of);
      }
    },
  };
}
