/** The stage of one sequence: name servers, an operator or two, an oracle who watches, and time that moves by steps. */
import { adoptAnnotation } from '../../src/desired/adopt.ts';
import type { DNSProvider, MailDomain, MailExchanger } from '../../src/api/types.ts';
import { apiVersion } from '../../src/api/types.ts';
import type { KubeObject } from '../../src/kube/types.ts';
import type { RecordSet } from '../../src/dns/rrset.ts';
import { fakeAuthorities, fakeResolver, type FakeWorld } from '../fakes/resolver.ts';
import { keyOf, markOf, ownZone, type PlacedSpot, placedSpots, sameSet, type Sets, zone } from './names.ts';
import { type Operator, type Run, createOperator } from './operator.ts';
import { type Oracle, createOracle, type Wishes } from './oracle.ts';
import type { Server } from './server.ts';
import { idOfFirst } from './steps.ts';
import { calmWeather, type Sky } from './weather.ts';

export interface Ground {
  readonly sky: Sky;
  readonly server: Server;
  readonly oracle: Oracle;
  readonly first: Operator;
  readonly second: Operator | undefined;
  /** The programs that run now, by operator. */
  readonly runs: Map<string, Run>;
  readonly now: () => number;
  readonly pass: (ms: number) => void;
  /** What must not happen and is no matter of records. */
  readonly problems: string[];
  /** Programs that lead no more, with the writes that they had made by then. */
  readonly ended: { readonly life: Run['life']; readonly writes: number }[];
  /** All that operators ever wrote, by key. */
  readonly history: Map<string, RecordSet[]>;
  /** Record sets that operators wrote or removed so far. */
  written: number;
  /** Lists have shown what stood no more. */
  wasStale: boolean;
  /** An older copy of the memory of the first operator, and what tells the oracle that it is back. */
  kept: { readonly states: readonly KubeObject[]; readonly back: () => void } | undefined;
}

const isLive = (object: { readonly metadata: { readonly deletionTimestamp?: string } } | undefined): boolean =>
  object !== undefined && object.metadata.deletionTimestamp === undefined;

/** What an operator is asked for, as its objects say; of what is being retired all may stand. */
export function wishesOf(operator: Operator, id: string, tlsa: boolean): Wishes {
  const wanted = new Map<string, readonly string[] | undefined>();
  const adopted = new Set<string>();
  const exchanger = operator.exchanger();
  const mailDomain = operator.mailDomain();
  const wants = (object: MailExchanger | MailDomain, place: string, roles: readonly PlacedSpot['role'][]): void => {
    const own = object.spec.dnsProviderRef?.name === 'behind';
    for (const spot of placedSpots) {
      if (spot.place !== place || spot.own !== own || !roles.includes(spot.role)) continue;
      const values = valuesOf(operator, id, spot);
      if (values === 'none') continue;
      wanted.set(keyOf(spot), values);
      const plain = own ? keyOf({ ...spot, name: spot.name.slice(0, -ownZone.length - 1) }) : keyOf(spot);
      if (adoptsOf(object).includes(plain)) adopted.add(keyOf(spot));
    }
  };
  if (exchanger !== undefined && isLive(exchanger)) {
    const dane = tlsa && exchanger.spec.dane?.mode !== 'Off';
    for (const host of exchanger.spec.hosts) wants(exchanger, host, dane ? ['mark', 'tlsa'] : ['mark']);
  }
  const retiring = operator
    .all<{ readonly spec: { readonly what: string } } & MailDomain>('Retirement')
    .some(({ spec }) => spec.what === 'Domain');
  if (mailDomain !== undefined && isLive(mailDomain)) {
    wants(mailDomain, mailDomain.spec.domain, ['mark', 'address', 'reports', 'policy']);
  } else if (retiring || mailDomain !== undefined) {
    for (const spot of placedSpots)
      if (spot.role !== 'tlsa' && !spot.place.startsWith('mx')) wanted.set(keyOf(spot), undefined);
  }
  return { wanted, adopted };
}

