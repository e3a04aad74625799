import type { KubeObject } from '../kube/types.ts';
import { humanMs, type Wait } from '../plan/change.ts';
import type { Trouble } from '../status/findings.ts';
import type { Result } from '../world.ts';

const second = 1000;
/** How often an object is looked at when nothing calls for it: DNS, the policy and the certificate's renewal. */
const steadyMs = 30 * 60 * second;
/** What waits for a human is looked at ever more rarely. */
const firstStalledMs = 15 * second;
export const longestStalledMs: number = 5 * 60 * second;
const retryMs = 5 * second;
/** After a change the world is looked at again at once: the next step may be possible already. */
const againMs = 50;
/** What was stored as done is looked at once more, when what was remembered of the way there is forgotten. */
const confirmMs = 60_000;
/** So many looks in vain are taken at the pace that the waits ask for; then each takes a quarter longer than the last. */
const patientLooks = 20;
const longestVainMs = 60 * second;
/** Someone else wrote first: what stands now is seen in a moment. */
const lostRaceMs = 200;
/** So many races lost in a row are bad luck; more are something that a human should hear of. */
const patientRaces = 5;
/** The same changes may be made so often at full pace; then each time waits twice as long, up to a minute. */
const patientRounds = 3;
/** So many repetitions a human should hear of. */
const tellingRounds = 8;
/** So many of the last rounds are compared: two that undo each other's changes take turns. */
const rememberedRounds = 8;

/**
 * Milliseconds since 1970 at which someone last asked for a fresh look, by `mailseal.dev/requested-at`; 0 for never, and
 * for a time that is yet to come.
 */
export function askedAt({ metadata }: KubeObject, now: number): number {
  const text = metadata.annotations?.['mailseal.dev/requested-at'];
  const time = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(time) || time > now ? 0 : time;
}

/** Decides when each object is looked at again; remembers how often it was looked at in vain. */
export interface Pace {
  /** As soon as the nearest wait may be over, a status held back is due, or a peer may be asked again. */
  readonly next: (
    object: string,
    after: {
      readonly trouble?: Trouble | undefined;
      readonly statusDueMs?: number | undefined;
      readonly retryAfterMs?: number;
      readonly made?: number;
      /** What was made: the same words for the same changes. */
      readonly round?: string;
      readonly waits?: readonly Wait[];
      /** The last change was to store that all is done. */
      readonly done?: boolean;
    },
  ) => Result;
  /** Someone else wrote first; ever more slowly where that happens again and again. */
  readonly lost: (object: string) => Result;
  /** The same changes are made again and again since it was last at rest: they do not last. */
  readonly isRepeating: (object: string) => boolean;
  /** More races were lost in a row than bad luck explains. */
  readonly isLosing: (object: string) => boolean;
  /** It was looked at in vain only a few times since its last change. */
  readonly isSettling: (object: string) => boolean;
  readonly forget: (object: string) => void;
}

/** What was made lately, and how often that was nothing new. */
interface Rounds {
  readonly last: readonly string[];
  readonly repeats: number;
  /** Looks since then that made nothing. */
  readonly idle: number;
}

export function createPace(): Pace {
  const vain = new Map<string, number>();
  const races = new Map<string, number>();
  const rounds = new Map<string, Rounds>();
  /** How often the same was made again since the object was last at rest. */
  const repeated = (object: string, round: string): number => {
    const { last, repeats } = rounds.get(object) ?? { last: [], repeats: 0, idle: 0 };
    const again = last.includes(round) ? repeats + 1 : repeats;
    rounds.set(object, { last: [...last, round].slice(-rememberedRounds), repeats: again, idle: 0 });
    return last.includes(round) ? again : 0;
  };
  /** Nothing was made: what was made before seems to last. */
  const rest = (object: string, nothingNear: boolean): void => {
    const known = rounds.get(object);
    if (known === undefined) return;
    if (nothingNear || known.idle >= patientLooks) rounds.delete(object);
    else rounds.set(object, { ...known, idle: known.idle + 1 });
  };
  const count = (of: Map<string, number>, object: string): number => {
    const times = (of.get(object) ?? 0) + 1;
    of.set(object, times);
    return times;
  };
  return {
    next: (
      object,
      { trouble, retryAfterMs = 0, made = 0, round = '', waits = [], statusDueMs = steadyMs, done = false },
    ) => {
      races.delete(object);
      if (trouble === undefined && made > 0) {
        const doubled = Math.max(0, repeated(object, round) - patientRounds);
        if (doubled === 0) vain.delete(object);
        else count(vain, object);
        const soonest = done ? confirmMs : againMs;
        return { requeueAfterMs: Math.min(soonest * 2 ** doubled, longestVainMs, Math.max(statusDueMs, againMs)) };
      }
      rest(object, trouble === undefined && waits.every(({ forMs }) => forMs > longestVainMs));
      const looks = count(vain, object);
      const slower = 1.25 ** Math.max(0, looks - patientLooks);
      // What a human is to do is looked for ever more rarely, as what stalls is.
      const least = (ms: number): number =>
        Math.max(ms, Math.min(ms * slower, ms >= humanMs ? longestStalledMs : longestVainMs));
      const pause =
        trouble === undefined
          ? Math.min(steadyMs, ...waits.map(({ forMs }) => least(forMs)))
          : Math.max(
              trouble.kind === 'Stalled' ? Math.min(firstStalledMs * 1.25 ** looks, longestStalledMs) : least(retryMs),
              retryAfterMs,
            );
      // A status that is due is no reason to ask a peer earlier than it wants.
      return { requeueAfterMs: Math.max(againMs, retryAfterMs, Math.min(pause, statusDueMs)) };
    },
    lost: (object) => {
      const slower = 1.25 ** Math.max(0, count(races, object) - patientLooks);
      return { requeueAfterMs: Math.min(lostRaceMs * slower, longestVainMs) };
    },
    isRepeating: (object) => (rounds.get(object)?.repeats ?? 0) >= tellingRounds,
    isLosing: (object) => (races.get(object) ?? 0) > patientRaces,
    isSettling: (object) => (vain.get(object) ?? 0) < patientLooks,
    forget: (object) => {
      vain.delete(object);
      races.delete(object);
      rounds.delete(object);
    },
  };
}
