import { quoted } from './problem.ts';
import type { ProblemList } from './problem.ts';

/**
 * The fields `name=value` of a record such as `v=STSv1; id=1;`, without the version that begins it. Of a field given
 * twice the first is returned, and the problem noted. Values may hold anything printable but `;`; what the grammar
 * forbids in a field of unknown name is noted too, for a sender may refuse the record. Names are case-sensitive.
 * Source: the common grammar of RFC 8461 §3.1 and RFC 8460 §3.
 */
export function readTags(record: string, rfc: string, list: ProblemList): ReadonlyMap<string, string> {
  const tags = new Map<string, string>();
  const fields = record.split(';').slice(1).map(trimBlanks);
  // A final delimiter is allowed.
  if (fields.at(-1) === '') fields.pop();
  for (const field of fields) {
    const equals = field.indexOf('=');
    const name = field.slice(0, Math.max(equals, 0));
    const value = field.slice(equals + 1);
    if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$/.test(name) || !/^[\x20-\x7e\t]+$/.test(value)) {
      list.error('MalformedField', `The field ${quoted(field)} is not "name=value".`, rfc);
    } else if (tags.has(name)) list.error('DuplicateField', `The field "${name}" is given twice.`, rfc);
    else tags.set(name, value);
  }
  return tags;
}

/** The text without blanks and tabs (WSP of RFC 5234) at either end; linear, unlike a pattern. */
export function trimBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && (text[start] === ' ' || text[start] === '\t')) start += 1;
  while (end > start && (text[end - 1] === ' ' || text[end - 1] === '\t')) end -= 1;
  return text.slice(start, end);
}
