/** What a provider is tried on, and the words in which the rows of the contract speak. */
import { expect } from 'vitest';
import type { ProviderType } from '../../../src/api/capabilities.ts';
import type { Provider, RecordChange, SetKey } from '../../../src/apply/providers/provider.ts';
import { type RecordSet, type RecordType, equalSets, recordTypes } from '../../../src/dns/rrset.ts';

/** The servers that a provider is tried on, and hands and eyes that go past it. */
export interface Ground {
  readonly provider: Provider;
  /** The same provider in another program, which knows nothing of the first. */
  readonly another: () => Promise<Provider>;
  /** Holds `mx1.ZONE A 192.0.2.1`, `alias.ZONE CNAME mx1.ZONE`, `full.ZONE A 192.0.2.1` and nothing that we write. */
  readonly zone: string;
  /** `sub.ZONE`, a zone of its own. */
  readonly subZone: string;
  /** A zone with 10,000 names. */
  readonly bigZone: string;
  /** A zone that the server does not hold. */
  readonly absentZone: string;
  /** Writes past the provider; a set without values goes. */
  readonly byHand: (zone: string, set: RecordSet) => Promise<void>;
  /** What stands, by the DNS where a name server holds it, else by the API, and not by the provider under test. */
  readonly standing: (zone: string, name: string, type: RecordType) => Promise<readonly string[]>;
  /** The same provider with credentials that the server does not know. */
  readonly stranger?: () => Promise<Provider>;
  /** Calls that reached the API so far, by whether they write. */
  readonly calls: () => { readonly reads: number; readonly writes: number };
  /** The next call that writes is made, and its answer lost. */
  readonly loseAnswer?: () => void;
  /** The next call is answered with "too many requests, come back in 7 seconds". */
  readonly throttle?: () => void;
  /** Of the next call that writes the server makes a part, and then fails; of APIs without `batch`. */
  readonly failHalfway?: () => void;
  /** The next call that writes is made; the one after it fails at the server, and nothing of it is made. */
  readonly failSecondCall?: () => void;
  /** A zone with nothing in it that the server loses and holds again; both resolve when it shows. */
  readonly fleeting?: {
    readonly zone: string;
    readonly lose: () => Promise<void>;
    readonly giveBack: () => Promise<void>;
  };
  readonly stop: () => Promise<void>;
}

/** What a server can be made to do, or its API has at all: of what it has not, rows are left out. */
export const abilities = [
  'stranger',
  'loseAnswer',
  'throttle',
  'failHalfway',
  'failSecondCall',
  'fleeting',
  'absentZone',
] as const;

/** What a Ground offers, said before it is started. */
export interface GroundTraits {
  readonly type: ProviderType;
  /** Of texts the API carries only printable ASCII without blanks at the ends. */
  readonly plainTexts?: boolean;
  readonly has: Readonly<Record<(typeof abilities)[number], boolean>>;
  /** Its API knows names, and not which zone they are in. */
  readonly zoneless?: true;
  /** What others wrote it can't take away. */
  readonly onlyItsOwn?: true;
}

const ttl = 300;
export const set = (name: string, type: RecordType, values: readonly string[], seconds: number = ttl): RecordSet => ({
  name,
  type,
  ttl: seconds,
  values,
});

export const change = (before: RecordSet | undefined, after: RecordSet | undefined): RecordChange => {
  const { name, type } = after ?? before ?? { name: '', type: 'TXT' };
  return { name, type, before, after };
};

export const everyType = (...names: readonly string[]): readonly SetKey[] =>
  names.flatMap((name) => recordTypes.map((type) => ({ name, type })));

/** How rows look at the provider under test. */
export interface Looking {
  /** All that it lists at these names. */
  readonly list: (zone: string, ...names: readonly string[]) => Promise<readonly RecordSet[]>;
  /** These sets, TTLs included, and no others. */
  readonly expectListed: (zone: string, names: readonly string[], wanted: readonly RecordSet[]) => Promise<void>;
}

export function looking(ground: () => Ground): Looking {
  const list: Looking['list'] = (zone, ...names) => ground().provider.list(zone, everyType(...names));
  const expectListed: Looking['expectListed'] = async (zone, names, wanted) => {
    const standing = await list(zone, ...names);
    const missing = wanted.filter((one) => !standing.some((other) => equalSets(one, other, { ttl: true })));
    expect({ standing, missing }).toEqual({ standing: expect.any(Array), missing: [] });
    expect(standing).toHaveLength(wanted.length);
  };
  return { list, expectListed };
}
