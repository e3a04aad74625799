/** What each authoritative server shows: the sets that matter again and again, and now and then all that there is. */
import type { Answer, RecordType } from 'dns-packet';
import { ask } from '../lab/dns-ask.ts';
import { isBelow, type RecordSet, type Scene, type Sighting } from './sightings.ts';

type SetSeen = Extract<Sighting, { of: 'set' | 'walk' }>;

const timeoutMs = 2000;
/** Made by the server itself. */
const unasked = new Set(['RRSIG', 'NSEC', 'SOA', 'NS', 'DNSKEY', 'CDS', 'CDNSKEY', 'TYPE65534', 'UNKNOWN_65534']);

const wantedOf = ({ domains, hosts }: Scene): readonly (readonly [name: string, type: RecordType])[] => [
  ...domains.flatMap((domain): (readonly [string, RecordType])[] => [
    [domain, 'MX'],
    [`_mta-sts.${domain}`, 'TXT'],
    [`mta-sts.${domain}`, 'A'],
    [`_smtp._tls.${domain}`, 'TXT'],
  ]),
  ...[...new Set(hosts.map(({ host }) => host))].flatMap((host): (readonly [string, RecordType])[] => [
    [`_25._tcp.${host}`, 'TLSA'],
    [host, 'A'],
  ]),
];

export interface ZoneWatch {
  /** One look at a server; what it did not answer was not seen. */
  readonly look: (server: string) => Promise<void>;
  readonly walk: (domain: string) => Promise<void>;
}

/** `zone` is where the serial stands that says whether anything has changed. */
export function watchZone(
  scene: Scene,
  zones: readonly string[],
  { now, seen }: { readonly now: () => number; readonly seen: (sighting: SetSeen) => void },
): ZoneWatch {
  const serials = new Map<string, string>();
  const last = new Map<string, readonly (readonly [string, RecordType, RecordSet | undefined])[]>();

  const look = async (server: string): Promise<void> => {
    const from = now();
    const serial = (await Promise.all(zones.map((zone) => serialOf(server, zone)))).join(' ');
    let sets = last.get(server);
    if (sets === undefined || serials.get(server) !== serial) {
      // Whatever changes while the sets are read changes the serial again.
      sets = await Promise.all(
        wantedOf(scene).map(async ([name, type]) => [name, type, await setAt(server, name, type)] as const),
      );
      last.set(server, sets);
      serials.set(server, serial);
    }
    const to = now();
    for (const [name, type, set] of sets) seen({ of: 'set', server, name, type, set, from, to });
  };
  const walk = async (domain: string): Promise<void> => {
    const [server] = scene.servers;
    if (server === undefined) return;
    const from = now();
    const sets = await allBelow(server, domain);
    seen({ of: 'walk', domain, sets, from, to: now() });
  };
  return { look, walk };
}

async function serialOf(server: string, name: string): Promise<number> {
  const { answers } = await ask({ server, name, type: 'SOA', timeoutMs, dnssec: false });
  const soa = answers.find((answer) => answer.type === 'SOA');
  if (soa?.data.serial === undefined) throw new Error(`${server} shows no SOA of ${name}`);
  return soa.data.serial;
}

/** What is answered from a wildcard or behind an alias is not at the name. */
async function setAt(server: string, name: string, type: RecordType): Promise<RecordSet | undefined> {
  const { answers } = await ask({ server, name, type, timeoutMs, dnssec: false });
  const here = answers.filter((answer) => answer.type === type && answer.name.toLowerCase() === name);
  const ttl = here.map((answer) => ('ttl' in answer ? (answer.ttl ?? 0) : 0));
  return here.length === 0 ? undefined : { name, type, ttl: Math.max(...ttl), values: here.map(valueOf).sort() };
}

/** Along the chain of NSEC records, which leaves no name out. */
async function allBelow(server: string, domain: string): Promise<readonly RecordSet[]> {
  const sets: RecordSet[] = [];
  for (let name = domain; isBelow(name, domain); ) {
    const chain = (await ask({ server, name, type: 'NSEC', timeoutMs })).answers.find(({ type }) => type === 'NSEC');
    if (chain?.type !== 'NSEC') throw new Error(`${server} shows no NSEC record of ${name}`);
    const types = chain.data.rrtypes.filter((type) => !unasked.has(type)) as RecordType[];
    const found = await Promise.all(types.map((type) => setAt(server, name, type)));
    sets.push(...found.filter((set) => set !== undefined));
    name = chain.data.nextDomain.replace(/\.$/u, '').toLowerCase();
    if (name === domain) break;
  }
  return sets;
}

function valueOf(answer: Answer): string {
  if (answer.type === 'TXT') return [answer.data].flat().map(String).join('');
  if (answer.type === 'MX') return `${answer.data.preference} ${answer.data.exchange.toLowerCase()}`;
  if (answer.type === 'A' || answer.type === 'AAAA' || answer.type === 'CNAME') return answer.data.toLowerCase();
  if (answer.type !== 'TLSA') return JSON.stringify('data' in answer ? answer.data : undefined);
  const { usage, selector, matchingType, certificate } = answer.data;
  return `${usage} ${selector} ${matchingType} ${Buffer.from(certificate).toString('hex')}`;
}
