/** I16: a deletion ends within a minute, and leaves nothing behind that nobody looks after; I4's end is judged elsewhere. */
import { isBelow, type MakeRule, type RecordSet, type Thing } from '../sightings.ts';
import { canonical, type DomainSpec } from './policy-hosts.ts';

const mostMs = 60_000;
/** Between the end of an object and the last look at what it left. */
const handoverMs = 3000;

interface Deletion {
  readonly thing: Thing;
  readonly since: number;
}

const kinds = new Set(['MailDomain', 'MailExchanger']);
const keyOf = ({ kind, metadata }: Thing): string => `${kind} ${metadata.namespace}/${metadata.name}`;
const domainOf = ({ spec }: Thing): string => canonical((spec as unknown as DomainSpec).domain ?? '');
const hostsOf = ({ spec }: Thing): readonly string[] => ((spec?.['hosts'] ?? []) as string[]).map(canonical);

export const deletions: MakeRule = (_scene, say) => {
  const standing = new Map<string, Thing>();
  const retirements = new Map<string, Thing>();
  const deleting = new Map<string, Deletion>();
  /** Ended, and not yet looked after whether something stayed. */
  let ended: (Deletion & { readonly orphaned: boolean })[] = [];
  const sets = new Map<string, RecordSet>();
  const foreign = new Set<string>();
  let operatorSince: number | undefined = 0;

  const ours = (thing: Thing): readonly RecordSet[] => {
    const belongs = ({ name }: RecordSet): boolean =>
      thing.kind === 'MailDomain'
        ? [`_mta-sts.${domainOf(thing)}`, `mta-sts.${domainOf(thing)}`, `_smtp._tls.${domainOf(thing)}`].includes(name)
        : hostsOf(thing).some((host) => name === `_25._tcp.${host}`);
    return [...sets.entries()].flatMap(([key, set]) => (belongs(set) && !foreign.has(key) ? [set] : []));
  };
  const tended = (thing: Thing): boolean => {
    const heirs = [...standing.values(), ...retirements.values()];
    return thing.kind === 'MailDomain'
      ? heirs.some((heir) => domainOf(heir) === domainOf(thing))
      : hostsOf(thing).every((host) => heirs.some((heir) => hostsOf(heir).includes(host)));
  };

  const noteObject = (thing: Thing, gone: boolean, at: number): void => {
    const key = keyOf(thing);
    if (thing.kind === 'Retirement') {
      if (gone) retirements.delete(key);
      else retirements.set(key, thing);
    }
    if (!kinds.has(thing.kind)) return;
    if (!gone) {
      standing.set(key, thing);
      if (thing.metadata.deletionTimestamp !== undefined && !deleting.has(key)) deleting.set(key, { thing, since: at });
      return;
    }
    standing.delete(key);
    deleting.delete(key);
    ended.push({ thing, since: at, orphaned: thing.spec?.['deletionPolicy'] === 'Orphan' });
  };

  const look = (at: number): void => {
    if (operatorSince === undefined) return;
    for (const [key, { since }] of deleting) {
      if (at - Math.max(since, operatorSince) > mostMs)
        say('I16', at, `the deletion of ${key} has not ended in a minute`);
    }
    const ripe = ended.filter(({ since }) => at - since > handoverMs);
    ended = ended.filter((one) => !ripe.includes(one));
    for (const { thing, orphaned } of ripe) {
      const left = ours(thing).map(({ name, type }) => `${name} ${type}`);
      if (left.length === 0 || orphaned || tended(thing)) continue;
      say('I16', at, `${keyOf(thing)} is gone, and nobody looks after ${left.join(', ')}`);
    }
  };

  return (sighting) => {
    if (sighting.of === 'object') noteObject(sighting.thing, sighting.change === 'Gone', sighting.at);
    if (sighting.of === 'set') {
      const key = `${sighting.name} ${sighting.type}`;
      if (sighting.set === undefined) sets.delete(key);
      else sets.set(key, sighting.set);
    }
    // What stood before any object did.
    if (sighting.of === 'walk' && standing.size === 0 && retirements.size === 0) {
      for (const { name, type } of sighting.sets) if (isBelow(name, sighting.domain)) foreign.add(`${name} ${type}`);
    }
    if (sighting.of === 'told' && sighting.told.is === 'killed') operatorSince = undefined;
    if (sighting.of === 'told' && sighting.told.is === 'started') operatorSince = sighting.at;
    if (sighting.of === 'tick') look(sighting.at);
  };
};
