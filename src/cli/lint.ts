import { plainText } from '../api/text.ts';
import { parseTlsa } from '../dane/tlsa.ts';
import type { Parsed, Problem } from '../dns/problem.ts';
import { parseTxt } from '../dns/txt.ts';
import { messageOf } from '../errors.ts';
import { parsePolicy } from '../mtasts/policy.ts';
import { parseStsRecords } from '../mtasts/record.ts';
import { parseTlsRptRecords } from '../tlsrpt/record.ts';
import { lintManifest } from './lint-manifest.ts';

export const lintKinds = ['mta-sts-policy', 'mta-sts-record', 'tlsrpt-record', 'tlsa', 'manifest'] as const;
export type LintKind = (typeof lintKinds)[number];

export interface LintResult {
  /** No problem is an error; warnings may be there. */
  readonly ok: boolean;
  /** What was read, where it could be: a policy, a record, a list of TLSA records, or the names of objects. */
  readonly value: unknown;
  readonly problems: readonly Problem[];
  /** What was passed over; of manifests alone. */
  readonly notes?: readonly string[];
}

/** Lines beyond this are not read; no record set of the DNS comes near it. */
const mostLines = 1000;
const longestLine = 65_536;

/**
 * Reads a text of this kind as its readers do. A policy is the whole text; of records, each line is one: for TXT the
 * logical string or its quoted zone-file form, for `tlsa` the record's data. A manifest is YAML of any number of
 * objects. Never throws.
 */
export function lint(kind: LintKind, text: string): LintResult {
  switch (kind) {
    case 'mta-sts-policy':
      return parsePolicy(text);
    case 'mta-sts-record':
      return lintTxt(text, parseStsRecords);
    case 'tlsrpt-record':
      return lintTxt(text, parseTlsRptRecords);
    case 'tlsa':
      return lintTlsa(text);
    case 'manifest':
      return lintManifest(text);
  }
}

interface Line {
  readonly number: number;
  readonly text: string;
}

function linesOf(text: string): readonly Line[] | Problem {
  const all = text.split('\n', mostLines + 1).map((line, index) => ({ number: index + 1, text: line.trim() }));
  const tooLarge = all.length > mostLines || all.some((line) => line.text.length > longestLine);
  if (!tooLarge) return all.filter((line) => line.text !== '');
  const message = `The text is larger than ${mostLines} lines of 64 KB.`;
  return { code: 'TooLarge', level: 'error', message, rfc: 'RFC 1035 §3.1' };
}

function isProblem(lines: readonly Line[] | Problem): lines is Problem {
  return 'code' in lines;
}

function lintTxt(text: string, parse: (texts: readonly string[]) => Parsed<unknown>): LintResult {
  const lines = linesOf(text);
  if (isProblem(lines)) return { ok: false, value: undefined, problems: [lines] };
  const texts: string[] = [];
  const problems: Problem[] = [];
  for (const line of lines) {
    const logical = line.text.startsWith('"') ? parseTxt(line.text) : ({ ok: true, value: line.text } as const);
    if (logical.ok) texts.push(logical.value);
    else {
      const message = `Line ${line.number}: ${logical.problem}.`;
      problems.push({ code: 'MalformedText', level: 'error', message, rfc: 'RFC 1035 §5.1' });
    }
  }
  const result = parse(texts);
  return { ok: result.ok && problems.length === 0, value: result.value, problems: [...problems, ...result.problems] };
}

function lintTlsa(text: string): LintResult {
  const lines = linesOf(text);
  if (isProblem(lines)) return { ok: false, value: undefined, problems: [lines] };
  if (lines.length === 0) {
    const message = 'There is no record; give one a line, such as "3 1 1" and 64 hex digits.';
    const problem: Problem = { code: 'NoRecord', level: 'error', message, rfc: 'RFC 6698 §2.2' };
    return { ok: false, value: undefined, problems: [problem] };
  }
  const results = lines.map((line) => ({ line, result: parseTlsa(line.text) }));
  const problems = results.flatMap(({ line, result }) =>
    result.problems.map((problem) => ({ ...problem, message: `Line ${line.number}: ${problem.message}` })),
  );
  const ok = results.every(({ result }) => result.ok);
  return { ok, value: ok ? results.map(({ result }) => result.value) : undefined, problems };
}

/** Where `runLint` reads and writes. A read that fails rejects; its message is shown. */
export interface LintStreams {
  readonly readFile: (path: string) => Promise<string>;
  readonly readStdin: () => Promise<string>;
  readonly write: (text: string) => void;
}

const usage = `usage: mailseal lint [--text] KIND [FILE]
  KIND   ${lintKinds.join(', ')}
  FILE   a path; - or nothing reads standard input
  --text write words instead of the JSON {"ok", "value", "problems"}
Of records, one stands on each line. The exit code is 0 if there is no error, else 1.
`;

/** `mailseal lint`: `args` are those after the word. Returns the exit code: 0, or 1 for errors, bad usage, no file. */
export async function runLint(args: readonly string[], streams: LintStreams): Promise<number> {
  if (args.includes('--help')) {
    streams.write(usage);
    return 0;
  }
  const words = args.filter((word) => word !== '--text');
  const [kind, file = '-', ...more] = words;
  const known = lintKinds.find((one) => one === kind);
  if (known === undefined || more.length > 0 || words.some((word) => word.startsWith('--'))) {
    streams.write(
      kind === undefined || known !== undefined
        ? usage
        : `mailseal lint does not know ${JSON.stringify(kind)}\n${usage}`,
    );
    return 1;
  }
  let text: string;
  try {
    text = await (file === '-' ? streams.readStdin() : streams.readFile(file));
  } catch (error) {
    const isFolder = error instanceof Error && 'code' in error && error.code === 'EISDIR';
    const why = isFolder ? 'it is a folder: lint takes one file, and mailseal plan folders too' : messageOf(error);
    streams.write(`cannot read ${file}: ${why}\n`);
    return 1;
  }
  const result = lint(known, text);
  streams.write(args.includes('--text') ? inWords(result) : `${JSON.stringify(result)}\n`);
  return result.ok ? 0 : 1;
}

function inWords(result: LintResult): string {
  const lines = result.problems.map((one) => `${one.level} ${one.code}: ${one.message} (${one.rfc})`);
  const errors = result.problems.filter((one) => one.level === 'error').length;
  const warnings = result.problems.length - errors;
  const counts = [errors > 0 ? `${errors} error(s)` : '', warnings > 0 ? `${warnings} warning(s)` : ''];
  const summary = counts.filter((count) => count !== '').join(', ');
  const notes = (result.notes ?? []).map((note) => `note: ${note}`);
  const verdict = summary === '' ? 'ok' : `${result.ok ? 'ok' : 'not ok'}: ${summary}`;
  return `${[...lines, ...notes, verdict].map((line) => plainText(line, longestLine)).join('\n')}\n`;
}
