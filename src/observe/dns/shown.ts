import type { Answer, ServerAnswer } from '../../dns/answer.ts';
import { inWords } from '../../dns/rrset.ts';
import type { Unshown } from '../../plan/record-view.ts';

/** The detail of an address that this machine has no way to: it says nothing about the server. */
export function noRouteDetail(family: 4 | 6): string {
  return `no IPv${family} from here`;
}

function isNoRoute(answer: Answer): boolean {
  return answer.outcome === 'Unreachable' && (answer.detail === noRouteDetail(4) || answer.detail === noRouteDetail(6));
}

/** Without the addresses that can't be reached from this machine, where the same server answered at another one. */
export function reachable(answers: readonly ServerAnswer[]): readonly ServerAnswer[] {
  const heard = new Set(answers.flatMap((one) => (answered(one.answer) ? one.server : [])));
  return answers.filter((one) => !(isNoRoute(one.answer) && heard.has(one.server)));
}

/** The server said what stands there, be it that nothing does. */
export function answered(answer: Answer): boolean {
  return answer.outcome === 'Found' || answer.outcome === 'NoData' || answer.outcome === 'NxDomain';
}

/** `maxTtl` in seconds: the largest that any server gave, of the set or of its denial. */
export type Shown =
  | { readonly ok: true; readonly maxTtl: number }
  | { readonly ok: false; readonly kind: Unshown; readonly why: string };

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

function kindOf({ answer, lame }: ServerAnswer): Unshown {
  if (answered(answer)) return 'ServerLagging';
  if (lame === true) return 'ServerLame';
  return answer.outcome === 'ServFail' ? 'ServerFailing' : 'ServerSilent';
}

/** What time alone will not mend comes first: a lag is worth a word only where nothing else is wrong. */
const telling: readonly Unshown[] = ['ServerLame', 'ServerFailing', 'ServerSilent', 'ServerLagging'];

/**
 * Whether every authoritative server shows exactly the wanted values, or that there is nothing; else what is wrong, the
 * most telling if it is several things. An address that can't be reached from this machine is left out where the same
 * server answered at another one; any other silence counts as not shown, and so does an empty list of servers. That all
 * servers answer and none shows it is `NotApplied`: true of what the provider's API says to stand.
 */
export function shownEverywhere(answers: readonly ServerAnswer[], wanted: readonly string[] | 'absent'): Shown {
  const counted = reachable(answers);
  if (counted.length === 0) {
    return { ok: false, kind: 'ServerSilent', why: 'no authoritative server of the zone could be found' };
  }
  const differing = counted.flatMap((one) => {
    const how = difference(one.answer, wanted);
    return how === undefined ? [] : [{ kind: kindOf(one), how: `${placeText(one)} ${how}` }];
  });
  if (differing.length === 0) return { ok: true, maxTtl: Math.max(...counted.map((one) => one.answer.ttl)) };
  const worst = telling.find((kind) => differing.some((one) => one.kind === kind)) ?? 'ServerLagging';
  const none = worst === 'ServerLagging' && differing.length === counted.length;
  return { ok: false, kind: none ? 'NotApplied' : worst, why: differing.map(({ how }) => how).join('; ') };
}

/** A server and its address, as messages have them. */
export function placeText({ server, address }: Pick<ServerAnswer, 'server' | 'address'>): string {
  return address === '' ? server : `${server} (${address})`;
}
