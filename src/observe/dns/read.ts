import type { BufferAnswer, StringAnswer } from 'dns-packet';
import ipaddr from 'ipaddr.js';
import type { Answer, Outcome, QueryType, Signature } from '../../dns/answer.ts';
import { joinTxt } from '../../dns/txt.ts';
import type { Message, WireRecord } from './wire.ts';

/** A DNS name in the one form that Mailseal compares: lower case, no final dot, the root as ''. */
export function plainName(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}

function shown(name: string): string {
  const plain = plainName(name);
  return plain === '' ? '.' : plain;
}

type Known =
  | (StringAnswer & { readonly type: 'A' | 'AAAA' | 'CNAME' | 'NS' | 'PTR' })
  | Extract<WireRecord, { type: 'TXT' | 'TLSA' | 'MX' | 'SOA' | 'DS' | 'DNSKEY' | 'CAA' }>
  // The package hands out the bytes of these two as they are.
  | (BufferAnswer & { readonly type: 'CDS' | 'CDNSKEY' });

const knownTypes: ReadonlySet<string> = new Set<QueryType>([
  'A',
  'AAAA',
  'CNAME',
  'NS',
  'PTR',
  'TXT',
  'TLSA',
  'MX',
  'SOA',
  'DS',
  'DNSKEY',
  'CDS',
  'CDNSKEY',
  'CAA',
]);

function isKnown(record: WireRecord): record is Known {
  return knownTypes.has(record.type);
}

/** The canonical text of a record's data (see RecordSet and Answer); undefined for types that nobody asks for. */
export function valueOf(record: WireRecord): string | undefined {
  return isKnown(record) ? textOf(record) : undefined;
}

function textOf(record: Known): string {
  switch (record.type) {
    case 'A':
      return record.data;
    case 'AAAA':
      return ipaddr.IPv6.parse(record.data).toRFC5952String();
    case 'CNAME':
    case 'NS':
    case 'PTR':
      return shown(record.data);
    case 'TXT':
      return joinTxt([record.data].flat().map((part) => Buffer.from(part)));
    case 'TLSA': {
      const { usage, selector, matchingType, certificate } = record.data;
      return `${usage} ${selector} ${matchingType} ${certificate.toString('hex')}`;
    }
    case 'MX':
      return `${record.data.preference ?? 0} ${shown(record.data.exchange)}`;
    case 'SOA': {
      const { mname, rname, serial, refresh, retry, expire, minimum } = record.data;
      return [shown(mname), shown(rname), serial, refresh, retry, expire, minimum].join(' ');
    }
    case 'DS':
      return [
        record.data.keyTag,
        record.data.algorithm,
        record.data.digestType,
        record.data.digest.toString('hex'),
      ].join(' ');
    case 'DNSKEY':
      return [record.data.flags, 3, record.data.algorithm, record.data.key.toString('base64')].join(' ');
    case 'CDS':
      return dsText(record.data);
    case 'CDNSKEY':
      return dnskeyText(record.data);
    case 'CAA':
      return `${record.data.flags ?? 0} ${record.data.tag} "${record.data.value}"`;
  }
}

/** RFC 7344 §3.1: the data of a CDS is that of a DS; '' where there is too little of it. */
function dsText(data: Buffer): string {
  if (data.length < 4) return '';
  return [data.readUInt16BE(0), data.readUInt8(2), data.readUInt8(3), data.subarray(4).toString('hex')].join(' ');
}

/** RFC 7344 §3.2: the data of a CDNSKEY is that of a DNSKEY; '' where there is too little of it. */
function dnskeyText(data: Buffer): string {
  if (data.length < 4) return '';
  return [data.readUInt16BE(0), data.readUInt8(2), data.readUInt8(3), data.subarray(4).toString('base64')].join(' ');
}

interface Chain {
  readonly canonicalName: string;
  readonly ttls: readonly number[];
}

/** Follows the CNAMEs that the answer section holds. A loop ends at the name that was met twice. */
function followAliases(records: readonly WireRecord[], name: string, type: QueryType): Chain {
  let canonicalName = name;
  const ttls: number[] = [];
  const met = new Set<string>();
  if (type === 'CNAME') return { canonicalName, ttls };
  while (!met.has(canonicalName)) {
    met.add(canonicalName);
    const alias = records.find((record) => record.type === 'CNAME' && record.name === canonicalName);
    if (alias?.type !== 'CNAME') break;
    ttls.push(alias.ttl ?? 0);
    canonicalName = plainName(alias.data);
  }
  return { canonicalName, ttls };
}

/** RFC 2308 §5: a denial lives for the lesser of the SOA's own TTL and its MINIMUM field. */
function negativeTtl(authorities: readonly WireRecord[]): number {
  const soa = authorities.find((record) => record.type === 'SOA');
  return soa?.type === 'SOA' ? Math.min(soa.ttl ?? 0, soa.data.minimum ?? 0) : 0;
}

function labelCount(name: string): number {
  const labels = name === '' ? [] : name.split('.');
  return labels[0] === '*' ? labels.length - 1 : labels.length;
}

/** Whether the set that stands at exactly `name` was made from a wildcard; undefined where it carries no signature. */
export function synthesised(records: readonly WireRecord[], name: string, type: string): boolean | undefined {
  for (const record of records) {
    if (record.type !== 'RRSIG' || record.name !== name) continue;
    if (record.data.typeCovered !== type && record.data.typeCovered !== 'CNAME') continue;
    // RFC 4034 §3.1.3: fewer labels in the signature than in the owner's name mean a wildcard.
    return record.data.labels < labelCount(name);
  }
  return undefined;
}

/** What the signatures over the set of that type at exactly `name` say of themselves. */
export function signaturesOf(message: Message, name: string, type: QueryType): readonly Signature[] {
  const asked = plainName(name);
  return message.answers.flatMap((record) => {
    if (record.type !== 'RRSIG' || record.name !== asked || record.data.typeCovered !== type) return [];
    const { algorithm, keyTag, inception, expiration } = record.data;
    return [{ algorithm, keyTag, inception: inception * 1000, expiration: expiration * 1000 }];
  });
}

/** What a NOERROR or NXDOMAIN message says about `name`. `authentic` is the caller's to grant. */
export function readAnswer(message: Message, name: string, type: QueryType, authentic: boolean): Answer {
  const asked = plainName(name);
  const { canonicalName, ttls } = followAliases(message.answers, asked, type);
  const set = message.answers.filter((record) => record.name === canonicalName && record.type === type);
  const values = [...new Set(set.flatMap((record) => valueOf(record) ?? []))];
  const denied: Outcome = message.rcode === 'NXDOMAIN' ? 'NxDomain' : 'NoData';
  const own = set.length > 0 ? set.map((record) => record.ttl ?? 0) : [negativeTtl(message.authorities)];
  return {
    name: asked,
    type,
    outcome: values.length > 0 ? 'Found' : denied,
    authentic,
    canonicalName,
    values,
    ttl: Math.min(...ttls, ...own),
    wildcard: synthesised(message.answers, asked, type),
    detail: message.extendedError,
  };
}

/** An answer that proves nothing, or that DNSSEC is broken. */
export function failedAnswer(
  name: string,
  type: QueryType,
  outcome: 'ServFail' | 'Bogus' | 'Unreachable',
  detail: string | undefined,
): Answer {
  const asked = plainName(name);
  return {
    name: asked,
    type,
    outcome,
    authentic: false,
    canonicalName: asked,
    values: [],
    ttl: 0,
    wildcard: undefined,
    detail,
  };
}
