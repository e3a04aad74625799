/** All that an operator writes, to Kubernetes and to the DNS, goes through here: it is judged, spoilt, and cut short. */
import { rememberLists } from '../../src/apply/providers/lists.ts';
import type { Provider, RecordChange } from '../../src/apply/providers/provider.ts';
import type { RecordSet } from '../../src/dns/rrset.ts';
import { MailsealError } from '../../src/errors.ts';
import type { MayWrite } from '../../src/kube/guard.ts';
import type { Kube } from '../../src/kube/types.ts';
import { keyOf, type Sets } from './names.ts';
import type { Oracle } from './oracle.ts';
import { halfOf, type Server, unavailable } from './server.ts';

/** As kill -9: nobody hears of anything any more. */
export class Killed extends Error {}

/** What becomes of one call that changes something. */
export type Fault = 'Throttled' | 'RecordChanged' | 'LostBefore' | 'LostAfter' | 'NotApplied' | 'Half';
export const faults: readonly Fault[] = ['Throttled', 'RecordChanged', 'LostBefore', 'LostAfter', 'NotApplied', 'Half'];

/** One run of an operator's program. */
export interface Life {
  readonly operator: string;
  /** When its look began. */
  lookedAt: number;
  dead: boolean;
  /** What went wrong for it since someone last looked. */
  troubles: number;
  /** Writes that got through. */
  writes: number;
  /** Keys that it was truly told of since someone last looked, and what stood there. */
  readonly listed: Map<string, RecordSet | undefined>;
}

export interface Weather {
  /** Ends a life around its next writes: at the one that brings this to zero. */
  kill: { left: number; readonly when: 'before' | 'after' } | undefined;
  fault: Fault | undefined;
  /** Between what was planned and the next write to the DNS. */
  meanwhile: (() => Promise<void>) | undefined;
  /** Lists show what stood then, until that time. */
  stale: { readonly sets: Sets; readonly until: number } | undefined;
}

export const calmWeather = (): Weather => ({
  kill: undefined,
  fault: undefined,
  meanwhile: undefined,
  stale: undefined,
});

export interface Sky {
  readonly server: Server;
  readonly oracle: Oracle;
  readonly weather: Weather;
  readonly now: () => number;
  /** Something was written to the DNS: who reads it, reads anew. */
  readonly changed: (sets: Sets) => void;
}

const die = (life: Life): never => {
  life.dead = true;
  throw new Killed('kill -9');
};

/** Around one external write. */
async function mortal<T>({ weather }: Pick<Sky, 'weather'>, life: Life, write: () => Promise<T>): Promise<T> {
  if (life.dead) throw new Killed('it is dead');
  const { kill } = weather;
  if (kill !== undefined) kill.left -= 1;
  const dies = kill?.left === 0 ? kill.when : undefined;
  if (dies !== undefined) weather.kill = undefined;
  if (dies === 'before') die(life);
  const result = await write();
  life.writes += 1;
  if (dies === 'after') die(life);
  return result;
}

/** The API as a mortal sees it. */
export function mortalKube(sky: Sky, life: Life, kube: Kube): Kube {
  const alive = <T>(read: () => Promise<T>): Promise<T> =>
    life.dead ? Promise.reject(new Killed('it is dead')) : read();
  const write = <T>(run: () => Promise<T>): Promise<T> =>
    mortal(sky, life, run).catch((error: unknown) => {
      life.troubles += 1;
      throw error;
    });
  return {
    get: (ref) => alive(() => kube.get(ref)),
    list: (query) => alive(() => kube.list(query)),
    create: (object) => write(() => kube.create(object)),
    replace: (object) => write(() => kube.replace(object)),
    apply: (object, options) => write(() => kube.apply(object, options)),
    annotate: (ref, annotations) => write(() => kube.annotate(ref, annotations)),
    remove: (ref, given) => write(() => kube.remove(ref, given)),
  };
}

/** The provider as the operator's registry makes it, over a line that is not always good. */
export async function mortalProvider(sky: Sky, life: Life, mayWrite: MayWrite): Promise<Provider> {
  const { server, oracle, weather, now } = sky;
  const inner = await server.open(mayWrite);
  const judged = async (zone: string, changes: readonly RecordChange[]): Promise<void> => {
    oracle.tries(
      life.operator,
      changes.flatMap(({ after }) => after ?? []),
    );
    try {
      await inner.apply(zone, changes);
    } finally {
      const sets = await server.read();
      oracle.wrote(life.operator, sets, life.lookedAt);
      sky.changed(sets);
    }
  };
  const spoilt = async (zone: string, changes: readonly RecordChange[]): Promise<void> => {
    const { fault } = weather;
    weather.fault = undefined;
    switch (fault) {
      case undefined:
        return judged(zone, changes);
      case 'Throttled':
        throw new MailsealError('ProviderThrottled', 'the campaign says so', { retryAfterSeconds: 30 });
      case 'RecordChanged':
        throw new MailsealError('RecordChanged', 'the campaign says so');
      case 'LostBefore':
        throw unavailable('the call was lost');
      case 'LostAfter':
        await judged(zone, changes);
        throw unavailable('the answer was lost');
      case 'NotApplied':
        return mayWrite();
      case 'Half':
        if (!inner.capabilities.batch) await judged(zone, halfOf(changes));
        throw unavailable('it stopped half-way');
    }
  };
  const apply: Provider['apply'] = async (zone, changes) => {
    const { meanwhile } = weather;
    weather.meanwhile = undefined;
    await meanwhile?.();
    try {
      await mortal(sky, life, () => spoilt(zone, changes));
    } catch (error) {
      life.troubles += 1;
      throw error;
    }
  };
  const list: Provider['list'] = async (zone, sought) => {
    if (life.dead) throw new Killed('it is dead');
    const { stale } = weather;
    if (stale === undefined || now() >= stale.until) {
      const standing = oracle.standing();
      for (const one of sought) life.listed.set(keyOf(one), standing.get(keyOf(one)));
      return inner.list(zone, sought);
    }
    life.troubles += 1;
    return [...stale.sets.values()].filter((set) =>
      sought.some(({ name, type }) => set.name === name && (set.type === type || set.type === 'CNAME')),
    );
  };
  return rememberLists({ ...inner, apply, list }, { now });
}
