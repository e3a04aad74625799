/**
 * One record: what of it Cloudflare takes, and how it gives it back.
 * Source: https://developers.cloudflare.com/api/resources/dns/subresources/records/ ("Create DNS Record", models),
 * https://developers.cloudflare.com/dns/manage-dns-records/reference/dns-record-types/ (lengths).
 */
import { isIPv4, isIPv6 } from 'node:net';
import { invalid, refusal } from './refusal.ts';
import { bytesOf, contentOf } from './text.ts';

export interface TlsaData {
  readonly usage: number;
  readonly selector: number;
  readonly matching_type: number;
  readonly certificate: string;
}

export interface StoredRecord {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly content: string;
  readonly ttl: number;
  readonly proxied: boolean;
  readonly proxiable: boolean;
  readonly data?: TlsaData;
  readonly comment?: string;
  readonly settings: object;
  readonly meta: object;
  readonly tags: readonly string[];
  readonly created_on: string;
  readonly modified_on: string;
}

export type Draft = Omit<StoredRecord, 'id' | 'created_on' | 'modified_on'>;

const fields = ['name', 'type', 'content', 'ttl', 'proxied', 'data', 'comment', 'tags', 'settings'];

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The record that an entry of `posts`, or one of `patches` on top of what stands, asks for; throws a Refusal. */
export function draftOf(entry: unknown, zone: string, shortestTtl: number): Draft {
  if (!isObject(entry)) throw refusal(400, 9207, 'Request body is invalid.');
  const unknown = Object.keys(entry).find((key) => !fields.includes(key));
  if (unknown !== undefined) throw refusal(400, 9207, `Request body is invalid: "${unknown}" is no field.`);
  const { type, ttl, proxied = false, comment, tags = [], settings = {} } = entry;
  const name = nameOf(entry['name'], zone);
  if (typeof type !== 'string') throw invalid(9004, 'A record type is required.');
  if (typeof proxied !== 'boolean' || !isObject(settings) || !Array.isArray(tags))
    throw refusal(400, 9207, 'Request body is invalid.');
  const proxiable = ['A', 'AAAA', 'CNAME'].includes(type);
  if (proxied && !proxiable) throw invalid(9004, 'This record type cannot be proxied.');
  if (typeof ttl !== 'number' || !Number.isInteger(ttl) || (ttl !== 1 && (ttl < shortestTtl || ttl > 86_400)))
    throw invalid(9021, `TTL must be between ${shortestTtl} and 86400 seconds, or 1 for Automatic.`);
  if (comment !== undefined && (typeof comment !== 'string' || comment.length > 100))
    throw invalid(9300, 'The comment is too long.');
  const said = comment === undefined ? {} : { comment };
  const common = { ...said, name, type, ttl: proxied ? 1 : ttl, proxied, proxiable, settings, meta: {}, tags: [] };
  if (type === 'TLSA') return { ...common, ...tlsaOf(entry['data'], entry['content']) };
  if (entry['data'] !== undefined) throw refusal(400, 9207, `Request body is invalid: ${type} has no data.`);
  return { ...common, content: contentFor(type, entry['content']) };
}

function nameOf(name: unknown, zone: string): string {
  if (typeof name !== 'string' || name.length > 255 || !/^[\x21-\x7e]+$/.test(name))
    throw invalid(9000, 'DNS name is invalid.');
  const lower = name.toLowerCase().replace(/\.$/, '');
  // The real one puts the zone's name behind such a name, which is never what was meant.
  if (lower !== zone && !lower.endsWith(`.${zone}`)) throw invalid(9000, `DNS name is not in the zone ${zone}.`);
  if (lower.split('.').some((label) => label === '' || label.length > 63)) throw invalid(9000, 'DNS name is invalid.');
  return lower;
}

function contentFor(type: string, content: unknown): string {
  if (typeof content !== 'string' || content === '') throw invalid(9003, `Content for ${type} record is required.`);
  switch (type) {
    case 'A':
      if (!isIPv4(content)) throw invalid(9005, 'Content for A record must be a valid IPv4 address.');
      return content;
    case 'AAAA':
      if (!isIPv6(content)) throw invalid(9006, 'Content for AAAA record must be a valid IPv6 address.');
      return content.toLowerCase();
    case 'CNAME':
      if (!/^[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?\.?$/i.test(content) || content.length > 254)
        throw invalid(9007, 'Content for CNAME record is invalid.');
      return content.replace(/\.$/, '');
    case 'TXT': {
      const bytes = bytesOf(content);
      // On the wire each string has one byte more.
      if (bytes.length + Math.ceil(bytes.length / 255) > 4096) throw invalid(9208, 'TXT record is too long.');
      return contentOf(bytes);
    }
    default:
      throw invalid(9004, `This stand-in takes no ${type} records.`);
  }
}

function tlsaOf(data: unknown, content: unknown): Pick<Draft, 'content' | 'data'> {
  const given = isObject(data) ? data : {};
  const missing = ['usage', 'selector', 'matching_type', 'certificate'].filter((key) => given[key] === undefined);
  if (missing.length > 0 || content !== undefined) {
    const chain = missing.map((key) => ({ code: 9101, message: `${key} is a required data field.` }));
    throw chain.length > 0
      ? invalid(9101, chain.map(({ message }) => message).join(' '))
      : invalid(9101, 'no content.');
  }
  const { usage, selector, matching_type, certificate } = given;
  const octet = (value: unknown): value is number =>
    typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 256;
  if (!octet(usage) || !octet(selector) || !octet(matching_type)) throw invalid(9102, 'TLSA field is out of range.');
  if (typeof certificate !== 'string' || !/^(?:[0-9a-f]{2})+$/i.test(certificate))
    throw invalid(9103, 'certificate must be hexadecimal.');
  const upper = certificate.toUpperCase();
  return {
    content: `${usage} ${selector} ${matching_type} ${upper}`,
    data: { usage, selector, matching_type, certificate: upper },
  };
}
