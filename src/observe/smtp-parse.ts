/** Replies of an SMTP server out of a byte stream that nobody vouches for (RFC 5321 §4.2). Pure. */

export interface Reply {
  readonly code: number;
  /** The text of each line without its code, control characters shown as `?`. */
  readonly lines: readonly string[];
}

export type ReadResult =
  | { readonly state: 'More' }
  | { readonly state: 'Reply'; readonly reply: Reply; readonly rest: Uint8Array }
  | { readonly state: 'Malformed'; readonly detail: string };

export interface ReplyReader {
  /**
   * Takes the next bytes. After a `Reply` the reader is ready for the next one and `rest` has not been read;
   * after `Malformed` it gives nothing else.
   */
  readonly push: (bytes: Uint8Array) => ReadResult;
}

export interface ReplyLimits {
  readonly lineBytes: number;
  readonly lines: number;
}

/** RFC 5321 §4.5.3.1.5 asks for 512 octets a line; real servers are wordier. */
export const replyLimits: ReplyLimits = { lineBytes: 4096, lines: 128 };

const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/** A stranger's text, made fit for one line of a message. */
export function printable(text: string, longest = 300): string {
  const clean = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\ufffd]/gu, '?').trim();
  return clean.length > longest ? `${clean.slice(0, longest)}…` : clean;
}

interface Line {
  readonly code: number;
  readonly last: boolean;
  readonly text: string;
}

function parseLine(bytes: Uint8Array): Line | undefined {
  const end = bytes.at(-1) === carriageReturn ? bytes.length - 1 : bytes.length;
  const text = new TextDecoder().decode(bytes.subarray(0, end));
  // RFC 5321 §4.2.1: the last line is the code and a space, or the bare code; the others have a hyphen.
  const match = /^([2-5]\d\d)(?:([ -])([^]*))?$/u.exec(text);
  if (match === null) return undefined;
  return { code: Number(match[1]), last: match[2] !== '-', text: printable(match[3] ?? '', replyLimits.lineBytes) };
}

/** A reader of one connection's replies; keeps at most one line of `limits.lineBytes` and `limits.lines` texts. */
export function createReplyReader(limits: ReplyLimits = replyLimits): ReplyReader {
  const line = new Uint8Array(limits.lineBytes);
  let length = 0;
  let code: number | undefined;
  let lines: string[] = [];
  let broken: ReadResult | undefined;

  const malformed = (detail: string): ReadResult => {
    broken = { state: 'Malformed', detail };
    return broken;
  };

  const takeLine = (rest: Uint8Array): ReadResult | undefined => {
    const bytes = line.subarray(0, length);
    length = 0;
    const parsed = parseLine(bytes);
    if (parsed === undefined) {
      return malformed(
        `the server sent a line that is no SMTP reply: "${printable(new TextDecoder().decode(bytes).trimEnd(), 80)}"`,
      );
    }
    if (code !== undefined && parsed.code !== code) {
      return malformed(`the lines of one reply carry different codes, ${code} and ${parsed.code}`);
    }
    code = parsed.code;
    lines.push(parsed.text);
    if (!parsed.last) {
      return lines.length < limits.lines ? undefined : malformed(`a reply has more than ${limits.lines} lines`);
    }
    const reply: Reply = { code, lines };
    code = undefined;
    lines = [];
    return { state: 'Reply', reply, rest };
  };

  const push = (bytes: Uint8Array): ReadResult => {
    if (broken !== undefined) return broken;
    for (let at = 0; at < bytes.length; at++) {
      const octet = bytes[at] ?? 0;
      if (octet !== lineFeed) {
        if (length >= limits.lineBytes) return malformed(`a line is longer than ${limits.lineBytes} bytes`);
        line[length++] = octet;
        continue;
      }
      const result = takeLine(bytes.subarray(at + 1));
      if (result !== undefined) return result;
    }
    return { state: 'More' };
  };
  return { push };
}

/** A reply on one line, as a log would show it. */
export function showReply(reply: Reply): string {
  return printable(`${reply.code} ${reply.lines.join(' / ')}`.trim());
}

/** The keywords of an EHLO reply in upper case; its first line only greets (RFC 5321 §4.1.1.1). */
export function keywords(reply: Reply): ReadonlySet<string> {
  return new Set(reply.lines.slice(1).map((text) => (text.split(' ')[0] ?? '').toUpperCase()));
}

/** What in the greeting and the EHLO reply shows that a box on the way has rewritten them; undefined if nothing. */
export function rewritingHint(greeting: Reply, ehlo: Reply): string | undefined {
  if (greeting.lines.some((text) => /\*{4,}/.test(text))) return 'the greeting has been overwritten with asterisks';
  const masked = ehlo.lines.slice(1).find((text) => /^X{4,}$/i.test(text.split(' ')[0] ?? ''));
  return masked === undefined
    ? undefined
    : `a keyword of the EHLO reply has been overwritten with ${printable(masked, 40)}`;
}
