/** Any provider that speaks external-dns's webhook protocol. Its API has no zones, no conditions, and one list: all there is. */
import { createAging } from '../../aging.ts';
import { capabilitiesOf } from '../../api/capabilities.ts';
import type { DNSProviderSpec } from '../../api/types.ts';
import type { Clock } from '../../clock.ts';
import { isWithin } from '../../dns/names.ts';
import { equalSets, type RecordSet } from '../../dns/rrset.ts';
import { MailsealError } from '../../errors.ts';
import { createTurns } from '../../observe/dns/turns.ts';
import { stillStands } from './compare.ts';
import { stalled } from './credentials.ts';
import { endpointOf, joined, placeOf, readEndpoint } from './endpoints.ts';
import type { Credentials, ProviderParts } from './index.ts';
import type { Provider, RecordChange, SetKey } from './provider.ts';
import { type Changes, createWire, type DomainFilter, type WebhookWire } from './webhook-wire.ts';

/** Milliseconds for which the list of all records is good for looks; a write of ours ends it, and begins with a new one. */
const freshMs = 5_000;
/** Milliseconds for which what the webhook serves is good for a row of writes; a new list for a look asks for it anew. */
const servedMs = 1_000;
/** Changes in one call: the webhook may make them one by one, at some DNS provider's pace, and has one timeout for all. */
const changesPerCall = 50;
/** More records than that are no zone that a webhook could list in time. */
const mostRecords = 500_000;

/** What stands at one name and type: the set, and the endpoints that it came in, to be given back as they are. */
interface Standing {
  readonly set: RecordSet;
  readonly endpoints: readonly unknown[];
}

/** All endpoints, by `NAME TYPE`: of a hundred thousand few are ever looked at. */
type Records = ReadonlyMap<string, readonly unknown[]>;

const keyOf = ({ name, type }: SetKey): string => `${name} ${type}`;

/** The provider that a spec describes; throws as `createProvider` does. */
export function fromSpec(
  { url, plainHttp, caBundle }: NonNullable<DNSProviderSpec['webhook']>,
  _credentials: Credentials,
  { clock, mayWrite, timeoutMs = 30_000 }: Pick<ProviderParts, 'clock' | 'mayWrite' | 'timeoutMs'>,
): Provider {
  const protocol = URL.parse(url)?.protocol;
  if (protocol !== 'https:' && protocol !== 'http:') throw stalled('InvalidSpec', 'spec.webhook.url is not a URL');
  if (protocol === 'http:' && plainHttp !== true)
    throw stalled('InvalidSpec', 'spec.webhook.url is a URL without TLS: use https, or set plainHttp beside it');
  return createWebhook(createWire({ url, caBundle, clock, mayWrite, timeoutMs }), clock);
}

function serves({ include, exclude }: DomainFilter, name: string): boolean {
  // A filter with a dot in front is about what lies below.
  const holds = (domain: string): boolean => (domain.startsWith('.') ? name.endsWith(domain) : isWithin(name, domain));
  return (include.length === 0 || include.some(holds)) && !exclude.some(holds);
}

async function readRecords(wire: WebhookWire): Promise<Records> {
  const found = new Map<string, unknown[]>();
  let count = 0;
  await wire.records((endpoint) => {
    count += 1;
    if (count > mostRecords) throw new SyntaxError(`it holds more than ${mostRecords} records`);
    const place = placeOf(endpoint);
    if (place === undefined) return;
    const key = keyOf(place);
    const known = found.get(key);
    if (known === undefined) found.set(key, [endpoint]);
    else known.push(endpoint);
  });
  return found;
}

function standingAt(records: Records, key: SetKey): Standing | undefined {
  const parts = (records.get(keyOf(key)) ?? []).flatMap((endpoint) => {
    const set = readEndpoint(endpoint);
    return set === undefined ? [] : [{ set, endpoint }];
  });
  const set = joined(parts.map((part) => part.set));
  return set === undefined ? undefined : { set, endpoints: parts.map(({ endpoint }) => endpoint) };
}

/** An endpoint as the webhook would have it. */
interface Wanted {
  readonly endpoint: unknown;
  readonly ttl: number;
}

/**
 * Asks the webhook how it would have the sets. Names that nobody asked for are left out.
 * @throws MailsealError `ProviderRefused` where it would not have them, or with other values: what it wrote then would
 * never be what is wanted.
 */
async function adjusted(wire: WebhookWire, changes: readonly RecordChange[]): Promise<ReadonlyMap<string, Wanted>> {
  const wanted = changes.flatMap(({ after }) => (after === undefined ? [] : [after]));
  if (wanted.length === 0) return new Map();
  const answer = (await wire.adjust(wanted.map(endpointOf))).map((endpoint) => ({
    endpoint,
    set: readEndpoint(endpoint),
  }));
  return new Map(
    wanted.map((set) => {
      const found = answer.filter((one) => one.set?.name === set.name && one.set.type === set.type);
      const [one] = found;
      if (found.length === 1 && one?.set !== undefined && equalSets(one.set, set))
        return [keyOf(set), { endpoint: one.endpoint, ttl: one.set.ttl }] as const;
      const how = one === undefined ? 'leaves it out' : `would write ${one.set?.values.join(' | ')}`;
      throw new MailsealError(
        'ProviderRefused',
        `the webhook does not take ${set.type} at ${set.name} as it is: it ${how}. See its settings and its log`,
        { kind: 'Stalled' },
      );
    }),
  );
}

