/** Text that strangers may have had a hand in, on its way into a status, a log line or a message. */

const unsafe = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

function escape(character: string): string {
  if (character === '\n') return '\\n';
  if (character === '\t') return '\\t';
  const code = character.codePointAt(0) ?? 0;
  return code < 0x1_00 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
}

/**
 * `text` with control, format and line-breaking characters written as escapes (so that no one forges a line, a colour
 * or a reading direction), cut to at most `limit` UTF-16 units with an ellipsis.
 */
export function plainText(text: string, limit: number): string {
  // What is cut off anyway is not looked at: the input may be long.
  const head = text.length > limit ? text.slice(0, limit + 1) : text;
  const safe = head.replace(unsafe, escape);
  if (safe.length <= limit) return safe;
  // Cut between characters: half a surrogate pair is not text.
  return `${safe.slice(0, Math.max(0, limit - 1)).replace(/[\uD800-\uDBFF]$/u, '')}…`;
}
