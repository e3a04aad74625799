import { createAging } from '../../aging.ts';
import type { Clock } from '../../clock.ts';
import { type RecordSet, recordTypes } from '../../dns/rrset.ts';
import { MailsealError } from '../../errors.ts';
import type { Provider, Seen, SetKey } from './provider.ts';

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

type Ask = NonNullable<Provider['see']>;

/** What several objects ask of a zone at about the same time becomes one list. */
function gather(ask: Ask): Ask {
  interface Round {
    readonly sought: Map<string, SetKey>;
    readonly seen: ReturnType<Ask>;
  }
  const rounds = new Map<string, Round>();
  const open = (zone: string): Round => {
    const sought = new Map<string, SetKey>();
    const seen = new Promise<void>((resolve) => setTimeout(resolve, companyMs)).then(() => {
      rounds.delete(zone);
      return ask(zone, [...sought.values()]);
    });
    const round = { sought, seen };
    rounds.set(zone, round);
    return round;
  };
  return async (zone, sought) => {
    const round = rounds.get(zone) ?? open(zone);
    for (const one of sought) round.sought.set(`${one.name} ${one.type}`, one);
    try {
      return await round.seen;
    } catch (error) {
      // One that can't be asked for is no reason to tell the others nothing.
      const alone = round.sought.size === sought.length;
      if (alone || !(error instanceof MailsealError) || error.kind !== 'Stalled') throw error;
      return ask(zone, sought);
    }
  };
}

/** The last look at a zone, once it has an answer. */
interface Look {
  readonly at: number;
  seen?: Seen;
}

const fits =
  ({ name, type }: SetKey) =>
  (set: RecordSet): boolean =>
    set.name === name && (set.type === type || set.type === 'CNAME');

/**
 * Lists of the last few seconds, or of as long as whoever asks allows, by zone, name and type, and what else the last
 * look at a zone has shown. A change made through this provider ends what is remembered of its names, before and after,
 * and that last look; one made by others is seen a moment later, and stops a write of ours until then, for `before` no
 * longer holds.
 */
export function rememberLists(provider: Provider, clock: Clock): Provider {
  const listed = createAging<Listed>(clock, longestMs);
  const looks = createAging<Look>(clock, freshMs);
  const bare: Ask = async (zone, sought) => ({ sets: await provider.list(zone, sought), covers: () => false });
  const one = provider.see ?? bare;
  const askTogether = provider.rate === undefined ? one : gather(one);
  const keyOf = (zone: string, { name, type }: SetKey): string => `${zone} ${name} ${type}`;

  const ask = (zone: string, sought: readonly (readonly [string, SetKey])[]): readonly Listed[] => {
    const at = clock.now();
    const look: Look = { at };
    looks.set(zone, look);
    const answer = askTogether(
      zone,
      sought.map(([, each]) => each),
    ).then((seen) => {
      look.seen = seen;
      return seen.sets;
    });
    return sought.map(([key, each]) => {
      const one: Listed = { at, sets: answer.then((sets) => sets.filter(fits(each))) };
      one.sets.catch(() => {
        if (listed.get(key) === one) listed.delete(key);
      });
      listed.set(key, one);
      return one;
    });
  };
  const recall = (zone: string, key: SetKey): Listed | undefined => {
    const last = listed.get(keyOf(zone, key));
    const { at, seen } = looks.get(zone) ?? {};
    if (at === undefined || seen?.covers(key.name) !== true || (last !== undefined && last.at >= at)) return last;
    return { at, sets: Promise.resolve(seen.sets.filter(fits(key))) };
  };
  const list: Provider['list'] = async (zone, sought) => {
    const now = clock.now();
    const known: Listed[] = [];
    const missing: (readonly [string, SetKey])[] = [];
    for (const [key, one] of new Map(sought.map((each) => [keyOf(zone, each), each]))) {
      const last = recall(zone, one);
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
      looks.delete(zone);
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
