import type { Clock } from '../clock.ts';

/** What the composition root lends to a program. */
export interface Io {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly readStdin: () => Promise<string>;
  /** Aborted by SIGTERM and SIGINT. */
  readonly signal: AbortSignal;
}
