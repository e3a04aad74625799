/** Text that strangers may have had a hand in, on its way into a status, a log line or a message. */

const unsafe = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** What no text of ours ever holds, whatever a library put into its message: private keys in each of their forms, tokens. */
const secret = new RegExp(
  [
    String.raw`-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)`,
    // The same in base64: of the PEM, and of its body (PKCS #8 and SEC 1 keys on P-256, RSA keys).
    String.raw`LS0tLS1CRUdJTi[A-Za-z0-9+/_-]+=*`,
    String.raw`(?:MIGHAgEA|MHcCAQEE|MI[IE][A-Za-z0-9+/_-]{2,4}(?:IBAD|IBAAK))[A-Za-z0-9+/_-]{16,}=*`,
    String.raw`"(?:d|p|q|dp|dq|qi|k)"\s*:\s*"[A-Za-z0-9_-]{16,}"`,
    String.raw`\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*`,
    String.raw`\b(?:Bearer|Basic) [A-Za-z0-9._~+/-]{16,}=*`,
  ].join('|'),
  'gsu',
);

/** `text` without what is a private key or a token by its form. */
export function withoutSecrets(text: string): string {
  return text.replace(secret, '[redacted]');
}

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
  const safe = withoutSecrets(head).replace(unsafe, escape);
  if (safe.length <= limit) return safe;
  // Cut between characters: half a surrogate pair is not text.
  return `${safe.slice(0, Math.max(0, limit - 1)).replace(/[\uD800-\uDBFF]$/u, '')}…`;
}

/** What JSON lets through and a terminal or an editor may act on: it forges lines, colours and reading directions. */
const unsafeInJson = /[\x7f-\x9f\p{Cf}\p{Zl}\p{Zp}]/gu;

/** JSON in which those are written as escapes: every reader sees the same text. */
export const plainJson = (json: string): string =>
  json.replace(unsafeInJson, (text) =>
    Array.from({ length: text.length }, (_, at) => `\\u${text.charCodeAt(at).toString(16).padStart(4, '0')}`).join(''),
  );
