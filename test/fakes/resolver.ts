import type { Answer, Authorities, Outcome, QueryType, Resolver, ServerAnswer } from '../../src/dns/answer.ts';
import { isWithin, parentsUpTo } from '../../src/dns/names.ts';

export interface FakeWorld {
  /** Values by `name TYPE`: `{'example.com MX': ['10 mx1.example.com'], '*.example.com A': […]}`. May be changed. */
  records: Record<string, readonly string[]>;
  /** Zones or names whose answers, denials included, are authentic. */
  secure?: readonly string[];
  /** Names (with all below them) that answer so, whatever the records say. */
  failing?: Record<string, 'ServFail' | 'Bogus' | 'Unreachable'>;
  /** Seconds. Default 300. */
  ttl?: number;
}

function answerOf(world: FakeWorld, name: string, type: QueryType, fields: Partial<Answer>): Answer {
  return {
    name,
    type,
    outcome: 'NoData',
    authentic: (world.secure ?? []).some((zone) => isWithin(name, zone)),
    canonicalName: name,
    values: [],
    ttl: world.ttl ?? 300,
    wildcard: undefined,
    detail: undefined,
    ...fields,
  };
}

function exists(world: FakeWorld, name: string): boolean {
  return Object.keys(world.records).some((key) => isWithin(key.split(' ')[0] ?? '', name));
}

/** The name whose records answer: the name itself, or the wildcard of its closest parent that exists. */
function sourceOf(world: FakeWorld, name: string): string | undefined {
  if (exists(world, name)) return name;
  const closest = parentsUpTo(name, '').find((parent) => exists(world, parent));
  return closest !== undefined && exists(world, `*.${closest}`) ? `*.${closest}` : undefined;
}

/** Answers as a resolver would that knows only the records of `world`: CNAMEs, wildcards, denials. */
function answerFrom(world: FakeWorld, name: string, type: QueryType): Answer {
  const failed = Object.entries(world.failing ?? {}).find(([below]) => isWithin(name, below))?.[1];
  if (failed !== undefined) {
    return answerOf(world, name, type, { outcome: failed, authentic: false, ttl: 0, detail: `${failed} by the test` });
  }
  const source = sourceOf(world, name);
  if (source === undefined) return answerOf(world, name, type, { outcome: 'NxDomain' });
  const signed = (world.secure ?? []).some((zone) => isWithin(name, zone));
  const wildcard = signed ? source !== name : undefined;
  const values = world.records[`${source} ${type}`];
  if (values !== undefined) return answerOf(world, name, type, { outcome: 'Found', values, wildcard });
  const target = world.records[`${source} CNAME`]?.[0];
  if (target === undefined) return answerOf(world, name, type, {});
  const there = answerFrom(world, target, type);
  const authentic = there.authentic && signed;
  return { ...there, name, authentic, wildcard };
}

export function fakeResolver(world: FakeWorld, view: Resolver['view'] = 'outside'): Resolver {
  return { view, lookup: async (name, type) => answerFrom(world, name, type) };
}

/** Servers by `name address`, each with a world of its own; one may be lame, or `Unreachable`, with a route to it or without. */
export function fakeAuthorities(
  servers: Readonly<Record<string, FakeWorld | 'Unreachable' | 'NoRoute' | 'Lame'>>,
): Authorities {
  const silent = (name: string, type: QueryType, detail: string): Answer => {
    const outcome: Outcome = 'Unreachable';
    return answerOf({ records: {} }, name, type, { outcome, ttl: 0, detail });
  };
  return {
    lookupAll: async (_zone, name, type) =>
      Object.entries(servers).map(([key, world]): ServerAnswer => {
        const [server = '', address = ''] = key.split(' ');
        if (world === 'Unreachable') return { server, address, answer: silent(name, type, 'no answer') };
        if (world === 'Lame') return { server, address, answer: silent(name, type, 'REFUSED'), lame: true };
        if (world === 'NoRoute') {
          const family = address.includes(':') ? 6 : 4;
          return { server, address, answer: silent(name, type, `no IPv${family} from here`) };
        }
        return { server, address, answer: { ...answerFrom(world, name, type), authentic: false } };
      }),
  };
}
