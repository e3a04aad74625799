export type TxtResult =
  | { readonly ok: true; readonly value: string }
  | { readonly ok: false; readonly problem: string };

const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * The character-strings of a TXT record that holds this logical string: UTF-8, cut every 255 bytes wherever that
 * falls, at least one.
 */
export function chunkTxt(value: string): readonly Uint8Array[] {
  const bytes = utf8.encode(value);
  const chunks: Uint8Array[] = [];
  // RFC 1035 §3.3: a character-string is one length octet and up to 255 more.
  for (let at = 0; at < bytes.length; at += 255) chunks.push(bytes.subarray(at, at + 255));
  return chunks.length > 0 ? chunks : [new Uint8Array()];
}

/**
 * The logical string of a TXT record: its character-strings put together without anything between (RFC 7208 §3.3,
 * which RFC 8461 §3.1 follows). Bytes that are not UTF-8 become U+FFFD.
 */
export function joinTxt(chunks: readonly Uint8Array[]): string {
  const whole = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return fromUtf8.decode(whole);
}

/** The record data as a zone file has it: quoted chunks with blanks between, all but printable ASCII as `\ddd`. */
export function quoteTxt(value: string): string {
  return chunkTxt(value)
    .map((chunk) => `"${Array.from(chunk, quoteByte).join('')}"`)
    .join(' ');
}

// RFC 1035 §5.1: \X for a character of its own, \DDD for an octet in decimal.
function quoteByte(byte: number): string {
  if (byte === 0x22 || byte === 0x5c) return `\\${String.fromCharCode(byte)}`;
  if (byte >= 0x20 && byte < 0x7f) return String.fromCharCode(byte);
  return `\\${String(byte).padStart(3, '0')}`;
}

/**
 * Reads record data as a zone file has it: one or more quoted or bare character-strings on one line. The inverse of
 * `quoteTxt`. Never throws; each chunk may be at most 255 bytes.
 */
export function parseTxt(text: string): TxtResult {
  const chunks: Uint8Array[] = [];
  let at = skipBlanks(text, 0);
  while (at < text.length) {
    const chunk = readString(text, at);
    if (!chunk.ok) return { ok: false, problem: chunk.problem };
    if (chunk.bytes.length > 255) return { ok: false, problem: 'a character-string is longer than 255 bytes' };
    chunks.push(chunk.bytes);
    at = skipBlanks(text, chunk.end);
  }
  if (chunks.length === 0) return { ok: false, problem: 'there is no character-string' };
  return { ok: true, value: joinTxt(chunks) };
}

function isBlank(char: string | undefined): boolean {
  return char === ' ' || char === '\t';
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  while (isBlank(text[at])) at += 1;
  return at;
}

type ReadString =
  | { readonly ok: true; readonly bytes: Uint8Array; readonly end: number }
  | { readonly ok: false; readonly problem: string };

function readString(text: string, from: number): ReadString {
  const inQuotes = text[from] === '"';
  const bytes: number[] = [];
  let at = inQuotes ? from + 1 : from;
  while (at < text.length) {
    const char = String.fromCodePoint(text.codePointAt(at) ?? 0);
    if (char === '"') {
      if (!inQuotes) return { ok: false, problem: 'a quotation mark stands inside a bare string' };
      return { ok: true, bytes: Uint8Array.from(bytes), end: at + 1 };
    }
    if (!inQuotes && isBlank(char)) return { ok: true, bytes: Uint8Array.from(bytes), end: at };
    if (char === '\n' || char === '\r') return { ok: false, problem: 'a line ends inside the record' };
    if (char !== '\\') {
      bytes.push(...utf8.encode(char));
      at += char.length;
      continue;
    }
    const escape = readEscape(text, at);
    if (escape === undefined)
      return { ok: false, problem: 'a backslash is not followed by a character or \\ddd ≤ 255' };
    bytes.push(...escape.bytes);
    at = escape.end;
  }
  if (inQuotes) return { ok: false, problem: 'a quoted string does not end' };
  return { ok: true, bytes: Uint8Array.from(bytes), end: at };
}

function readEscape(text: string, backslash: number): { bytes: Iterable<number>; end: number } | undefined {
  const digits = text.slice(backslash + 1, backslash + 4);
  if (/^[0-9]/.test(digits)) {
    if (!/^[0-9]{3}$/.test(digits) || Number(digits) > 255) return undefined;
    return { bytes: [Number(digits)], end: backslash + 4 };
  }
  const point = text.codePointAt(backslash + 1);
  if (point === undefined) return undefined;
  const char = String.fromCodePoint(point);
  return { bytes: utf8.encode(char), end: backslash + 1 + char.length };
}
