/** I9: where nothing changes nothing is written, but the Lease. I10: who has lost the Lease writes nothing any more. */
import type { MakeRule, Thing } from '../sightings.ts';

const lease = /^(create|replace|patch) leases\//u;
/** What a watch shows of a write is seen a little later than the write. */
const lagMs = 1000;

export const quiet: MakeRule = (_scene, say) => {
  let since: number | undefined;
  let known = new Map<string, string>();
  const keyOf = ({ kind, metadata }: Thing): string => `${kind} ${metadata.namespace ?? ''}/${metadata.name}`;
  return (sighting) => {
    if (sighting.of === 'told') {
      if (sighting.told.is === 'quiet') since = sighting.at;
      if (sighting.told.is === 'stirred') since = undefined;
    }
    if (sighting.of === 'write' && since !== undefined && sighting.stage === 'Arrives' && !lease.test(sighting.what)) {
      say('I9', sighting.at, `with nothing to do the operator writes: ${sighting.what}`);
    }
    if (sighting.of !== 'object') return;
    const { thing, at } = sighting;
    const version = thing.metadata.resourceVersion ?? '';
    const changed = known.get(keyOf(thing)) !== version;
    known = known.set(keyOf(thing), version);
    if (since === undefined || at < since + lagMs || !changed || thing.kind === 'Lease' || thing.kind === 'Pod') return;
    say('I9', at, `with nothing to do ${keyOf(thing)} was written`);
  };
};

export const oneWriter: MakeRule = ({ operatorNamespace }, say) => {
  let holder = '';
  /** Who writes by which door is known from the Lease that came by it. */
  const identities = new Map<string, string>();
  let since = 0;
  return (sighting) => {
    if (sighting.of === 'object' && sighting.thing.kind === 'Lease') {
      const { namespace, name } = sighting.thing.metadata;
      if (namespace !== operatorNamespace || name !== 'mailseal-operator') return;
      const now = (sighting.thing.spec?.['holderIdentity'] ?? '') as string;
      if (now !== holder) [holder, since] = [now, sighting.at];
    }
    if (sighting.of !== 'write') return;
    const { by, what, wire, stage, body, at } = sighting;
    if (lease.test(what)) {
      const { spec } = JSON.parse(body.toString()) as { readonly spec?: { readonly holderIdentity?: string } };
      if (spec?.holderIdentity !== undefined && spec.holderIdentity !== '') identities.set(by, spec.holderIdentity);
      return;
    }
    const identity = identities.get(by);
    const stale = identity !== undefined && holder !== '' && identity !== holder && at > since + lagMs;
    if (stale && stage === 'Done') say('I10', at, `${by} lost the Lease to ${holder}, and still did ${what} (${wire})`);
  };
};
