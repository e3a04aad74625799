/** What has been started of something that is made of parts. */
interface Part {
  readonly stop: () => Promise<void>;
}

export interface Parts extends Part {
  /** Remembers a part, and gives it back. */
  readonly keep: <T extends Part>(part: T) => T;
  readonly count: () => number;
}

/** `stop` stops the last part first, each once. */
export function collectParts(): Parts {
  const started: Part[] = [];
  return {
    keep: (part) => {
      started.push(part);
      return part;
    },
    count: () => started.length,
    stop: async () => {
      for (const part of started.splice(0).reverse()) await part.stop();
    },
  };
}