const adoptsOf = ({ metadata }: MailExchanger | MailDomain): readonly string[] =>
  (metadata.annotations?.[adoptAnnotation] ?? '').split(', ');

/** The values where they are known, `none` where nothing is to stand. */
function valuesOf(operator: Operator, id: string, { role, type }: PlacedSpot): readonly string[] | undefined | 'none' {
  switch (role) {
    case 'mark':
      return [markOf(id)];
    case 'address': {
      const { ipv4, ipv6 } = operator.addresses;
      if (ipv4.length + ipv6.length === 0) return undefined;
      const values = type === 'A' ? ipv4 : ipv6;
      return values.length === 0 ? 'none' : values;
    }
    case 'reports': {
      const [uri] = operator.mailDomain()?.spec.tlsRpt?.rua ?? [];
      return uri === undefined ? 'none' : [`v=TLSRPTv1; rua=${uri};`];
    }
    case 'tlsa':
    case 'policy':
      return undefined;
  }
}

function providersFor(type: Server['type']): readonly DNSProvider[] {
  const api = type === 'rfc2136' ? { server: '192.0.2.53', tsigKeyName: 'key' } : { url: 'https://dns.example' };
  const common = { allowedNamespaces: { names: ['mail'] }, credentialsSecretRef: { name: 'key' }, [type]: api };
  const named = (name: string, spec: object): DNSProvider =>
    ({ apiVersion, kind: 'DNSProvider', metadata: { name }, spec: { ...common, ...spec } }) as unknown as DNSProvider;
  return [
    named('main', { zones: [zone, ownZone], default: true }),
    named('behind', { zones: [ownZone], delegated: { zones: [zone] } }),
  ];
}

export async function createGround(server: Server, second: 'none' | 'same' | 'other'): Promise<Ground> {
  let time = Date.UTC(2026, 10, 22);
  const now = (): number => time;
  const start = await server.read();
  const dns: FakeWorld = { records: {}, secure: [zone, ownZone] };
  const changed = (sets: Sets): void => {
    dns.records = Object.fromEntries([...sets].map(([key, { values }]) => [key, values]));
  };
  changed(start);
  const ids = new Map([['first', idOfFirst]]);
  if (second !== 'none') ids.set('second', second === 'same' ? idOfFirst : 'installation-other');
  const operators = new Map<string, Operator>();
  const tlsa = server.type !== 'externalDns' && server.type !== 'webhook';
  const history = new Map<string, RecordSet[]>();
  const oracle = createOracle(
    now,
    ids,
    (operator) => {
      const of = operators.get(operator);
      return of === undefined ? { wanted: new Map(), adopted: new Set() } : wishesOf(of, ids.get(operator) ?? '', tlsa);
    },
    start,
  );
  const wrote: Oracle['wrote'] = (operator, after, lookedAt) => {
    for (const key of new Set([...oracle.standing().keys(), ...after.keys()])) {
      const set = after.get(key);
      if (sameSet(oracle.standing().get(key), set)) continue;
      ground.written += 1;
      if (set !== undefined) history.set(key, [...(history.get(key) ?? []).slice(-5), set]);
    }
    oracle.wrote(operator, after, lookedAt);
  };
  const sky: Sky = { server, oracle: { ...oracle, wrote }, weather: calmWeather(), now, changed };
  const around = {
    sky,
    resolver: fakeResolver(dns),
    authorities: fakeAuthorities({ [`ns1.${zone} 192.0.2.53`]: dns }),
  };
  const runs = new Map<string, Run>();
  for (const [name, id] of ids) {
    const operator = await createOperator(name, id, around);
    for (const provider of providersFor(server.type)) await operator.kube.create(provider);
    operators.set(name, operator);
    runs.set(name, await operator.start());
  }
  const first = operators.get('first');
  if (first === undefined) throw new Error('there is no operator');
  const ground: Ground = {
    sky,
    server,
    oracle,
    first,
    second: operators.get('second'),
    runs,
    now,
    pass: (ms) => {
      time += ms;
    },
    problems: [],
    ended: [],
    history,
    written: 0,
    wasStale: false,
    kept: undefined,
  };
  return ground;
}
