/** TXT content as Cloudflare takes and gives it: RFC 1035 character-strings in quotes, cut at 255 bytes. */
import { invalid } from './refusal.ts';

/** The bytes of all strings together; bare text is one string. */
export function bytesOf(content: string): Buffer {
  if (!content.startsWith('"')) return Buffer.from(content);
  const bytes: Buffer[] = [];
  let rest = content;
  while (rest !== '') {
    const string = /^"((?:[^"\\]|\\[0-9]{3}|\\[^0-9])*)"(?: +|$)/s.exec(rest);
    if (string === null) throw invalid(9208, 'Content for TXT record must be quoted strings.');
    for (const [piece] of (string[1] ?? '').matchAll(/\\[0-9]{3}|\\.|[^\\]+/gs)) bytes.push(pieceOf(piece));
    rest = rest.slice(string[0].length);
  }
  return Buffer.concat(bytes);
}

function pieceOf(piece: string): Buffer {
  if (!piece.startsWith('\\')) return Buffer.from(piece);
  const number = Number(piece.slice(1));
  if (piece.length !== 4) return Buffer.from(piece.slice(1));
  if (number > 255) throw invalid(9208, 'Content for TXT record has an escape beyond \\255.');
  return Buffer.of(number);
}

/** The content as it comes back. */
export function contentOf(bytes: Buffer): string {
  const strings: string[] = [];
  for (let at = 0; at === 0 || at < bytes.length; at += 255) {
    const quoted = Array.from(bytes.subarray(at, at + 255), (byte) => {
      if (byte === 0x22 || byte === 0x5c) return `\\${String.fromCharCode(byte)}`;
      return byte < 0x20 || byte > 0x7e ? `\\${String(byte).padStart(3, '0')}` : String.fromCharCode(byte);
    });
    strings.push(`"${quoted.join('')}"`);
  }
  return strings.join(' ');
}
