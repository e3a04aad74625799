/** external-dns's form of a record set, in which its webhooks and its DNSEndpoint objects have them. */
import { toALabel } from '../../dns/names.ts';
import { canonicalValue, type RecordSet, type RecordType } from '../../dns/rrset.ts';
import { parseTxt, quoteTxt } from '../../dns/txt.ts';
import { isRecord } from '../../kube/error.ts';

/** Others may stand beside these fields. Source: external-dns, `endpoint.Endpoint`. */
export interface Endpoint {
  readonly dnsName: string;
  readonly recordType: string;
  readonly targets: readonly string[];
  /** Seconds; absent or 0: whatever the DNS provider likes. */
  readonly recordTTL?: number;
}

/** The types of ours that external-dns knows. */
const types: ReadonlySet<string> = new Set<RecordType>(['A', 'AAAA', 'CNAME', 'TXT']);

/**
 * A TXT is quoted, as in a zone file: what takes it for zone-file text would end a bare one at a blank or semicolon, and
 * external-dns quotes its own, so that every provider knows of quotes.
 */
export function endpointOf({ name, type, ttl, values }: RecordSet): Endpoint {
  const targets = [...values].sort().map((value) => (type === 'TXT' ? quoteTxt(value) : value));
  return { dnsName: name, recordType: type, targets, ...(ttl > 0 ? { recordTTL: ttl } : {}) };
}

/** Some providers hand a TXT out as they were given it, others without its quotes. */
function textOf(target: string): string {
  const parsed = target.trimStart().startsWith('"') ? parseTxt(target) : undefined;
  return parsed?.ok === true ? parsed.value : target;
}

/** A value that can't be read stays as it is: it equals none of ours, and is not ours to touch. */
function valueOf(type: RecordType, target: string): string {
  const text = type === 'TXT' ? textOf(target) : target.trim();
  const result = canonicalValue(type, text);
  return result.ok ? result.value : text;
}

function nameOf(dnsName: string): string {
  const plain = dnsName.toLowerCase().replace(/\.$/u, '');
  if (/^[\x21-\x7e]*$/u.test(plain)) return plain;
  const result = toALabel(dnsName, { minLabels: 1, underscore: true });
  return result.ok ? result.name : plain;
}

/** Where the set of an endpoint stands; undefined for types that are not ours. Far cheaper than the whole set. */
export function placeOf(endpoint: unknown): Pick<RecordSet, 'name' | 'type'> | undefined {
  if (!isRecord(endpoint)) return undefined;
  const { dnsName, recordType } = endpoint;
  if (typeof dnsName !== 'string' || typeof recordType !== 'string' || !types.has(recordType)) return undefined;
  return { name: nameOf(dnsName), type: recordType as RecordType };
}

/** The set that an endpoint stands for, with TTL 0 where it says none; undefined for types that are not ours. */
export function readEndpoint(endpoint: unknown): RecordSet | undefined {
  const place = placeOf(endpoint);
  if (place === undefined || !isRecord(endpoint)) return undefined;
  const { targets, recordTTL } = endpoint;
  const { type } = place;
  const texts = Array.isArray(targets) ? targets.filter((target) => typeof target === 'string') : [];
  const values = [...new Set(texts.map((target) => valueOf(type, target)))];
  if (values.length === 0) return undefined;
  const ttl = typeof recordTTL === 'number' && recordTTL > 0 ? Math.floor(recordTTL) : 0;
  return { ...place, ttl, values };
}

/** Endpoints of one name and type as one set: some providers give one for each value. */
export function joined(sets: readonly RecordSet[]): RecordSet | undefined {
  const [first] = sets;
  if (first === undefined) return undefined;
  const values = [...new Set(sets.flatMap((set) => set.values))];
  return { ...first, ttl: Math.min(...sets.map(({ ttl }) => ttl)), values };
}
