/**
 * I4: a policy that binds ends by mode none, and nothing of it goes before the longest promise has passed, by the clock
 * that counts. I12: without Kubernetes the pods go on with what they have.
 */
import type { MakeRule, PolicyAnswer, Say, Sighting } from '../sightings.ts';
import { idIn, quoted, readPolicy } from './policy-text.ts';

export const promises: MakeRule = ({ domains }, say) => {
  const rules = domains.map((domain) => promiseOf(domain, say));
  return (sighting) => {
    for (const rule of rules) rule(sighting);
  };
};

function promiseOf(domain: string, say: Say): (sighting: Sighting) => void {
  let ahead = 0;
  /** By the clock that counts. */
  let until = 0;
  let lastMode: string | undefined;
  const announcing = new Set<string>();
  const addressed = new Set<string>();
  const serving = new Set<string>();
  const judged = [`_mta-sts.${domain} TXT`, `mta-sts.${domain} A`];

  const early = (at: number): boolean => at + ahead < until;
  const missing = (words: string, at: number): void => {
    const left = Math.round((until - at - ahead) / 1000);
    if (early(at)) say('I4', at, `${words}, and a sender may hold to the policy of ${domain} for ${left} s more`);
    else if (lastMode === 'enforce') say('I4', at, `${words}, and ${domain} was never at mode none`);
  };
  const noteSet = (seen: Set<string>, server: string, there: boolean, words: string, at: number): void => {
    if (there) seen.add(server);
    else if (seen.delete(server)) missing(words, at);
  };

  return (sighting) => {
    if (sighting.of === 'told') {
      if (sighting.told.is === 'clock') ahead = sighting.told.aheadMs;
      if (sighting.told.is !== 'changed-by-others') return;
      announcing.clear();
      addressed.clear();
    }
    if (sighting.of === 'set' && judged.includes(`${sighting.name} ${sighting.type}`)) {
      const { server, name, type, set, from } = sighting;
      const there = type === 'TXT' ? idIn(set) !== undefined : set !== undefined;
      noteSet(type === 'TXT' ? announcing : addressed, server, there, `${server} shows no ${type} at ${name}`, from);
    }
    if (sighting.of !== 'served' || sighting.domain !== domain || sighting.answer.is === 'Silent') return;
    const { pod, answer, from } = sighting;
    noteSet(serving, pod, answer.is === 'Body', `pod ${pod} serves no policy`, from);
    const policy = answer.is === 'Body' ? readPolicy(answer.body) : undefined;
    if (policy === undefined || announcing.size === 0) return;
    lastMode = policy.mode;
    if (policy.mode === 'enforce') until = Math.max(until, from + ahead + policy.maxAge * 1000);
  };
}

export const lastKnownGood: MakeRule = (_scene, say) => {
  const last = new Map<string, PolicyAnswer>();
  const silent = new Map<string, number>();
  let away = false;
  return (sighting) => {
    if (sighting.of === 'told') {
      const { told } = sighting;
      if ((told.is === 'away' || told.is === 'back') && told.what === 'kubernetes') away = told.is === 'away';
    }
    if (sighting.of !== 'served') return;
    const { pod, domain, answer, to } = sighting;
    const key = `${pod} ${domain}`;
    const before = last.get(key);
    silent.set(key, answer.is === 'Silent' ? (silent.get(key) ?? 0) + 1 : 0);
    if (away && before?.is === 'Body') {
      const gone = answer.is === 'Silent' && (silent.get(key) ?? 0) >= 3;
      const words = `pod ${pod}, with Kubernetes away, went from ${quoted(before.body)} of ${domain} to`;
      if (gone || answer.is === 'NoPolicy' || answer.is === 'UnknownHost') say('I12', to, `${words} nothing`);
      if (answer.is === 'Body' && answer.body !== before.body) say('I12', to, `${words} ${quoted(answer.body)}`);
    }
    if (answer.is !== 'Silent' && (!away || before === undefined)) last.set(key, answer);
  };
};
