import type { Acme } from '../apply/acme.ts';
import type { Answer, Resolver } from '../dns/answer.ts';
import { parentsUpTo } from '../dns/names.ts';
import { MailsealError } from '../errors.ts';
import type { CaaLook, ObservedCaa } from '../plan/caa.ts';

type Lookup = (name: string) => Promise<Answer>;

/** RFC 8659 §3: from the name upwards, without the root; the first set that there is counts, and CNAMEs are followed. */
async function climb(lookup: Lookup, name: string): Promise<CaaLook> {
  const base = name.replace(/^\*\./u, '');
  for (const at of [base, ...parentsUpTo(base, '')].filter((one) => one !== '')) {
    const { outcome, canonicalName, values, detail } = await lookup(at);
    if (outcome === 'Found') return { name, set: { at: canonicalName, values } };
    if (outcome !== 'NoData' && outcome !== 'NxDomain')
      return { name, set: undefined, failed: { at, outcome, detail } };
  }
  return { name, set: undefined };
}

/** Who the CA is; where it can't be asked the order will meet the same, and only what forbids every CA counts here. */
async function caOf(acme: Pick<Acme, 'inCaa'>): Promise<ObservedCaa['ca']> {
  try {
    return await acme.inCaa();
  } catch (error) {
    if (!(error instanceof MailsealError)) throw error;
    return { identities: [], accountUrl: undefined };
  }
}

/**
 * The CAA sets that a CA would go by, as the outside view has them: one question a label of each name, up to the first
 * set, and none twice. The CA itself is asked only where there is a set.
 */
export async function observeCaa(
  outside: Pick<Resolver, 'lookup'>,
  acme: Pick<Acme, 'inCaa'>,
  names: readonly string[],
): Promise<ObservedCaa> {
  const asked = new Map<string, Promise<Answer>>();
  const lookup: Lookup = (name) => {
    const answer = asked.get(name) ?? outside.lookup(name, 'CAA');
    asked.set(name, answer);
    return answer;
  };
  const looks = await Promise.all(names.map((name) => climb(lookup, name)));
  const found = looks.some(({ set }) => set !== undefined);
  return { looks, ca: found ? await caOf(acme) : { identities: [], accountUrl: undefined } };
}
