/** Record sets at Route 53: found by name in a zone of any size, and what becomes of those that answer by rules. */
import type { ResourceRecordSet, RRType } from '@aws-sdk/client-route-53';
import { quoted } from '../../dns/problem.ts';
import { type RecordSet, type RecordType, recordTypes } from '../../dns/rrset.ts';
import { MailsealError } from '../../errors.ts';
import type { Seen } from './provider.ts';
import { byOrder, comesBefore, fromApiValue, nameOf, toApiName } from './route53-format.ts';

/** Where a page begins. */
export interface Start {
  readonly name: string;
  readonly type?: RRType | undefined;
  readonly identifier?: string | undefined;
}

export interface Page {
  readonly sets: readonly ResourceRecordSet[];
  /** Where the next one begins; absent where this is the last. */
  readonly next: Start | undefined;
}

/** A page has at most 300 sets; asked for one name, a few will do: it holds all types that stand there. */
const setsAPage = 300;
const setsAName = 20;
/** Pages of one list beside those of one a name: what goes on longer is no answer. */
const mostFurther = 20;

type Ask = (start: Start, most: number) => Promise<Page>;

/** Its place among others is certain: see `comesBefore`. */
const isPlainName = (name: string): boolean => /^[a-z0-9._-]*$/.test(name);

/**
 * All that stands at these names. One page answers for all of them that lie within its span, so that a small zone
 * takes one call, and a large one at most a call a name.
 */
export async function setsAt(names: readonly string[], ask: Ask): Promise<readonly ResourceRecordSet[]> {
  const all = [...new Set(names)];
  const alone = all.filter((name) => !isPlainName(name)).map((name) => [name]);
  const sets: ResourceRecordSet[] = [];
  for (const group of [all.filter(isPlainName), ...alone]) sets.push(...(await walk(group, ask)));
  return sets;
}

/** A look that keeps all that its pages show. */
export function keeping(ask: Ask): { readonly ask: Ask; readonly seen: () => Seen } {
  const sets = new Map<string, ResourceRecordSet>();
  const spans: { readonly start: Start; readonly next: Start | undefined }[] = [];
  const covers = (name: string): boolean =>
    isPlainName(name) &&
    spans.some(({ start, next }) => {
      const order = byOrder(name, nameOf(start.name));
      // A page may begin or end in the middle of a name.
      const isBehind = order > 0 || (order === 0 && start.type === undefined);
      return isBehind && (next === undefined || comesBefore(name, next.name));
    });
  return {
    ask: async (start, most) => {
      const page = await ask(start, most);
      spans.push({ start, next: page.next });
      for (const set of page.sets) sets.set(`${set.Name} ${set.Type} ${set.SetIdentifier}`, set);
      return page;
    },
    seen: () => ({ sets: shownOf([...sets.values()]).map(({ set }) => set), covers }),
  };
}

async function walk(names: readonly string[], ask: Ask): Promise<readonly ResourceRecordSet[]> {
  let left = names.toSorted(byOrder);
  const most = left.length + mostFurther;
  const found = new Map<string, ResourceRecordSet>();
  let start: Start | undefined;
  for (let pages = 0; left.length > 0; pages += 1) {
    if (pages >= most) throw new MailsealError('ProviderUnavailable', 'Route 53: its list of record sets does not end');
    const [first = ''] = left;
    const page = await ask(start ?? { name: toApiName(first) }, Math.min(setsAPage, setsAName * left.length));
    const sought = new Set(left);
    for (const set of page.sets) {
      if (sought.has(nameOf(set.Name ?? ''))) found.set(`${set.Name} ${set.Type} ${set.SetIdentifier}`, set);
    }
    const { next } = page;
    if (next === undefined) break;
    // A page may be cut in the middle of a name.
    const within = nameOf(next.name);
    left = left.filter((name) => name === within || (name !== first && !comesBefore(name, next.name)));
    start = left[0] === within ? next : undefined;
  }
  return [...found.values()];
}

/** What Route 53 shows of one name and type. */
export interface Shown {
  readonly set: RecordSet;
  /** As it must be named to be deleted: with its own TTL, cut and escapes. Absent: not ours to delete, whatever it is. */
  readonly plain: ResourceRecordSet | undefined;
}

/** By rules (weights, places, health) or an alias within AWS: each of several sets has an identifier, an alias no values. */
const isPlain = (set: ResourceRecordSet): boolean =>
  set.SetIdentifier === undefined && set.AliasTarget === undefined && (set.ResourceRecords ?? []).length > 0;

/**
 * Sets of the types that Mailseal knows. Where a name answers by rules or as an alias within AWS, the set has sentences
 * for values, which equal nothing that Mailseal writes: so it is seen to be another's, and a message shows what it is.
 */
export function shownOf(sets: readonly ResourceRecordSet[]): readonly Shown[] {
  const groups = Map.groupBy(sets, ({ Name = '', Type }) => `${nameOf(Name)} ${Type}`);
  return [...groups.values()].flatMap((group): readonly Shown[] => {
    const [first] = group;
    const type = recordTypes.find((known) => known === first?.Type);
    if (first === undefined || type === undefined) return [];
    const plain = group.length === 1 && isPlain(first) ? first : undefined;
    const values = plain === undefined ? group.map((one) => sentence(type, one)) : valuesOf(type, plain);
    const ttl = Math.min(...group.map(({ TTL = 0 }) => TTL));
    return [{ set: { name: nameOf(first.Name ?? ''), type, ttl, values: [...new Set(values)] }, plain }];
  });
}

const valuesOf = (type: RecordType, { ResourceRecords = [] }: ResourceRecordSet): readonly string[] =>
  ResourceRecords.map(({ Value = '' }) => fromApiValue(type, Value));

function sentence(type: RecordType, set: ResourceRecordSet): string {
  const which = set.SetIdentifier === undefined ? '' : ` with the identifier ${quoted(set.SetIdentifier)}`;
  const target = set.AliasTarget?.DNSName;
  if (target !== undefined) return `an alias of Route 53${which} to ${quoted(nameOf(target))}`;
  const values = valuesOf(type, set).slice(0, 5).map(quoted).join(', ');
  return `a record set of Route 53${which} that answers by rules: ${values}`;
}
