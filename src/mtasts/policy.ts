import { toALabel } from '../dns/names.ts';
import { parsed, problemList, quoted } from '../dns/problem.ts';
import type { Parsed, ProblemList } from '../dns/problem.ts';
import { trimBlanks } from '../dns/tags.ts';

/** RFC 8461 §3.2, `mode`. */
export type Mode = 'enforce' | 'testing' | 'none';

/** An MTA-STS policy. */
export interface Policy {
  readonly mode: Mode;
  /** Seconds. */
  readonly maxAgeSeconds: number;
  /** Hosts and `*.` patterns in lower-case A-labels, in the order written. */
  readonly mxs: readonly string[];
}

/** Seconds: the longest `max_age` there is. RFC 8461 §3.2. */
export const longestMaxAge = 31_557_600;

const largestBody = 65_536;
const here = 'RFC 8461 §3.2';
const day = 86_400;

type Key = 'version' | 'mode' | 'max_age';
type Fields = { readonly [K in Key]?: string } & { readonly mxs: readonly string[] };

/**
 * Reads the body of `mta-sts.txt` as a sender does, and collects everything that is wrong. Keys it does not know are
 * passed over; a short `max_age`, blank lines and repeated keys are warnings. Never throws.
 * Source: RFC 8461 §3.2, §3.3.
 */
export function parsePolicy(body: string): Parsed<Policy> {
  const list = problemList();
  if (body.length > largestBody || new TextEncoder().encode(body).length > largestBody) {
    list.error('TooLarge', 'The policy is larger than 64 KB; senders may stop reading there.', 'RFC 8461 §3.3');
    return parsed<Policy>(undefined, list);
  }
  const fields = readFields(body, list);
  checkVersion(fields.version, list);
  const mode = readMode(fields.mode, list);
  const maxAgeSeconds = readMaxAge(fields.max_age, mode, list);
  const mxs = readMxs(fields.mxs, list);
  if (fields.mxs.length === 0 && mode !== undefined && mode !== 'none') {
    list.error('MissingMx', `A policy with "mode: ${mode}" needs a line "mx:" for every MX host.`, here);
  }
  if (mode === undefined || maxAgeSeconds === undefined) return parsed<Policy>(undefined, list);
  return parsed({ mode, maxAgeSeconds, mxs }, list);
}

function readFields(body: string, list: ProblemList): Fields {
  const fields: { version?: string; mode?: string; max_age?: string; mxs: string[] } = { mxs: [] };
  // RFC 8461 §3.2: lines end in LF or CRLF; the last one may go without.
  const lines = body.split('\n').map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line));
  if (lines.at(-1) === '') lines.pop();
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '') {
      list.warning('BlankLine', `Line ${index + 1} is blank; some senders refuse the policy for it.`, here);
      continue;
    }
    const field = readLine(line);
    if (field === undefined) {
      list.error('MalformedLine', `Line ${index + 1} is not "key: value": ${quoted(line)}.`, here);
      continue;
    }
    if (field.key === 'mx') fields.mxs.push(field.value);
    else if (field.key === 'version' || field.key === 'mode' || field.key === 'max_age') {
      // RFC 8461 §3.2: of a key given twice, other than mx, the first counts.
      if (fields[field.key] === undefined) fields[field.key] = field.value;
      else list.warning('DuplicateField', `Line ${index + 1} gives "${field.key}" again; only the first counts.`, here);
    }
  }
  return fields;
}

function readLine(line: string): { readonly key: string; readonly value: string } | undefined {
  const colon = line.indexOf(':');
  const key = line.slice(0, Math.max(colon, 0));
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$/.test(key)) return undefined;
  // RFC 8461 §3.2: blanks and tabs may stand after the colon and at the end of a line, no other white space.
  const value = trimBlanks(line.slice(colon + 1));
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  return value === '' || /[\0-\x1f\x7f]/.test(value) ? undefined : { key, value };
}

