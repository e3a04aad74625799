import ipaddr from 'ipaddr.js';
import { toALabel } from './names.ts';
import { quoted } from './problem.ts';
import { quoteTxt } from './txt.ts';

/** The record types that Mailseal writes. */
export const recordTypes = ['A', 'AAAA', 'CNAME', 'TXT', 'TLSA'] as const;
export type RecordType = (typeof recordTypes)[number];

/**
 * A record set as it should stand or stands at the servers. Names are A-labels in lower case without a final dot.
 * Values are in one canonical text form, so that equality is equality of strings:
 * A `192.0.2.1`; AAAA as RFC 5952 writes it; CNAME a name as above; TXT the whole logical string, however it is cut
 * into chunks on the wire; TLSA `3 1 1 ` and lower-case hex. Their order means nothing.
 */
export interface RecordSet {
  readonly name: string;
  readonly type: RecordType;
  /** Seconds. */
  readonly ttl: number;
  readonly values: readonly string[];
}

export type ValueResult =
  | { readonly ok: true; readonly value: string }
  | { readonly ok: false; readonly problem: string };

/**
 * The one text form of a value that Mailseal compares: see RecordSet. Accepts what zone files, `dig` and providers'
 * APIs write: upper case, a final dot, hex cut by blanks, every spelling of an IPv6 address. TXT is taken as the whole
 * logical string; a quoted zone-file form goes through `parseTxt` first. Never throws.
 * Source: RFC 1035, RFC 5952, RFC 6698 §2.2.
 */
export function canonicalValue(type: RecordType, text: string): ValueResult {
  switch (type) {
    case 'A':
      return canonicalIPv4(text);
    case 'AAAA':
      return canonicalIPv6(text);
    case 'CNAME': {
      const result = toALabel(text, { minLabels: 1, underscore: true });
      return result.ok ? { ok: true, value: result.name } : result;
    }
    case 'TXT':
      return { ok: true, value: text };
    case 'TLSA':
      return canonicalTlsa(text);
  }
}

function canonicalIPv4(text: string): ValueResult {
  const octets = text.split('.');
  const right =
    octets.length === 4 && octets.every((octet) => /^(0|[1-9][0-9]{0,2})$/.test(octet) && Number(octet) < 256);
  return right ? { ok: true, value: text } : { ok: false, problem: `${quoted(text)} is not an IPv4 address` };
}

function canonicalIPv6(text: string): ValueResult {
  if (text.length > 45 || !/^[0-9a-f:.]+$/i.test(text) || !ipaddr.IPv6.isValid(text)) {
    return { ok: false, problem: `${quoted(text)} is not an IPv6 address` };
  }
  // ipaddr.js takes ::192.0.2.1 for ::ffff:192.0.2.1, which is another address.
  const whole = text.replace(/^::(?=[0-9]+\.)/, '::0:');
  return { ok: true, value: ipaddr.IPv6.parse(whole).toRFC5952String() };
}

function canonicalTlsa(text: string): ValueResult {
  const [usage, selector, matching, ...data] = text.split(/[ \t]+/).filter((part) => part !== '');
  const numbers = [usage, selector, matching].map((part) => (/^[0-9]{1,3}$/.test(part ?? '') ? Number(part) : 256));
  const hex = data.join('').toLowerCase();
  if (numbers.some((number) => number > 255) || !/^(?:[0-9a-f]{2})+$/.test(hex)) {
    return { ok: false, problem: `${quoted(text)} is not three numbers up to 255 and data in hex` };
  }
  return { ok: true, value: `${numbers.join(' ')} ${hex}` };
}

/** Whether two sets are the same: name, type and values in any order; the TTL only where it is asked for. */
export function equalSets(a: RecordSet, b: RecordSet, compare: { readonly ttl?: boolean } = {}): boolean {
  if (a.name !== b.name || a.type !== b.type) return false;
  if (compare.ttl === true && a.ttl !== b.ttl) return false;
  const left = new Set(a.values);
  const right = new Set(b.values);
  return left.size === right.size && [...left].every((value) => right.has(value));
}

/** Values for a message, in one order: name servers take turns with theirs, and no status is to be written for that. */
export const inWords = (values: readonly string[]): string => [...values].sort().join(' | ');

/** A set in one line for plans and messages, values sorted: `_mta-sts.example.com 300 TXT "v=STSv1; id=1;"`. */
export function describe(set: RecordSet): string {
  const values = [...set.values].sort().map((value) => (set.type === 'TXT' ? quoteTxt(value) : value));
  return `${set.name} ${set.ttl} ${set.type} ${values.length === 0 ? '(nothing)' : values.join(' | ')}`;
}
