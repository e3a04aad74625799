/** I18: while the world can't be seen nothing is taken for proven. I11: one domain's trouble is not another's. */
import type { MakeRule, Thing } from '../sightings.ts';
import { certificatesIn, textOf } from './pem.ts';
import { canonical, specOf } from './policy-hosts.ts';
import { readPolicy } from './policy-text.ts';
import { spki } from './tlsa.ts';

/** What was seen before the views went may still be acted on. */
const graceMs = 3000;

export const shutGates: MakeRule = (_scene, say) => {
  let blindSince: number | undefined;
  const sets = new Map<string, string>();
  const modes = new Map<string, string>();
  const keys = new Map<string, string>();
  const blind = (at: number): boolean => blindSince !== undefined && at > blindSince + graceMs;
  const note = (seen: Map<string, string>, key: string, value: string): string | undefined => {
    const before = seen.get(key);
    seen.set(key, value);
    return before === value ? undefined : (before ?? '');
  };
  return (sighting) => {
    if (sighting.of === 'told') {
      const { told } = sighting;
      if (told.is === 'away' && told.what === 'views') blindSince = sighting.at;
      if (told.is === 'back' && told.what === 'views') blindSince = undefined;
    }
    if (sighting.of === 'set' && sighting.type === 'TLSA') {
      const { server, name, set, from } = sighting;
      const values = set?.values.join(' | ') ?? '';
      const before = note(sets, `${server} ${name}`, values);
      const changed = before !== undefined && before !== values;
      if (changed && blind(from)) say('I18', from, `nobody can see outside, and ${name} TLSA became {${values}}`);
    }
    if (sighting.of === 'served' && sighting.answer.is === 'Body') {
      const mode = readPolicy(sighting.answer.body)?.mode ?? '';
      const before = note(modes, `${sighting.pod} ${sighting.domain}`, mode);
      const promoted = before === 'testing' && mode === 'enforce';
      if (promoted && blind(sighting.from))
        say('I18', sighting.from, `nobody can see outside, and ${sighting.domain} was promoted`);
    }
    if (sighting.of !== 'object' || sighting.thing.type !== 'kubernetes.io/tls' || sighting.change === 'Gone') return;
    const { thing, at } = sighting;
    const [leaf] = certificatesIn(textOf(thing, 'tls.crt'));
    const before = note(
      keys,
      `${thing.metadata.namespace}/${thing.metadata.name}`,
      leaf === undefined ? '' : spki(leaf),
    );
    // The first delivery waits for the TLSA that stands, which can't be seen.
    if (before !== undefined && blind(at))
      say('I18', at, `nobody can see outside, and ${thing.metadata.name} got a key`);
  };
};

export interface Deadline {
  readonly domain: string;
  /** From when its object stands until it is Ready. */
  readonly withinMs: number;
}

interface Condition {
  readonly type: string;
  readonly status: string;
}

export const deadlines =
  (wanted: readonly Deadline[]): MakeRule =>
  (_scene, say) => {
    const since = new Map<string, number>();
    const ready = new Set<string>();
    const isReady = ({ status }: Thing): boolean =>
      ((status?.['conditions'] ?? []) as readonly Condition[]).some(
        (one) => one.type === 'Ready' && one.status === 'True',
      );
    return (sighting) => {
      if (sighting.of === 'object' && sighting.thing.kind === 'MailDomain' && sighting.change !== 'Gone') {
        const domain = canonical(specOf(sighting.thing).domain);
        if (!since.has(domain)) since.set(domain, sighting.at);
        if (isReady(sighting.thing)) ready.add(domain);
      }
      if (sighting.of !== 'tick') return;
      for (const { domain, withinMs } of wanted) {
        const begin = since.get(domain);
        const late = begin !== undefined && !ready.has(domain) && sighting.at - begin > withinMs;
        if (late) say('I11', sighting.at, `${domain} is not Ready ${withinMs / 1000} s after it was applied`);
      }
    };
  };
