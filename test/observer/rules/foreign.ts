/**
 * I5: what is not Mailseal's is not touched: record sets that stood before it came, or that others put there since, and
 * objects of others; and nothing appears at a name that is not one of its own.
 */
import { isDeepStrictEqual } from 'node:util';
import { isBelow, type MakeRule, type RecordSet, type Thing } from '../sightings.ts';

const own: readonly (readonly [prefix: string, types: readonly string[]])[] = [
  ['_mta-sts.', ['TXT']],
  ['mta-sts.', ['A', 'AAAA', 'CNAME']],
  ['_smtp._tls.', ['TXT']],
  ['_25._tcp.', ['TLSA']],
  ['_acme-challenge.', ['TXT']],
  ['_mailseal.', ['TXT']],
];
const isOwnName = ({ name, type }: Pick<RecordSet, 'name' | 'type'>): boolean =>
  own.some(([prefix, types]) => name.startsWith(prefix) && types.includes(type));
const keyOf = ({ name, type }: Pick<RecordSet, 'name' | 'type'>): string => `${name} ${type}`;
const words = ({ ttl, values }: RecordSet): string => `${ttl} {${values.join(', ')}}`;

export const foreignRecords: MakeRule = (_scene, say) => {
  /** By domain: the sets that stood before anything of Mailseal's. */
  const foreign = new Map<string, Map<string, RecordSet>>();
  /** What stands by another's hand is what stands at the next walk. */
  const anew = new Set<string>();

  const compare = (before: RecordSet, now: RecordSet | undefined, at: number): void => {
    if (isDeepStrictEqual(before, now)) return;
    const became = now === undefined ? 'is gone' : `became ${words(now)}`;
    say('I5', at, `the foreign record ${keyOf(before)} ${words(before)} ${became}`);
  };

  return (sighting) => {
    if (sighting.of === 'told' && sighting.told.is === 'changed-by-others') {
      for (const domain of foreign.keys()) anew.add(domain);
    }
    if (sighting.of === 'set') {
      for (const [domain, sets] of foreign) {
        const before = anew.has(domain) ? undefined : sets.get(keyOf(sighting));
        if (before !== undefined) compare(before, sighting.set, sighting.to);
      }
    }
    if (sighting.of !== 'walk') return;
    const { domain, sets, to } = sighting;
    const known = foreign.get(domain);
    const found = new Map(sets.map((set) => [keyOf(set), set]));
    if (known === undefined) return void foreign.set(domain, found);
    if (anew.delete(domain)) {
      // A set of Mailseal's own that others changed stays its own.
      const kept = sets.filter((set) => known.has(keyOf(set)) || !isOwnName(set));
      return void foreign.set(domain, new Map(kept.map((set) => [keyOf(set), set])));
    }
    for (const before of known.values()) compare(before, found.get(keyOf(before)), to);
    for (const set of sets) {
      const strange = !known.has(keyOf(set)) && !isOwnName(set) && isBelow(set.name, domain);
      if (strange) say('I5', to, `${keyOf(set)} ${words(set)} appeared, at a name that is not Mailseal's`);
    }
  };
};

const ourLabel = 'app.kubernetes.io/managed-by';
const unmanaged = new Set(['Secret', 'ConfigMap']);

/** Secrets and ConfigMaps that stood when the observer came and are not Mailseal's. */
export const foreignObjects: MakeRule = (_scene, say) => {
  const foreign = new Map<string, Thing>();
  let others = false;
  const content = ({ metadata, data, type }: Thing): unknown => [metadata.labels, data, type];
  return (sighting) => {
    if (sighting.of === 'told' && sighting.told.is === 'changed-by-others') others = true;
    if (sighting.of !== 'object' || !unmanaged.has(sighting.thing.kind)) return;
    const { thing, change, at } = sighting;
    const { namespace, name, labels = {} } = thing.metadata;
    const key = `${thing.kind} ${namespace}/${name}`;
    const before = foreign.get(key);
    if (change === 'Stands' && labels[ourLabel] !== 'mailseal') foreign.set(key, thing);
    if (before === undefined || others) return;
    if (change === 'Gone') say('I5', at, `${key} is not Mailseal's, and is gone`);
    if (change === 'Changed' && !isDeepStrictEqual(content(before), content(thing)))
      say('I5', at, `${key} is not Mailseal's, and was changed`);
  };
};
