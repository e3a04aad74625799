import type { Authorities, QueryType, ServerAnswer } from '../../dns/answer.ts';
import { parentsUpTo } from '../../dns/names.ts';
import { answered } from './shown.ts';

/** The types whose loss would lose mail to the name. */
const mailTypes = ['MX', 'A', 'AAAA'] as const satisfies readonly QueryType[];

/** Nobody has this name; that it has records all the same can only come from a wildcard. */
const nobody = '_mailseal-nobody';

/** What all servers that could be asked agree on; `Unknown` where none could, or some have data and others do not. */
function agreed(answers: readonly ServerAnswer[]): 'Present' | 'Absent' | 'Unknown' {
  const heard = answers.map(({ answer }) => {
    const alias = answer.canonicalName !== answer.name;
    return alias ? 'Found' : answer.outcome;
  });
  const present = heard.includes('Found');
  const absent = heard.includes('NoData') || heard.includes('NxDomain');
  if (present === absent) return 'Unknown';
  return present ? 'Present' : 'Absent';
}

function valuesOf(answers: readonly ServerAnswer[]): string {
  const texts = answers.flatMap(({ answer }) =>
    answer.canonicalName === answer.name ? answer.values : [`alias to ${answer.canonicalName}`],
  );
  return [...new Set(texts)].sort().join('\n');
}

/**
 * Whether the MX or address records of `host` come from a wildcard, so that a record below `host` would take them
 * away (RFC 4592 §2.2.2: it makes `host` an empty non-terminal). Signed zones tell by the labels that RRSIG counts;
 * in others a name below `host` that nobody has is asked for: where `host` itself exists it does not, unless
 * `*.host` does. `Unknown` when servers could not be asked or differ; the caller then writes nothing below `host`.
 */
export async function isSynthesised(
  authorities: Authorities,
  zone: string,
  host: string,
): Promise<boolean | 'Unknown'> {
  if (host === zone) return false;
  const [first] = mailTypes;
  const answers = (await authorities.lookupAll(zone, host, first)).map(({ answer }) => answer).filter(answered);
  // RFC 4592 §2.2.1: a name that has anything of its own takes nothing from a wildcard, of whatever type.
  const ownRecords = answers.every(({ outcome, wildcard }) => outcome === 'Found' && wildcard === false);
  // RFC 8020 §2: a name that does not exist has nothing of any type, and a wildcard would have made it exist.
  const nothing = answers.every(({ outcome, canonicalName, name }) => outcome === 'NxDomain' && canonicalName === name);
  if (answers.length > 0 && (ownRecords || nothing)) return false;
  const verdicts = await Promise.all(mailTypes.map((type) => isTypeSynthesised(authorities, zone, host, type)));
  if (verdicts.includes(true)) return true;
  return verdicts.includes('Unknown') ? 'Unknown' : false;
}

async function isTypeSynthesised(
  authorities: Authorities,
  zone: string,
  host: string,
  type: QueryType,
): Promise<boolean | 'Unknown'> {
  const own = await authorities.lookupAll(zone, host, type);
  const there = agreed(own);
  if (there !== 'Present') return there === 'Absent' ? false : there;
  const signed = own.map((one) => one.answer.wildcard).filter((wildcard) => wildcard !== undefined);
  if (signed.length > 0) return signed.includes(true);

  const below = agreed(await authorities.lookupAll(zone, `${nobody}.${host}`, type));
  if (below !== 'Present') return below === 'Absent' ? false : below;
  for (const parent of parentsUpTo(host, zone)) {
    const wildcard = await authorities.lookupAll(zone, `*.${parent}`, type);
    if (agreed(wildcard) === 'Unknown') return 'Unknown';
    if (valuesOf(wildcard) === valuesOf(own)) return true;
  }
  return false;
}
