import { quoted } from './problem.ts';

export type NameResult =
  | { readonly ok: true; readonly name: string }
  | { readonly ok: false; readonly problem: string };

export interface NameRule {
  /** Default 2: a mail domain or host is never a bare top-level domain. A zone may be one label. */
  readonly minLabels?: 1 | 2;
  /** Default false. The names of records (`_25._tcp.…`) and targets of CNAMEs may hold underscores, hosts may not. */
  readonly underscore?: boolean;
}

/** Longer than any name is as U-labels; keeps the work on a hostile text small. */
const longestText = 1024;

/** What UTS #46 drops silently; the two joiners have a meaning in some scripts and are judged there. */
const invisible = /(?![\u200c\u200d])\p{Default_Ignorable_Code_Point}/u;

/**
 * Reads a domain or host name as people write it (U-labels, upper case, a final dot) and returns the one form that
 * Mailseal stores and compares: A-labels in lower case without a final dot. The problem is the end of a sentence that
 * begins with the name of the field: `"a..b" has an empty label`. Never throws.
 * Source: RFC 1035 §2.3, RFC 1123 §2.1, RFC 5890 §2.3.2, UTS #46 as the WHATWG URL standard applies it.
 */
export function toALabel(text: string, rule: NameRule = {}): NameResult {
  const bad = (problem: string): NameResult => ({ ok: false, problem: `${quoted(text)} ${problem}` });
  if (text === '' || text === '.') return bad('is empty');
  if (text.length > longestText) return bad('is longer than 253 octets');
  const forbidden = /[\0-,/:-@[-^`{-\x7f]/.exec(text);
  if (text.startsWith('[') || /^[0-9a-f]*:[0-9a-f:.]*$/i.test(text)) return bad('is an IP address, not a name');
  if (forbidden) return bad(`holds ${quoted(forbidden[0])}, which no name may`);
  if (rule.underscore !== true && text.includes('_')) return bad('holds an underscore, which no host name may');
  if (invisible.test(text)) return bad('holds an invisible character');
  const mapped = mapLabels(text);
  if (mapped === undefined) return bad(whyNotMapped(text));
  const name = mapped.endsWith('.') ? mapped.slice(0, -1) : mapped;
  const problem = problemOf(name, rule);
  return problem === undefined ? { ok: true, name } : bad(problem);
}

/** UTS #46 mapping of all labels; undefined where a label is malformed or the last one is a number. */
function mapLabels(text: string): string | undefined {
  // Underscores are judged above; the URL parser lets them through as they are.
  // The label in front makes the URL parser check A-labels too, which it skips for names all in ASCII.
  const front = '\u00e9.';
  const url = URL.parse(`http://${front}${text}/`);
  const host = url?.hostname;
  const cut = host?.indexOf('.') ?? -1;
  return host === undefined || cut < 0 ? undefined : host.slice(cut + 1);
}

function whyNotMapped(text: string): string {
  const labels = text.split('.').filter((label) => label !== '');
  const last = labels.at(-1) ?? '';
  if (/^[0-9]+$|^0x[0-9a-f]*$/i.test(last)) return 'ends in a number: an IP address is not a name';
  return 'is malformed as an internationalised name';
}

function problemOf(name: string, rule: NameRule): string | undefined {
  const labels = name.split('.');
  if (labels.includes('')) return 'has an empty label';
  if (labels.some((label) => label.length > 63)) return 'has a label longer than 63 octets';
  if (name.length > 253) return 'is longer than 253 octets';
  if (labels.some((label) => label.startsWith('-') || label.endsWith('-'))) {
    return 'has a label that begins or ends with a hyphen';
  }
  if (!/^[a-z0-9._-]*$/.test(name)) return 'holds a character that no name may';
  if (labels.length < (rule.minLabels ?? 2)) return 'is a single label; a full name is needed';
  return undefined;
}

/** Whether `name` is `zone` or below it. Both canonical; the root zone is the empty string. */
export function isWithin(name: string, zone: string): boolean {
  return zone === '' || name === zone || name.endsWith(`.${zone}`);
}

/** The deepest of the zones that holds `name`; undefined where none does. All canonical. */
export function longestMatch(name: string, zones: readonly string[]): string | undefined {
  let best: string | undefined;
  for (const zone of zones) {
    if (isWithin(name, zone) && (best === undefined || zone.length > best.length)) best = zone;
  }
  return best;
}

/** The names above `name`, nearest first, up to and with `zone`; empty where `name` is not below `zone`. */
export function parentsUpTo(name: string, zone: string): readonly string[] {
  const parents: string[] = [];
  let rest = name;
  while (rest !== zone && isWithin(rest, zone) && rest !== '') {
    const dot = rest.indexOf('.');
    rest = dot < 0 ? '' : rest.slice(dot + 1);
    parents.push(rest);
  }
  return parents;
}
