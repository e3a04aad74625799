/**
 * Amazon Route 53. A change is a batch of deletions of exactly what was shown and of creations: Route 53 refuses it as
 * a whole where something else stands, so that it compares and swaps. It is not waited for until a change has left
 * `PENDING`: what was accepted is durable, each question would be taken from five calls a second for the whole
 * account, and whether all name servers show it is asked of themselves anyway.
 */
import type { Change } from '@aws-sdk/client-route-53';
import { createAging } from '../../aging.ts';
import { capabilitiesOf } from '../../api/capabilities.ts';
import type { DNSProviderSpec } from '../../api/types.ts';
import type { Clock } from '../../clock.ts';
import { isWithin } from '../../dns/names.ts';
import { describe, equalSets, type RecordSet } from '../../dns/rrset.ts';
import { MailsealError } from '../../errors.ts';
import type { Credentials, ProviderParts } from './index.ts';
import type { CallRate, Provider, RecordChange, SetKey } from './provider.ts';
import { callByCall } from './refusal.ts';
import { createRoute53Api, type Route53Options } from './route53-api.ts';
import { changedMeanwhile } from './route53-errors.ts';
import { toApiName, toApiValue } from './route53-format.ts';
import { keeping, setsAt, type Shown, shownOf } from './route53-sets.ts';

/** AWS allows five calls a second for all of an account. */
const rate: CallRate = { atOnce: 4, perSecond: 5, burst: 5 };

/** What one batch holds at most: records, and characters of all their values. */
const recordsABatch = 1000;
const charactersABatch = 32_000;

/** What was shown is remembered so long, for the change that may follow; without it a change looks once more. */
const rememberMs = 600_000;
const mostRemembered = 1000;

/** The provider that a spec describes; throws as `createProvider` does. */
export function fromSpec(
  spec: NonNullable<DNSProviderSpec['route53']>,
  credentials: Credentials,
  { clock, timeoutMs, mayWrite, limiterFor }: Pick<ProviderParts, 'clock' | 'timeoutMs' | 'mayWrite' | 'limiterFor'>,
): Provider {
  return createRoute53({ spec, credentials, clock, timeoutMs, mayWrite, rate, limiterFor });
}

const isThere = (set: RecordSet | undefined): set is RecordSet => set !== undefined && set.values.length > 0;

const keyOf = (zone: string, { name, type }: SetKey): string => `${zone} ${name} ${type}`;

const keysAt = (sets: readonly RecordSet[]): string => {
  const all = sets.slice(0, 5).map(({ name, type }) => `${type} at ${name}`);
  return sets.length > all.length ? `${all.join(', ')} and ${sets.length - all.length} more` : all.join(', ');
};

/** A change as the API takes it, and what it takes of a batch. */
interface Part {
  readonly name: string;
  readonly remove: readonly Change[];
  readonly add: readonly Change[];
}

const toApiSet = ({ name, type, ttl, values }: RecordSet): Change['ResourceRecordSet'] => ({
  Name: toApiName(name),
  Type: type,
  TTL: ttl,
  ResourceRecords: values.map((value) => ({ Value: toApiValue(type, value) })),
});

const recordsOf = (changes: readonly Change[]): readonly string[] =>
  changes.flatMap((change) => (change.ResourceRecordSet?.ResourceRecords ?? []).map(({ Value = '' }) => Value));

const fractionOf = (values: readonly string[]): number =>
  Math.max(values.length / recordsABatch, values.reduce((sum, value) => sum + value.length, 0) / charactersABatch);

const sizeOf = ({ remove, add }: Part): number => fractionOf(recordsOf([...remove, ...add]));

/** Deals parts out to batches; those of one name stay together. */
function packed(parts: readonly Part[]): readonly (readonly Part[])[] {
  const batches: Part[][] = [];
  let room = 0;
  for (const group of Map.groupBy(parts, ({ name }) => name).values()) {
    const size = group.reduce((sum, part) => sum + sizeOf(part), 0);
    if (batches.length === 0 || size > room) {
      batches.push([]);
      room = 1;
    }
    batches.at(-1)?.push(...group);
    room -= size;
  }
  return batches;
}

