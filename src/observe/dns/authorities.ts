/** Asks the servers that hold a zone themselves, past every cache: what they show is what the world will see. */
import { isIP } from 'node:net';
import type { Clock } from '../../clock.ts';
import type { Authorities, QueryType, Resolver, ServerAnswer } from '../../dns/answer.ts';
import { isWithin, parentsUpTo } from '../../dns/names.ts';
import type { AddressPolicy } from './address.ts';
import { failedAnswer, plainName, readAnswer, signaturesOf, valueOf } from './read.ts';
import { noRouteDetail } from './shown.ts';
import { type Asked, createTransport } from './transport.ts';
import type { Message, WireRecord } from './wire.ts';

export interface AuthoritiesOptions {
  /** Finds the servers' names and addresses. */
  readonly resolver: Resolver;
  /** The servers' addresses come from strangers' DNS; those that it denies are not asked. */
  readonly allow: AddressPolicy;
  readonly clock: Clock;
  /** Default 53. */
  readonly port?: number;
  /** Milliseconds for one question to one address. Default 5000. */
  readonly timeoutMs?: number;
}

interface Place {
  readonly server: string;
  /** '' where the server's name has no address. */
  readonly address: string;
}

interface Found<T> {
  readonly value: T;
  /** Seconds. */
  readonly ttl: number;
}

const longestCacheSeconds = 60;
/** More servers than any sane zone has; bounds what a hostile delegation makes us ask. */
const maxServers = 26;
const mostVerdicts = 1000;

function minTtl(...ttls: readonly number[]): number {
  return Math.min(longestCacheSeconds, ...ttls);
}

function nsNames(records: readonly WireRecord[], zone: string): readonly string[] {
  return records.flatMap((record) => (record.type === 'NS' && record.name === zone ? [plainName(record.data)] : []));
}

function glueOf(message: Message): ReadonlyMap<string, readonly string[]> {
  const glue = new Map<string, string[]>();
  for (const record of message.additionals) {
    if (record.type !== 'A' && record.type !== 'AAAA') continue;
    glue.set(record.name, [...(glue.get(record.name) ?? []), valueOf(record) ?? '']);
  }
  return glue;
}

interface Delegation {
  readonly names: readonly string[];
  readonly glue: ReadonlyMap<string, readonly string[]>;
}

const noDelegation: Delegation = { names: [], glue: new Map() };

/** Why a server's message is not an answer about its own zone; undefined when it is. */
function lameness(message: Message): string | undefined {
  const { rcode, extendedError, authoritative } = message;
  if (rcode !== 'NOERROR' && rcode !== 'NXDOMAIN')
    return extendedError === undefined ? rcode : `${rcode}: ${extendedError}`;
  return authoritative ? undefined : 'it does not serve this zone (no authoritative answer)';
}

function readAuthority(asked: Asked, place: Place, name: string, type: QueryType): ServerAnswer {
  if (!asked.ok) {
    const detail = asked.noRoute ? noRouteDetail(isIP(place.address) === 6 ? 6 : 4) : asked.detail;
    return { ...place, answer: failedAnswer(name, type, 'Unreachable', detail) };
  }
  const lame = lameness(asked.message);
  if (asked.message.rcode === 'SERVFAIL') return { ...place, answer: failedAnswer(name, type, 'ServFail', lame) };
  if (lame !== undefined) return { ...place, answer: failedAnswer(name, type, 'Unreachable', lame), lame: true };
  const signatures = signaturesOf(asked.message, name, type);
  const answer = readAnswer(asked.message, name, type, false);
  return signatures.length === 0 ? { ...place, answer } : { ...place, answer, signatures };
}

/**
 * A server that can't be asked is in the result with outcome `Unreachable` and the cause in `detail`; an empty result
 * means that no server of the zone could be found. Nothing in it is ever `authentic`.
 */
