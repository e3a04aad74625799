import type { Answer } from '../dns/answer.ts';
import type { Security } from '../plan/exchanger.ts';
import { observeZone, type ZoneObserver } from './dns/zonehealth.ts';

/** Whether DNSSEC protects a name, from the validated answers for it. */
function judgeSecurity(answers: readonly Answer[], view: string): Security {
  const bogus = answers.find(({ outcome }) => outcome === 'Bogus');
  if (bogus !== undefined)
    return { verdict: 'Bogus', detail: bogus.detail ?? `the ${view} resolver can't validate it` };
  const silent = answers.find(({ outcome }) => outcome === 'ServFail' || outcome === 'Unreachable');
  if (silent !== undefined)
    return { verdict: 'Unknown', detail: silent.detail ?? `the ${view} resolver answers ${silent.outcome}` };
  if (answers.every(({ authentic }) => authentic)) return { verdict: 'Secure', detail: 'validated' };
  const untested = answers.find(({ detail }) => detail !== undefined);
  if (untested?.detail !== undefined) return { verdict: 'Unknown', detail: untested.detail };
  return { verdict: 'Insecure', detail: 'its zone is not signed, or its parent has no DS record for it' };
}

/** A zone that validates may be in motion, or broken at one of its servers, all the same. */
export async function lookAtSecurity(
  world: ZoneObserver,
  zones: readonly string[],
  answers: readonly Answer[],
): Promise<Security> {
  const security = judgeSecurity(answers, 'outside');
  if (security.verdict !== 'Secure') return security;
  const health = await Promise.all(zones.map((zone) => observeZone(world, zone)));
  for (const one of health) if (one.verdict !== 'Well') return one;
  return security;
}