/** Whether the webhook would change nothing: it holds these values, and has no other TTL to give. */
const isSettled = (before: Standing, after: RecordSet, wanted: Wanted): boolean =>
  equalSets(before.set, after) && (wanted.ttl === 0 || wanted.ttl === before.set.ttl);

function bodyOf(
  changes: readonly RecordChange[],
  records: Records,
  wanted: ReadonlyMap<string, Wanted>,
): Changes | undefined {
  const body = {
    create: [] as unknown[],
    updateOld: [] as unknown[],
    updateNew: [] as unknown[],
    delete: [] as unknown[],
  };
  for (const change of changes) {
    const before = standingAt(records, change);
    const next = wanted.get(keyOf(change));
    if (before !== undefined && change.after !== undefined && next !== undefined) {
      if (isSettled(before, change.after, next)) continue;
      // Several endpoints of one name and type can't be paired with one.
      if (before.endpoints.length === 1) {
        body.updateOld.push(...before.endpoints);
        body.updateNew.push(next.endpoint);
        continue;
      }
    }
    body.delete.push(...(before?.endpoints ?? []));
    if (next !== undefined) body.create.push(next.endpoint);
  }
  return Object.values(body).every((list) => list.length === 0) ? undefined : body;
}

function createWebhook(wire: WebhookWire, clock: Clock): Provider {
  const recent = createAging<Promise<Records>>(clock, freshMs, 1);
  const filters = createAging<Promise<DomainFilter>>(clock, servedMs, 1);
  const turns = createTurns(1);

  const remembered = <T>(aging: ReturnType<typeof createAging<Promise<T>>>, make: () => Promise<T>): Promise<T> => {
    const known = aging.get('');
    if (known !== undefined) return known;
    const made = make();
    aging.set('', made);
    made.catch(() => {
      if (aging.get('') === made) aging.delete('');
    });
    return made;
  };

  const checkServed = async (zone: string, names: readonly string[]): Promise<void> => {
    const stray = names.find((name) => !isWithin(name, zone));
    if (stray !== undefined) throw new MailsealError('ProviderRefused', `${stray} is not in the zone ${zone}`);
    // What it does not serve it does not list either: that is not to be taken for absent.
    const find = async (): Promise<string | undefined> => {
      const filter = await remembered(filters, wire.negotiate);
      return names.find((name) => !serves(filter, name));
    };
    const isKnown = filters.get('') !== undefined;
    let missing = await find();
    if (missing === undefined) return;
    filters.delete('');
    // It may serve it again by now.
    if (isKnown) missing = await find();
    if (missing === undefined) return;
    filters.delete('');
    throw new MailsealError(
      'ZoneNotFound',
      `the webhook does not serve ${missing} of the zone ${zone}: correct the DNSProvider's zones, or the webhook's domain filter`,
      { kind: 'Stalled' },
    );
  };

  const pick = (records: Records, sought: readonly SetKey[]): readonly RecordSet[] => {
    const found = sought.flatMap(({ name, type }) => {
      const standing = standingAt(records, { name, type: 'CNAME' }) ?? standingAt(records, { name, type });
      return standing === undefined ? [] : [[keyOf(standing.set), standing.set] as const];
    });
    return [...new Map(found).values()];
  };

  const list: Provider['list'] = async (zone, sought) => {
    const records = remembered(recent, async () => {
      // What it serves no more it does not list either.
      filters.delete('');
      await remembered(filters, wire.negotiate);
      return readRecords(wire);
    });
    await checkServed(
      zone,
      sought.map(({ name }) => name),
    );
    return pick(await records, sought);
  };

  const apply: Provider['apply'] = async (zone, changes) => {
    if (changes.length === 0) return;
    // Two writes at a time would each compare with what the other is about to change.
    await turns.take('', async () => {
      recent.delete('');
      await checkServed(
        zone,
        changes.map(({ name }) => name),
      );
      const records = await remembered(recent, () => readRecords(wire));
      await stillStands(async (_zone, sought) => pick(records, sought), zone, changes);
      const body = bodyOf(changes, records, await adjusted(wire, changes));
      try {
        if (body !== undefined) await wire.send(body);
      } finally {
        recent.delete('');
      }
    });
  };

  const { close } = wire;
  const rate = { atOnce: 4 };
  return { capabilities: capabilitiesOf.webhook, rate, share: () => 1 / changesPerCall, list, apply, close };
}