export function createAuthorities(options: AuthoritiesOptions): Authorities & { readonly close: () => void } {
  const { resolver, allow, clock } = options;
  const port = options.port ?? 53;
  const transport = createTransport({ timeoutMs: options.timeoutMs ?? 5000 });
  const cache = new Map<string, { readonly until: number; readonly places: Promise<Found<readonly Place[]>> }>();

  /** Of the addresses that are asked: reading one costs as much as asking it. */
  const permitted = new Map<string, boolean>();
  const permits = (address: string): boolean => {
    const verdict = permitted.get(address) ?? allow.permits(address);
    if (permitted.size >= mostVerdicts) permitted.clear();
    permitted.set(address, verdict);
    return verdict;
  };

  const askAt = async (address: string, name: string, type: QueryType): Promise<Asked> => {
    if (!permits(address)) {
      return { ok: false, detail: `${address} is not a public address and not in the allow-list`, noRoute: false };
    }
    const endpoint = { protocol: 'udp', address, port, serverName: undefined } as const;
    return await transport.ask(endpoint, { name, type, recursion: false, checkingDisabled: false });
  };

  const addressesOf = async (server: string): Promise<Found<readonly string[]>> => {
    const answers = await Promise.all([resolver.lookup(server, 'A'), resolver.lookup(server, 'AAAA')]);
    const found = answers.filter((answer) => answer.outcome === 'Found');
    return { value: found.flatMap((answer) => answer.values), ttl: minTtl(...found.map((answer) => answer.ttl)) };
  };

  /** The NS set above the cut, from the first of the parent's servers that gives it; empty where none can be asked. */
  const delegationOf = async (zone: string): Promise<Delegation> => {
    for (const parent of parentsUpTo(zone, '')) {
      const parentNs = await resolver.lookup(parent, 'NS');
      if (parentNs.outcome !== 'Found') continue;
      for (const server of parentNs.values.slice(0, 4)) {
        const { value: addresses } = await addressesOf(plainName(server));
        for (const address of addresses) {
          const asked = await askAt(address, zone, 'NS');
          if (!asked.ok) continue;
          const { authorities, answers } = asked.message;
          const names = [...nsNames(authorities, zone), ...nsNames(answers, zone)];
          if (names.length > 0) return { names, glue: glueOf(asked.message) };
        }
      }
      return noDelegation;
    }
    return noDelegation;
  };

  const findPlaces = async (zone: string): Promise<Found<readonly Place[]>> => {
    const [apex, delegation] = await Promise.all([resolver.lookup(zone, 'NS'), delegationOf(zone)]);
    const names = [...new Set([...apex.values.map(plainName), ...delegation.names])].sort().slice(0, maxServers);
    const perServer = await Promise.all(
      names.map(async (server) => {
        const { value, ttl } = await addressesOf(server);
        const addresses = new Set([...value, ...(isWithin(server, zone) ? (delegation.glue.get(server) ?? []) : [])]);
        const places = [...addresses].map((address): Place => ({ server, address }));
        return { value: places.length === 0 ? [{ server, address: '' }] : places, ttl };
      }),
    );
    const ttl = apex.outcome === 'Found' ? minTtl(apex.ttl, ...perServer.map((one) => one.ttl)) : 0;
    return { value: perServer.flatMap((one) => one.value), ttl };
  };

  const placesOf = async (zone: string): Promise<readonly Place[]> => {
    const known = cache.get(zone);
    if (known !== undefined && clock.now() < known.until) return (await known.places).value;
    const places = findPlaces(zone);
    cache.set(zone, { until: clock.now() + longestCacheSeconds * 1000, places });
    const { value, ttl } = await places;
    cache.set(zone, { until: clock.now() + ttl * 1000, places });
    for (const [other, { until }] of cache) if (until <= clock.now()) cache.delete(other);
    return value;
  };

  const lookupAll: Authorities['lookupAll'] = async (zone, name, type, most = Number.POSITIVE_INFINITY) => {
    const places = (await placesOf(plainName(zone))).slice(0, most);
    return await Promise.all(
      places.map(async (place): Promise<ServerAnswer> => {
        if (place.address === '') {
          const answer = failedAnswer(name, type, 'Unreachable', `no address is known for ${place.server}`);
          return { ...place, answer };
        }
        return readAuthority(await askAt(place.address, name, type), place, name, type);
      }),
    );
  };
  return { lookupAll, close: transport.close };
}
