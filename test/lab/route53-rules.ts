/**
 * What Route 53 refuses and in which order it lists: its documentation (ChangeResourceRecordSets,
 * ListResourceRecordSets, quotas, formats of records) and the sentences of its refusals as people quote them. moto
 * 5.2.5 lets all of this through but names outside of the zone and more than 1000 records, compares a deletion with
 * whatever was ever written, does a refused batch by half, and sorts without the dot at the end.
 */
import type { ApiChange, ApiSet } from './route53-xml.ts';

export const keyOf = ({ name, type, identifier }: Pick<ApiSet, 'name' | 'type' | 'identifier'>): string =>
  `${name} ${type} ${identifier ?? ''}`;

/** `com.example.www.`: labels from right to left, with a dot at the end. */
export function place(name: string): string {
  const labels = name.split('.').filter((label) => label !== '');
  return labels.reduceRight((path, label) => `${path}${label}.`, '');
}

export function inOrder(sets: Iterable<ApiSet>): readonly ApiSet[] {
  const placed = [...sets].map(
    (set) => [`${place(set.name)} ${set.type} ${set.identifier ?? ''}`, place(set.name), set] as const,
  );
  const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b));
  return placed.sort(([a, nameA], [b, nameB]) => compare(nameA, nameB) || compare(a, b)).map(([, , set]) => set);
}

/** Names are stored in lower case, fully qualified. */
export const stored = (set: ApiSet): ApiSet => ({ ...set, name: `${set.name.toLowerCase().replace(/\.$/, '')}.` });

/** Why the whole request is too large. */
export function overLimit(changes: readonly ApiChange[]): string | undefined {
  const counted = changes.flatMap(({ action, set }) =>
    action === 'UPSERT' ? [...set.values, ...set.values] : set.values,
  );
  if (counted.length > 1000) return 'Number of records limit of 1000 exceeded.';
  const characters = counted.reduce((sum, value) => sum + value.length, 0);
  return characters > 32_000 ? 'Number of characters limit of 32000 exceeded.' : undefined;
}

function faultOfText(value: string): string | undefined {
  const fatal = (code: string, why: string): string =>
    `Invalid Resource Record: 'FATAL problem: ${code} (${why}) encountered with '${value}''`;
  if (value.length > 4000) return fatal('TXTRDATATooLong', 'Value is too long');
  if (!/^"(?:[^"\\]|\\.)*"(?: +"(?:[^"\\]|\\.)*")*$/s.test(value))
    return fatal('InvalidCharacterString', 'Value should be enclosed in quotation marks');
  if (/[^ -~]/.test(value)) return fatal('UnsupportedCharacter', 'Value contains unsupported characters');
  if (/\\[0-9]/.test(value.replace(/\\\\|\\[0-3][0-7]{2}/g, '')))
    return fatal('InvalidEscape', 'Value contains an escape that is not octal');
  const strings = value.match(/"(?:[^"\\]|\\.)*"/g) ?? [];
  const long = strings.some((one) => one.slice(1, -1).replace(/\\[0-3][0-7]{2}|\\./g, 'x').length > 255);
  return long ? fatal('CharacterStringTooLong', 'Value is too long') : undefined;
}

function faultsOfValues({ type, values }: ApiSet): readonly string[] {
  const twice = values.filter((value, at) => values.indexOf(value) !== at);
  const faults = type === 'TXT' ? values.flatMap((value) => faultOfText(value) ?? []) : [];
  return [...faults, ...twice.map((value) => `Duplicate Resource Record: '${value}'`)];
}

const sameValues = (a: ApiSet, b: ApiSet): boolean =>
  a.ttl === b.ttl && a.alias === b.alias && [...a.values].sort().join('\n') === [...b.values].sort().join('\n');

const about = ({ name, type }: ApiSet): string => `[name='${name}', type='${type}']`;

const invalid = ({ name, type }: ApiSet): string =>
  `The request contains an invalid set of changes for a resource record set '${type} ${name}'`;

/** `beside` is all that stands at the name, `made` what an earlier change of the batch made there. */
interface Standing {
  readonly zone: string;
  readonly beside: readonly ApiSet[];
  readonly made: ReadonlySet<string>;
}

function faultOfDeletion(set: ApiSet, { beside, made }: Standing): string | undefined {
  const standing = beside.find((one) => keyOf(one) === keyOf(set));
  if (made.has(keyOf(set))) return invalid(set);
  if (standing === undefined) return `Tried to delete resource record set ${about(set)} but it was not found`;
  if (sameValues(standing, set)) return undefined;
  return `Tried to delete resource record set ${about(set)} but the values provided do not match the current values`;
}

function faultOfCreation(set: ApiSet, { zone, beside, made }: Standing): string | undefined {
  const { name, type } = set;
  if (made.has(keyOf(set))) return invalid(set);
  if (beside.some((one) => keyOf(one) === keyOf(set)))
    return `Tried to create resource record set ${about(set)} but it already exists`;
  const isPlain = set.identifier === undefined;
  if (beside.some((one) => one.type === type && (one.identifier === undefined) !== isPlain))
    return `RRSet with DNS name ${name}, type ${type} cannot be created as other RRSets exist with the same name and type.`;
  if (type === 'CNAME' && beside.some((one) => one.type !== 'CNAME'))
    return `RRSet of type CNAME with DNS name ${name} is not permitted as it conflicts with other records with the same DNS name in zone ${zone}`;
  if (type !== 'CNAME' && beside.some((one) => one.type === 'CNAME'))
    return `RRSet of type ${type} with DNS name ${name} is not permitted because a conflicting RRSet of type CNAME with the same DNS name already exists in zone ${zone}`;
  return undefined;
}

type Verdict = { readonly sets: ReadonlyMap<string, ApiSet> } | { readonly refused: readonly string[] };

/** The zone after a batch, or what is wrong with it; changes are judged one after the other. */
export function judge(zone: string, sets: ReadonlyMap<string, ApiSet>, changes: readonly ApiChange[]): Verdict {
  const after = new Map(sets);
  const names = Map.groupBy(sets.values(), ({ name }) => name);
  const made = new Set<string>();
  const refused = changes.flatMap(({ action, set: given }) => {
    const set = stored(given);
    if (!`.${set.name}`.endsWith(`.${zone}`))
      return [`RRSet with DNS name ${set.name} is not permitted in zone ${zone}`];
    const keys = new Set([...(names.get(set.name) ?? []).map(keyOf), ...made]);
    const beside = [...keys].flatMap((key) => after.get(key) ?? []).filter(({ name }) => name === set.name);
    const standing = { zone, beside, made: new Set(made) };
    if (action === 'DELETE') {
      after.delete(keyOf(set));
      return faultOfDeletion(set, standing) ?? [];
    }
    after.set(keyOf(set), set);
    made.add(keyOf(set));
    return [...faultsOfValues(set), ...[faultOfCreation(set, standing) ?? []].flat()];
  });
  return refused.length > 0 ? { refused } : { sets: after };
}
