/** How Route 53 writes names and values, and the order in which it lists names. */
import { toALabel } from '../../dns/names.ts';
import { type RecordType, canonicalValue } from '../../dns/rrset.ts';
import { chunkTxt, joinTxt } from '../../dns/txt.ts';

/** A canonical name as it goes into a request. */
export const toApiName = (name: string): string => `${name}.`;

/** The canonical form of a name that was shown; one with characters that no name of ours has stays as it is. */
export function nameOf(shown: string): string {
  // The one escape that such names need: `*`.
  const plain = shown.replace(/\\052/g, '*').replace(/\.$/, '');
  return plain.toLowerCase();
}

/** What it sorts by: labels from right to left, and a dot after the last, behind which `-` comes. */
const sortKey = (name: string): string => `${name.replace(/\.$/, '').split('.').reverse().join('.')}.`;

/**
 * Whether Route 53 lists `name` before a name that it showed. Nothing says whether it sorts by an escape or by the
 * character that it stands for; where that matters the answer is no.
 */
export function comesBefore(name: string, shown: string): boolean {
  const key = sortKey(name);
  return key < sortKey(shown) && key < sortKey(nameOf(shown));
}

/** For sorting canonical names as Route 53 does. */
export function byOrder(a: string, b: string): number {
  if (a === b) return 0;
  return sortKey(a) < sortKey(b) ? -1 : 1;
}

/** A canonical value as it goes into a request. */
export function toApiValue(type: RecordType, value: string): string {
  switch (type) {
    case 'A':
    case 'AAAA':
    case 'TLSA':
      return value;
    case 'CNAME':
      return toApiName(value);
    case 'TXT':
      return chunkTxt(value)
        .map((chunk) => `"${Array.from(chunk, toApiByte).join('')}"`)
        .join(' ');
  }
}

/** A backslash and three digits are octal here, where zone files (RFC 1035 §5.1) have decimal. */
function toApiByte(byte: number): string {
  if (byte === 0x22 || byte === 0x5c) return `\\${String.fromCharCode(byte)}`;
  if (byte >= 0x20 && byte < 0x7f) return String.fromCharCode(byte);
  return `\\${byte.toString(8).padStart(3, '0')}`;
}

/** The canonical form of a value that was shown; what is none of its type stays as it is, and equals nothing of ours. */
export function fromApiValue(type: RecordType, shown: string): string {
  if (type === 'TXT') return textOf(shown);
  const name = type === 'CNAME' ? toALabel(nameOf(shown), { minLabels: 1, underscore: true }) : undefined;
  if (name?.ok === true) return name.name;
  const result = canonicalValue(type, shown);
  return result.ok ? result.value : shown;
}

/** Character-strings in quotes, or bare; an escape is a character of its own or three octal digits. */
function textOf(shown: string): string {
  const strings = shown.match(/"(?:[^"\\]|\\.)*"|[^\s"]+/gsu) ?? [];
  return joinTxt(strings.map((one) => bytesOf(one.startsWith('"') ? one.slice(1, -1) : one)));
}

function bytesOf(text: string): Uint8Array {
  const parts = text.match(/\\[0-3][0-7]{2}|\\.|[^\\]+|\\/gsu) ?? [];
  return Buffer.concat(
    parts.map((part) => {
      if (/^\\[0-3][0-7]{2}$/.test(part)) return Buffer.of(Number.parseInt(part.slice(1), 8));
      return Buffer.from(part.length > 1 && part.startsWith('\\') ? part.slice(1) : part);
    }),
  );
}
