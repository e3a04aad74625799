/**
 * I3: a policy names the hosts that the administrator lists and those that he took out while they are still in the live
 * MX set, or in a cache of it; no other host comes in, and no mode is lowered that he did not lower.
 */
import type { MakeRule, Say, Sighting, Thing } from '../sightings.ts';
import { quoted, readPolicy } from './policy-text.ts';

interface ExchangerRef {
  readonly name: string;
  readonly namespace?: string;
}

export interface DomainSpec {
  readonly domain: string;
  readonly mx?: { readonly hosts: readonly string[] };
  readonly exchangerRefs?: readonly ExchangerRef[];
  readonly mtaSts?: { readonly mode?: string; readonly maxAgeSeconds?: number };
  readonly tlsRpt?: { readonly rua: readonly string[] };
  readonly deletionPolicy?: string;
  readonly suspend?: boolean;
}

export const specOf = (thing: Thing): DomainSpec => thing.spec as unknown as DomainSpec;
export const canonical = (name: string): string => name.toLowerCase().replace(/\.$/u, '');

/** The hosts that a domain's spec lists, its exchangers' included. */
export function listedHosts(thing: Thing, exchangers: ReadonlyMap<string, Thing>): readonly string[] {
  const { mx, exchangerRefs = [] } = specOf(thing);
  const referred = exchangerRefs.flatMap(({ name, namespace = thing.metadata.namespace }) => {
    return (exchangers.get(`${namespace}/${name}`)?.spec?.['hosts'] ?? []) as string[];
  });
  return [...(mx?.hosts ?? []), ...referred].map(canonical);
}

/** What one pod has served so far: pods change at different times. */
interface Pod {
  readonly named: Set<string>;
  /** The objects that stood when it served a policy that binds. */
  enforcedFor: ReadonlySet<string>;
}

export const policyHosts: MakeRule = ({ domains }, say) => {
  const rules = domains.map((domain) => hostsOf(domain, say));
  return (sighting) => {
    for (const rule of rules) rule(sighting);
  };
};

function hostsOf(domain: string, say: Say): (sighting: Sighting) => void {
  const exchangers = new Map<string, Thing>();
  const objects = new Map<string, Thing>();
  const ever = new Set<string>();
  const inMx = new Map<string, number>();
  const pods = new Map<string, Pod>();
  let lowered = false;

  const uids = (): ReadonlySet<string> => {
    const kept = [...objects.values()].filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    return new Set(kept.map(({ metadata }) => metadata.uid ?? ''));
  };

  const judge = (body: string, name: string, at: number): void => {
    const pod = pods.get(name) ?? { named: new Set(), enforcedFor: new Set() };
    pods.set(name, pod);
    const policy = readPolicy(body);
    if (policy === undefined) return say('I3', at, `pod ${name} serves no policy but ${quoted(body)}`);
    const { mode, mx } = policy;
    if (mode === 'none') {
      const kept = uids();
      const broken = [...pod.enforcedFor].some((uid) => kept.has(uid));
      if (broken) say('I3', at, `the policy of ${domain} turned to none while its object stands`);
      pod.named.clear();
      pod.enforcedFor = new Set();
      return;
    }
    const demoted = mode === 'testing' && pod.enforcedFor.size > 0 && !lowered;
    if (demoted) say('I3', at, `the policy of ${domain} was demoted to testing`);
    pod.enforcedFor = mode === 'enforce' ? uids() : new Set();
    for (const host of mx) {
      if (ever.size > 0 && !ever.has(host)) say('I3', at, `the policy of ${domain} names ${host}, which nobody listed`);
    }
    for (const host of pod.named) {
      const missing = !mx.includes(host) && at < (inMx.get(host) ?? 0);
      if (missing) say('I3', at, `the policy of ${domain} lost ${host}, which a cache of the MX set may still name`);
    }
    for (const host of mx) pod.named.add(host);
  };

  const noteObject = (thing: Thing, gone: boolean): void => {
    const key = `${thing.metadata.namespace}/${thing.metadata.name}`;
    if (thing.kind === 'MailExchanger' && !gone) exchangers.set(key, thing);
    if (thing.kind === 'MailDomain' && canonical(specOf(thing).domain) === domain) {
      if (gone) objects.delete(key);
      else objects.set(key, thing);
    }
    for (const object of objects.values()) {
      for (const host of listedHosts(object, exchangers)) ever.add(host);
      lowered ||= specOf(object).mtaSts?.mode === 'testing';
    }
  };

  return (sighting) => {
    if (sighting.of === 'set' && sighting.type === 'MX' && sighting.name === domain) {
      const { set, from } = sighting;
      for (const value of set?.values ?? []) {
        inMx.set(canonical(value.split(' ')[1] ?? ''), from + (set?.ttl ?? 0) * 1000);
      }
    }
    if (sighting.of === 'object') noteObject(sighting.thing, sighting.change === 'Gone');
    if (sighting.of === 'served' && sighting.domain === domain && sighting.answer.is === 'Body') {
      judge(sighting.answer.body, sighting.pod, sighting.from);
    }
  };
}
