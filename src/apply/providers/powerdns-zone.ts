/** How PowerDNS' API writes zones and record sets down. Source: its HTTP API, version 1. */
import { quoted } from '../../dns/problem.ts';
import { type RecordSet, type RecordType, canonicalValue, recordTypes } from '../../dns/rrset.ts';
import { parseTxt, quoteTxt } from '../../dns/txt.ts';
import type { RecordChange, SetKey } from './provider.ts';

/** What an answer says of a zone. */
export interface SeenZone {
  /** In lower case: `native`, `master`, `slave`, … */
  readonly kind: string;
  /** By which rule a change through the API raises the serial; empty: it doesn't. Undefined where it is not said. */
  readonly soaEditApi: string | undefined;
  /** By which rule the serial that is shown differs from the one that is stored. */
  readonly soaEdit: string | undefined;
  readonly sets: readonly RecordSet[];
  /** Those of them that an ALIAS or a LUA record answers for: a change of the set would leave that record where it is. */
  readonly made: readonly SetKey[];
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

/** What one record makes a name server answer. */
interface Answer extends RecordSet {
  readonly made: boolean;
}

function setOf(type: RecordType, rrset: Fields): Answer {
  // What is disabled is not served, and lost where the set is written: with it the set can't be one of ours.
  const shown = (record: Fields): string => {
    const value = valueOf(type, textIn(record, 'content') ?? '');
    return record['disabled'] === true ? `${value} (disabled)` : value;
  };
  return { ...placeOf(rrset), type, values: fieldsIn(rrset['records']).map(shown), made: false };
}

/**
 * What an ALIAS or LUA record answers with depends on when and by whom it is asked: the set has sentences for values,
 * which equal nothing that Mailseal writes. One that is disabled answers nothing and is in nobody's way.
 * Source: PowerDNS' docs, "Using ALIAS records" and "Lua Records".
 */
function madeOf(rrset: Fields): readonly Answer[] {
  const contents = fieldsIn(rrset['records']).flatMap((record) =>
    record['disabled'] === true ? [] : [textIn(record, 'content') ?? ''],
  );
  return contents.flatMap((content): readonly Answer[] => {
    const made = (type: RecordType, value: string): Answer => ({
      ...placeOf(rrset),
      type,
      values: [value],
      made: true,
    });
    if (rrset['type'] === 'ALIAS') {
      const value = `an ALIAS of PowerDNS to ${quoted(withoutDot(content))}`;
      return [made('A', value), made('AAAA', value)];
    }
    const [, word = '', script = ''] = /^\s*(\w+)\s*(.*)$/su.exec(content) ?? [];
    const type = recordTypes.find((one) => one === word.toUpperCase());
    return type === undefined ? [] : [made(type, `a LUA record of PowerDNS: ${quoted(valueOf('TXT', script))}`)];
  });
}

const placeOf = (rrset: Fields): Pick<RecordSet, 'name' | 'ttl'> => ({
  name: withoutDot(textIn(rrset, 'name') ?? ''),
  ttl: typeof rrset['ttl'] === 'number' ? rrset['ttl'] : 0,
});

function answersOf(rrset: Fields): readonly Answer[] {
  if (fieldsIn(rrset['records']).length === 0) return [];
  if (rrset['type'] === 'ALIAS' || rrset['type'] === 'LUA') return madeOf(rrset);
  const type = recordTypes.find((one) => one === rrset['type']);
  return type === undefined ? [] : [setOf(type, rrset)];
}

/** An ALIAS may stand beside addresses, and several LUA records at one name. */
function joined(answers: readonly Answer[]): Pick<SeenZone, 'sets' | 'made'> {
  const groups = [...Map.groupBy(answers, ({ name, type }) => `${name} ${type}`).values()];
  const sets = groups.flatMap((group): readonly RecordSet[] => {
    const [first] = group;
    if (first === undefined) return [];
    const { name, type } = first;
    const ttl = Math.min(...group.map((one) => one.ttl));
    return [{ name, type, ttl, values: [...new Set(group.flatMap(({ values }) => values))] }];
  });
  return { sets, made: answers.filter(({ made }) => made).map(({ name, type }) => ({ name, type })) };
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
    ...joined(rrsets.flatMap(answersOf)),
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
