/** The name servers of a campaign: in memory here, real ones in the lab. */
import { type ProviderType, capabilitiesOf } from '../../src/api/capabilities.ts';
import { stillStands } from '../../src/apply/providers/compare.ts';
import type { Provider, RecordChange } from '../../src/apply/providers/provider.ts';
import type { RecordSet } from '../../src/dns/rrset.ts';
import { MailsealError } from '../../src/errors.ts';
import type { MayWrite } from '../../src/kube/guard.ts';
import { fakeProvider } from '../fakes/provider.ts';
import { byKey, keyOf, ownZone, type Sets, strangers, zone, zoneOf } from './names.ts';

/** What the product is given: its provider, who asks `mayWrite` right before each message. */
export interface Server {
  readonly type: ProviderType;
  readonly open: (mayWrite: MayWrite) => Promise<Provider>;
  /** All record sets of both zones. */
  readonly read: () => Promise<Sets>;
  /** Behind the product's back; without values the set goes. */
  readonly byHand: (set: RecordSet) => Promise<void>;
}

/** The kinds of API that are played, each as often as the others. */
export const memoryTypes: readonly ProviderType[] = ['rfc2136', 'route53', 'powerdns', 'cloudflare', 'externalDns'];

/** What a real server refuses, or drops without a word: something beside a CNAME. */
export const crowding = ({ name, type }: RecordSet, standing: Sets): readonly RecordSet[] =>
  [...standing.values()].filter((set) => set.name === name && (set.type === 'CNAME') !== (type === 'CNAME'));

export function memoryServer(type: ProviderType): Server {
  const { compareAndSwap, batch, shortestTtl } = capabilitiesOf[type];
  const zones = { [zone]: strangers, [ownZone]: [] };
  const fake = fakeProvider(zones, capabilitiesOf[type]);
  const all = (): Sets => byKey([...fake.sets(zone), ...fake.sets(ownZone)]);
  const raised = (change: RecordChange): RecordChange =>
    change.after === undefined
      ? change
      : { ...change, after: { ...change.after, ttl: Math.max(change.after.ttl, shortestTtl) } };
  /** An API that does not compare takes what it is told, whatever stands. */
  const blindly = (change: RecordChange): RecordChange => ({ ...change, before: all().get(keyOf(change)) });
  const write = async (at: string, changes: readonly RecordChange[]): Promise<void> => {
    if (compareAndSwap) return fake.apply(at, changes.map(raised));
    await stillStands(fake.list, at, changes);
    return fake.apply(at, changes.map(raised).map(blindly));
  };
  const open: Server['open'] = async (mayWrite) => ({
    ...fake,
    apply: async (at, changes) => {
      for (const group of batch ? [changes] : changes.map((change) => [change])) {
        mayWrite();
        await write(at, group);
      }
    },
  });
  const byHand: Server['byHand'] = async (set) => {
    if (set.values.length > 0)
      for (const other of crowding(set, all())) fake.setByHand(zoneOf(set.name), { ...other, values: [] });
    fake.setByHand(zoneOf(set.name), set);
  };
  return { type, open, read: async () => all(), byHand };
}

/** Where a call stops half-way: what came before is made. */
export const halfOf = (changes: readonly RecordChange[]): readonly RecordChange[] =>
  changes.slice(0, Math.floor(changes.length / 2));

export const unavailable = (what: string): MailsealError =>
  new MailsealError('ProviderUnavailable', `the campaign says so: ${what}`);
