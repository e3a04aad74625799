import type { Answer, ServerAnswer } from '../../dns/answer.ts';
import { inWords } from '../../dns/rrset.ts';

/** The detail of an address that this machine has no way to: it says nothing about the server. */
export function noRouteDetail(family: 4 | 6): string {
  return `no IPv${family} from here`;
}

function isNoRoute(answer: Answer): boolean {
  return answer.outcome === 'Unreachable' && (answer.detail === noRouteDetail(4) || answer.detail === noRouteDetail(6));
}

function answered(answer: Answer): boolean {
  return answer.outcome === 'Found' || answer.outcome === 'NoData' || answer.outcome === 'NxDomain';
}

/** `maxTtl` in seconds: the largest that any server gave, of the set or of its denial. */
export type Shown = { readonly ok: true; readonly maxTtl: number } | { readonly ok: false; readonly why: string };

function sameValues(a: readonly string[], b: readonly string[]): boolean {
  const left = new Set(a);
  const right = new Set(b);
  return left.size === right.size && [...left].every((value) => right.has(value));
}

/** How an answer differs from what is wanted, as the end of a sentence that begins with the server. */
function difference(answer: Answer, wanted: readonly string[] | 'absent'): string | undefined {
  if (!answered(answer)) return `gave no answer: ${answer.detail ?? answer.outcome}`;
  if (wanted === 'absent') {
    if (answer.canonicalName !== answer.name) return `still has an alias there, to ${answer.canonicalName}`;
    return answer.outcome === 'Found' ? `still shows ${inWords(answer.values)}` : undefined;
  }
  if (answer.outcome !== 'Found') return 'does not show it yet';
  return sameValues(answer.values, wanted) ? undefined : `shows ${inWords(answer.values)}`;
}

/**
 * Whether every authoritative server shows exactly the wanted values, or that there is nothing. An address that can't
 * be reached from this machine is left out where the same server answered at another one; any other silence counts as
 * not shown, and so does an empty list of servers.
 */
export function shownEverywhere(answers: readonly ServerAnswer[], wanted: readonly string[] | 'absent'): Shown {
  const heard = new Set(answers.flatMap((one) => (answered(one.answer) ? one.server : [])));
  const counted = answers.filter((one) => !(isNoRoute(one.answer) && heard.has(one.server)));
  if (counted.length === 0) return { ok: false, why: 'no authoritative server of the zone could be found' };
  const differing = counted.flatMap(({ server, address, answer }) => {
    const how = difference(answer, wanted);
    return how === undefined ? [] : [`${server}${address === '' ? '' : ` (${address})`} ${how}`];
  });
  if (differing.length > 0) return { ok: false, why: differing.join('; ') };
  return { ok: true, maxTtl: Math.max(...counted.map((one) => one.answer.ttl)) };
}