function checkVersion(version: string | undefined, list: ProblemList): void {
  if (version === undefined) list.error('MissingVersion', 'The line "version: STSv1" is missing.', here);
  else if (version !== 'STSv1') list.error('UnknownVersion', `The version is ${quoted(version)}, not STSv1.`, here);
}

function readMode(mode: string | undefined, list: ProblemList): Mode | undefined {
  if (mode === 'enforce' || mode === 'testing' || mode === 'none') return mode;
  if (mode === undefined) list.error('MissingMode', 'The line "mode:" is missing.', here);
  else list.error('UnknownMode', `The mode is ${quoted(mode)}; it must be enforce, testing or none.`, here);
  return undefined;
}

function readMaxAge(text: string | undefined, mode: Mode | undefined, list: ProblemList): number | undefined {
  if (text === undefined) {
    list.error('MissingMaxAge', 'The line "max_age:" is missing.', here);
    return undefined;
  }
  // RFC 8461 §3.2: one to ten digits, at most 31557600.
  if (!/^[0-9]{1,10}$/.test(text)) {
    list.error('MalformedMaxAge', `The max_age ${quoted(text)} is not a number of seconds.`, here);
    return undefined;
  }
  const seconds = Number(text);
  if (seconds > longestMaxAge) {
    list.error('MaxAgeTooLarge', `The max_age ${seconds} is more than ${longestMaxAge} seconds, one year.`, here);
    return undefined;
  }
  if (mode === 'enforce' && seconds < 14 * day) {
    const advice = 'an attacker need only block the policy that long; weeks are usual under enforce';
    list.warning('MaxAgeShort', `The max_age is ${seconds} seconds: ${advice}.`, here);
  } else if (mode === 'testing' && seconds < day) {
    list.warning('MaxAgeShort', `The max_age is ${seconds} seconds, less than a day; senders may never report.`, here);
  }
  return seconds;
}

function readMxs(texts: readonly string[], list: ProblemList): readonly string[] {
  const mxs = new Set<string>();
  for (const text of texts) {
    const mx = text.toLowerCase();
    const host = mx.startsWith('*.') ? mx.slice(2) : mx;
    // oxlint-disable-next-line no-control-regex -- anything outside ASCII
    const ascii = /^[\0-\x7f]*$/.test(text);
    const name = toALabel(host, { minLabels: mx === host ? 2 : 1 });
    if (!ascii) {
      const instead = name.ok ? `; write ${mx.slice(0, mx.length - host.length)}${name.name}` : '';
      list.error('UnicodeMx', `The mx ${quoted(text)} is not in A-labels${instead}.`, here);
    } else if (!name.ok) list.error('MalformedMx', `The mx ${name.problem}.`, here);
    else if (name.name !== host) list.error('MalformedMx', `The mx ${quoted(text)} must not end in a dot.`, here);
    else if (mxs.has(mx)) list.warning('DuplicateMx', `The mx ${quoted(mx)} is given twice.`, here);
    else mxs.add(mx);
  }
  return [...mxs];
}

/**
 * The body to serve, CRLF lines, in the order that RFC 8461 §3.2 shows. `parsePolicy` reads it back as it was.
 * The policy's names must be valid already; nothing is escaped, for nothing can be.
 */
export function formatPolicy(policy: Policy): string {
  const mxs = policy.mxs.map((mx) => `mx: ${mx}`);
  const lines = ['version: STSv1', `mode: ${policy.mode}`, ...mxs, `max_age: ${policy.maxAgeSeconds}`];
  return lines.map((line) => `${line}\r\n`).join('');
}

/** Whether an mx pattern names this MX host; upper case and a final dot of the host mean nothing. RFC 8461 §4.1. */
export function matches(pattern: string, host: string): boolean {
  const want = pattern.toLowerCase();
  const have = host.toLowerCase().replace(/\.$/, '');
  if (!want.startsWith('*.')) return want === have;
  // RFC 8461 §4.1: the star stands for exactly one whole left-most label.
  const dot = have.indexOf('.');
  return dot > 0 && have.slice(dot + 1) === want.slice(2);
}
