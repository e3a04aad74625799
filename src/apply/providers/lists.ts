import { createAging } from '../../aging.ts';
import type { Clock } from '../../clock.ts';
import { type RecordSet, recordTypes } from '../../dns/rrset.ts';
import { MailsealError } from '../../errors.ts';
import type { Provider, SetKey } from './provider.ts';

/** Milliseconds: an object on its way is looked at several times within it, and its own changes are seen at once. */
const freshMs = 3_000;
/** Nobody asks for what is older. */
const longestMs = 30_000;

interface Listed {
  readonly at: number;
  readonly sets: Promise<readonly RecordSet[]>;
}

/** Milliseconds for which a question to an API whose calls are counted waits for others about the same zone. */
const companyMs = 100;

/** What several objects ask of a zone at about the same time becomes one list. */
function gather(list: Provider['list']): Provider['list'] {
  interface Round {
    readonly sought: Map<string, SetKey>;
    readonly sets: Promise<readonly RecordSet[]>;
  }
  const rounds = new Map<string, Round>();
  const open = (zone: string): Round => {
    const sought = new Map<string, SetKey>();
    const sets = new Promise<void>((resolve) => setTimeout(resolve, companyMs)).then(() => {
      rounds.delete(zone);
      return list(zone, [...sought.values()]);
    });
    const round = { sought, sets };
    rounds.set(zone, round);
    return round;
  };
  return async (zone, sought) => {
    const round = rounds.get(zone) ?? open(zone);
    for (const one of sought) round.sought.set(`${one.name} ${one.type}`, one);
    try {
      return await round.sets;
    } catch (error) {
      // One that can't be asked for is no reason to tell the others nothing.
      const alone = round.sought.size === sought.length;
      if (alone || !(error instanceof MailsealError) || error.kind !== 'Stalled') throw error;
      return list(zone, sought);
    }
  };
}

/**
 * Lists of the last few seconds, or of as long as whoever asks allows, by zone, name and type. A change made through this
 * provider ends what is remembered of its names, before and after; one made by others is seen a moment later, and stops
 * a write of ours until then, for `before` no longer holds.
 */
export function rememberLists(provider: Provider, clock: Clock): Provider {
  const listed = createAging<Listed>(clock, longestMs);
  const askTogether = provider.rate === undefined ? provider.list : gather(provider.list);
  const keyOf = (zone: string, { name, type }: SetKey): string => `${zone} ${name} ${type}`;

  const ask = (zone: string, sought: readonly (readonly [string, SetKey])[]): readonly Listed[] => {
    const answer = askTogether(
      zone,
      sought.map(([, one]) => one),
    );
    const at = clock.now();
    return sought.map(([key, { name, type }]) => {
      const fits = (set: RecordSet): boolean => set.name === name && (set.type === type || set.type === 'CNAME');
      const one: Listed = { at, sets: answer.then((sets) => sets.filter(fits)) };
      one.sets.catch(() => {
        if (listed.get(key) === one) listed.delete(key);
      });
      listed.set(key, one);
      return one;
    });
  };
  const list: Provider['list'] = async (zone, sought) => {
    const now = clock.now();
    const known: Listed[] = [];
    const missing: (readonly [string, SetKey])[] = [];
    for (const [key, one] of new Map(sought.map((each) => [keyOf(zone, each), each]))) {
      const last = listed.get(key);
      const { recentMs = freshMs, askedAt = 0 } = one;
      if (last !== undefined && last.at >= askedAt && last.at + recentMs > now) known.push(last);
      else missing.push([key, one]);
    }
    const asked = missing.length === 0 ? [] : ask(zone, missing);
    const sets = await Promise.all([...known, ...asked].map((one) => one.sets));
    // An alias answers for every type.
    return [...new Map(sets.flat().map((set) => [keyOf(zone, set), set])).values()];
  };
  const apply: Provider['apply'] = async (zone, changes) => {
    const forget = (): void => {
      for (const { name } of changes) for (const type of recordTypes) listed.delete(keyOf(zone, { name, type }));
    };
    forget();
    try {
      await provider.apply(zone, changes);
    } finally {
      forget();
    }
  };
  return { ...provider, list, apply };
}
