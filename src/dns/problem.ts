/** Every code that a parser of this program gives; they are stable, scripts may rely on them. */
type ProblemCode =
  // Any text.
  | 'TooLarge'
  | 'MalformedLine'
  | 'MalformedText'
  | 'BlankLine'
  | 'DuplicateField'
  | 'MalformedField'
  | 'NoRecord'
  | 'SeveralRecords'
  // MTA-STS policy.
  | 'MissingVersion'
  | 'UnknownVersion'
  | 'MissingMode'
  | 'UnknownMode'
  | 'MissingMaxAge'
  | 'MalformedMaxAge'
  | 'MaxAgeTooLarge'
  | 'MaxAgeShort'
  | 'MissingMx'
  | 'MalformedMx'
  | 'UnicodeMx'
  | 'DuplicateMx'
  // MTA-STS record.
  | 'MissingId'
  | 'MalformedId'
  // TLSRPT record.
  | 'MissingRua'
  | 'MalformedUri'
  | 'UnsupportedScheme'
  | 'UnencodedCharacter'
  // TLSA record.
  | 'MalformedTlsa'
  | 'UnusableUsage'
  | 'UnknownUsage'
  | 'UnknownSelector'
  | 'UnknownMatching'
  | 'DigestLength'
  | 'MalformedData'
  | 'FullData'
  | 'CertificateSelector'
  // Manifest.
  | 'MalformedYaml'
  | 'NoObject'
  | 'NotAnObject'
  | 'MissingName'
  | 'DuplicateObject'
  | 'UnknownKind'
  | 'InvalidField'
  | 'UnknownField'
  | 'UnresolvedReference';

/** One thing that is wrong (`error`) or unwise (`warning`) in a text, in words for a mail administrator. */
export interface Problem {
  readonly code: ProblemCode;
  readonly level: 'error' | 'warning';
  readonly message: string;
  /** The rule's place: `RFC 8461 §3.2`; of a manifest the page that tells of it, `docs/maildomain.md`. */
  readonly rfc: string;
}

/** `ok` where no problem is an error; then, and only then, `value` is what was read. Warnings may stand beside it. */
export type Parsed<T> =
  | { readonly ok: true; readonly value: T; readonly problems: readonly Problem[] }
  | { readonly ok: false; readonly value: undefined; readonly problems: readonly Problem[] };

/** The list that a parser fills. It stops growing after a hundred, so that a hostile text costs little. */
export interface ProblemList {
  readonly all: Problem[];
  readonly error: (code: ProblemCode, message: string, rfc: string) => void;
  readonly warning: (code: ProblemCode, message: string, rfc: string) => void;
}

const mostProblems = 100;

/** A new, empty list of problems. */
export function problemList(): ProblemList {
  const all: Problem[] = [];
  const add = (level: Problem['level'], code: ProblemCode, message: string, rfc: string): void => {
    // An error must never be lost behind a hundred warnings: it takes the last one's place.
    if (all.length < mostProblems) all.push({ code, level, message, rfc });
    else if (level === 'error') all[mostProblems - 1] = { code, level, message, rfc };
  };
  return {
    all,
    error: (code, message, rfc) => add('error', code, message, rfc),
    warning: (code, message, rfc) => add('warning', code, message, rfc),
  };
}

/** What a parser returns: `value` if there is one and no problem is an error. */
export function parsed<T>(value: T | undefined, list: ProblemList): Parsed<T> {
  const wrong = value === undefined || list.all.some((problem) => problem.level === 'error');
  return wrong ? { ok: false, value: undefined, problems: list.all } : { ok: true, value, problems: list.all };
}

/** A stranger's text for a message: quoted, cut at 80 characters, what is invisible escaped or shown as U+FFFD. */
export function quoted(text: string): string {
  const shown = text.length > 80 ? `${text.slice(0, 80)}…` : text;
  return JSON.stringify(shown).replace(
    /[\u007f-\u009f\u2028\u2029]|\p{Bidi_Control}|\p{Default_Ignorable_Code_Point}/gu,
    '\ufffd',
  );
}
