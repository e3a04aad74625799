/** How PowerDNS' API writes zones and record sets down. Source: its HTTP API, version 1. */
import { type RecordSet, type RecordType, canonicalValue, recordTypes } from '../../dns/rrset.ts';
import { parseTxt, quoteTxt } from '../../dns/txt.ts';
import type { RecordChange } from './provider.ts';

/** What an answer says of a zone. */
export interface SeenZone {
  /** In lower case: `native`, `master`, `slave`, … */
  readonly kind: string;
  /** By which rule a change through the API raises the serial; empty: it doesn't. Undefined where it is not said. */
  readonly soaEditApi: string | undefined;
  /** By which rule the serial that is shown differs from the one that is stored. */
  readonly soaEdit: string | undefined;
  readonly sets: readonly RecordSet[];
  /** Of all sets in the answer, those of other types too. */
  readonly names: readonly string[];
}

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const fieldsIn = (value: unknown): readonly Fields[] =>
  Array.isArray(value) ? (value as readonly unknown[]).filter(isFields) : [];
const textIn = (fields: Fields, key: string): string | undefined => {
  const value = fields[key];
  return typeof value === 'string' ? value : undefined;
};

const withoutDot = (name: string): string => name.replace(/\.$/u, '').toLowerCase();

/** What can't be read stays as it is: it is something else than ours, and seen to be. */
function valueOf(type: RecordType, content: string): string {
  const result = type === 'TXT' ? parseTxt(content) : canonicalValue(type, content);
  return result.ok ? result.value : content;
}

function setOf(rrset: Fields): RecordSet | undefined {
  const type = recordTypes.find((one) => one === rrset['type']);
  // What is disabled is not served.
  const records = fieldsIn(rrset['records']).filter((record) => record['disabled'] !== true);
  if (type === undefined || records.length === 0) return undefined;
  const ttl = typeof rrset['ttl'] === 'number' ? rrset['ttl'] : 0;
  const values = new Set(records.map((record) => valueOf(type, textIn(record, 'content') ?? '')));
  return { name: withoutDot(textIn(rrset, 'name') ?? ''), type, ttl, values: [...values] };
}

/** Reads a zone; undefined where the text is no such thing. Never throws. */
export function readZone(text: string): SeenZone | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isFields(value) || textIn(value, 'kind') === undefined || !Array.isArray(value['rrsets'])) return undefined;
  const rrsets = fieldsIn(value['rrsets']);
  return {
    kind: (textIn(value, 'kind') ?? '').toLowerCase(),
    soaEditApi: textIn(value, 'soa_edit_api'),
    soaEdit: textIn(value, 'soa_edit'),
    sets: rrsets.flatMap((rrset) => setOf(rrset) ?? []),
    names: [...new Set(rrsets.map((rrset) => withoutDot(textIn(rrset, 'name') ?? '')))],
  };
}

function rrsetOf({ name, type, after }: RecordChange): Fields {
  const common = { name: `${name}.`, type };
  if (after === undefined || after.values.length === 0) return { ...common, changetype: 'DELETE' };
  const contentOf = (value: string): string => {
    if (type === 'TXT') return quoteTxt(value);
    return type === 'CNAME' ? `${value}.` : value;
  };
  const records = [...new Set(after.values)].map((value) => ({ content: contentOf(value), disabled: false }));
  return { ...common, ttl: after.ttl, changetype: 'REPLACE', records };
}

/** The body of the PATCH that makes all changes, or none. They are worked off in order: what gives way comes first. */
export function patchOf(changes: readonly RecordChange[]): string {
  const rrsets = changes.map(rrsetOf);
  const removals = rrsets.filter(({ changetype }) => changetype === 'DELETE');
  return JSON.stringify({ rrsets: [...removals, ...rrsets.filter((one) => !removals.includes(one))] });
}
