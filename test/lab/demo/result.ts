/** What `--json` writes, also when something failed: what was known by then. */
import { writeFileSync } from 'node:fs';
import type { Condition } from '../../../src/api/types.ts';
import type { Counts } from '../counts.ts';
import type { MailProof, RecordProof } from './proof.ts';

export type SenderProof = Pick<MailProof, 'verified' | 'status'>;

export interface DemoResult {
  readonly ready: boolean;
  /** Seconds; null for what was not reached, or not ours to do. */
  readonly seconds: {
    readonly setup: number | null;
    readonly lab: number | null;
    readonly install: number | null;
    readonly converge: number | null;
  };
  readonly counts: Counts | null;
  readonly conditions: readonly Condition[];
  readonly records: readonly RecordProof[];
  readonly policy: string | null;
  readonly proof: { readonly dane: SenderProof | null; readonly mtaSts: SenderProof | null };
  /** The step that failed, and its cause; absent when none did. */
  readonly failure?: string;
}

export interface Results {
  readonly note: (part: Omit<Partial<DemoResult>, 'seconds'> & { seconds?: Partial<DemoResult['seconds']> }) => void;
  readonly get: () => DemoResult;
  /** Writes it where `--json` said. */
  readonly write: () => void;
}

/** `MAILSEAL_STARTED`: when set-up began, in seconds since 1970. */
export function createResults(json: string | undefined, startedText: string | undefined): Results {
  const started = Number(startedText ?? Number.NaN);
  const setup = Number.isNaN(started) ? null : Math.max(0, Math.round(Date.now() / 1000 - started));
  let result: DemoResult = {
    ready: false,
    seconds: { setup, lab: null, install: null, converge: null },
    counts: null,
    conditions: [],
    records: [],
    policy: null,
    proof: { dane: null, mtaSts: null },
  };
  return {
    note: ({ seconds, ...part }) => {
      result = { ...result, ...part, seconds: { ...result.seconds, ...seconds } };
    },
    get: () => result,
    write: () => {
      if (json !== undefined) writeFileSync(json, `${JSON.stringify(result, undefined, 2)}\n`);
    },
  };
}
