/** What became of every message, by the act in which it was handed to the sender. */
import { type Outcome, readOutcomes } from '../lab/postfix-log.ts';

export interface Count {
  readonly messages: number;
  /** Sent, at whatever attempt. */
  readonly sent: number;
  /** Sent over a channel of which the sender says that it was verified. */
  readonly verified: number;
  /** Attempts that were put off, or given up. */
  readonly deferred: number;
}

export interface Tally {
  /** The sender has taken a message. */
  readonly taken: (queueId: string, act: string) => void;
  /** Each line of its log once, in order. */
  readonly line: (text: string) => void;
  /** Of one act, or of all. */
  readonly count: (act?: string) => Count;
  /** Messages that have not been sent yet. */
  readonly unsent: () => number;
  /** Why messages of an act were put off, each reason once, a few at most. */
  readonly reasons: (act: string) => readonly string[];
}

interface Fate {
  readonly act?: string;
  readonly outcomes: readonly Outcome[];
}

const mostReasons = 5;

export function createTally(): Tally {
  const fates = new Map<string, Fate>();
  const outcomeOf = readOutcomes();
  const ofAct = (act?: string): readonly Fate[] =>
    [...fates.values()].filter((fate) => fate.act !== undefined && (act === undefined || fate.act === act));
  const isSent = ({ outcomes }: Fate): boolean => outcomes.some(({ status }) => status === 'sent');
  return {
    taken: (queueId, act) => void fates.set(queueId, { outcomes: fates.get(queueId)?.outcomes ?? [], act }),
    line: (text) => {
      const outcome = outcomeOf(text);
      if (outcome === undefined) return;
      // The log may be read before the answer by which the message was taken.
      const known = fates.get(outcome.queueId) ?? { outcomes: [] };
      fates.set(outcome.queueId, { ...known, outcomes: [...known.outcomes, outcome] });
    },
    count: (act) => {
      const all = ofAct(act);
      const outcomes = all.flatMap((fate) => fate.outcomes);
      return {
        messages: all.length,
        sent: all.filter(isSent).length,
        verified: outcomes.filter(({ status, verified }) => status === 'sent' && verified).length,
        deferred: outcomes.filter(({ status }) => status !== 'sent').length,
      };
    },
    unsent: () => ofAct().filter((fate) => !isSent(fate)).length,
    reasons: (act) => {
      const put = ofAct(act).flatMap(({ outcomes }) => outcomes.filter(({ status }) => status !== 'sent'));
      return [...new Set(put.map(({ relay, reason }) => `${relay}: ${reason}`))].slice(0, mostReasons);
    },
  };
}