/** The provider, at a pace of one's own. */
export function createRoute53(options: Route53Options & { readonly clock: Clock }): Provider {
  const api = createRoute53Api(options);
  const remembered = createAging<Shown>(options.clock, rememberMs, mostRemembered);

  type Ask = Parameters<typeof setsAt>[1];
  const pagesOf =
    (zone: string): Ask =>
    (start, most) =>
      api.page(zone, start, most);
  const look = async (zone: string, sought: readonly SetKey[], ask = pagesOf(zone)): Promise<readonly Shown[]> => {
    const names = sought.map(({ name }) => name);
    const stray = names.find((name) => !isWithin(name, zone));
    if (stray !== undefined) throw new MailsealError('ProviderRefused', `${stray} is not in the zone ${zone}`);
    const sets = await setsAt(names, ask);
    const shown = shownOf(sets);
    for (const one of sought) remembered.delete(keyOf(zone, one));
    for (const one of shown) remembered.set(keyOf(zone, one.set), one);
    return shown;
  };

  const list: Provider['list'] = async (zone, sought) => {
    const wanted = new Set(sought.flatMap((one) => [keyOf(zone, one), keyOf(zone, { ...one, type: 'CNAME' })]));
    const shown = await look(zone, sought);
    return shown.map(({ set }) => set).filter((set) => wanted.has(keyOf(zone, set)));
  };

  const see: NonNullable<Provider['see']> = async (zone, sought) => {
    const pages = keeping(pagesOf(zone));
    await look(zone, sought, pages.ask);
    return pages.seen();
  };

  /** What is to give way, as Route 53 shows it: remembered, or looked at once more. */
  const standing = async (zone: string, changes: readonly RecordChange[]): Promise<ReadonlyMap<string, Shown>> => {
    const befores = changes.flatMap(({ before }) => (isThere(before) ? [before] : []));
    const known = new Map<string, Shown>();
    const isAsSeen = (before: RecordSet): boolean => {
      const one = known.get(keyOf(zone, before));
      return one !== undefined && equalSets(one.set, before);
    };
    const keep = (one: Shown | undefined): void => {
      if (one !== undefined) known.set(keyOf(zone, one.set), one);
    };
    for (const before of befores) keep(remembered.get(keyOf(zone, before)));
    const unknown = befores.filter((before) => !isAsSeen(before));
    for (const before of unknown) known.delete(keyOf(zone, before));
    if (unknown.length > 0) for (const one of await look(zone, unknown)) keep(one);
    const moved = befores.filter((before) => !isAsSeen(before));
    if (moved.length > 0) throw changedMeanwhile(zone, keysAt(moved));
    return known;
  };

  const partOf = ({ name, before, after }: RecordChange, shown: Shown | undefined): Part => {
    if (isThere(before) && shown?.plain === undefined) {
      throw new MailsealError(
        'ProviderRefused',
        `Mailseal changes no alias of Route 53 and no record set that answers by rules: ${describe(before)}. Nothing was written; remove it, and Mailseal publishes its own record there`,
        { kind: 'Stalled' },
      );
    }
    return {
      name,
      remove: isThere(before) ? [{ Action: 'DELETE', ResourceRecordSet: shown?.plain }] : [],
      add: isThere(after) ? [{ Action: 'CREATE', ResourceRecordSet: toApiSet(after) }] : [],
    };
  };

  const apply: Provider['apply'] = async (zone, changes) => {
    const shown = await standing(zone, changes);
    const parts = changes.map((change) => partOf(change, shown.get(keyOf(zone, change))));
    try {
      await callByCall(packed(parts), async (batch) => {
        // A CNAME must be gone before its name takes something else, and the other way round.
        const all = [...batch.flatMap(({ remove }) => remove), ...batch.flatMap(({ add }) => add)];
        if (all.length > 0) await api.change(zone, all);
      });
    } finally {
      for (const change of changes) remembered.delete(keyOf(zone, change));
    }
  };

  const share: Provider['share'] = ({ before, after }) =>
    fractionOf([before, after].flatMap((set) => set?.values.map((value) => toApiValue(set.type, value)) ?? []));

  const { rate } = options;
  const { close } = api;
  return { capabilities: capabilitiesOf.route53, rate, keepsRate: true, share, list, see, apply, close };
}
