import type { Clock } from '../clock.ts';
import type { Answer, Resolver } from '../dns/answer.ts';
import type { AddressPolicy } from './dns/address.ts';
import type { SmtpProbe } from '../pki/observed.ts';

/** What the asker hopes to see, and what makes an older probe stale. */
export interface ProbeWish {
  /** Digest of the key that should be presented; undefined: any answer will do. */
  readonly spkiSha256: string | undefined;
  /** Milliseconds since 1970: something changed then (an agent attested, someone asked); look again after it. */
  readonly changedAt: number;
}

/** Probes of MX hosts, remembered per address, so that no mail server is asked more often than it is worth. */
export interface Prober {
  /** One probe per address of the host; empty where it has no address. Never rejects. */
  readonly probe: (host: string, wish: ProbeWish) => Promise<readonly SmtpProbe[]>;
}

export interface ProberOptions {
  readonly resolver: Resolver;
  readonly allow: AddressPolicy;
  readonly clock: Clock;
  readonly probe: (target: { readonly host: string; readonly address: string }) => Promise<SmtpProbe>;
}

const second = 1000;
/** How long a good answer stands. */
const steadyMs = 6 * 60 * 60 * second;
const firstRetryMs = 2 * second;
const longestRetryMs = 60 * second;
const mostAddresses = 16;
const mostRemembered = 20_000;

interface Memory {
  readonly probe: SmtpProbe;
  readonly misses: number;
}

const isGood = ({ result }: SmtpProbe, { spkiSha256 }: ProbeWish): boolean =>
  result.outcome === 'Tls' && (spkiSha256 === undefined || result.chain[0]?.spkiSha256 === spkiSha256);

function isDue(memory: Memory, wish: ProbeWish, now: number): boolean {
  const { at } = memory.probe;
  // A time that is yet to come is that of a clock gone wrong, or of someone who wants us to ask without end.
  if (wish.changedAt > at && wish.changedAt <= now) return now - at >= second / 2;
  const wait = isGood(memory.probe, wish) ? steadyMs : Math.min(firstRetryMs * 2 ** memory.misses, longestRetryMs);
  return now - at >= wait;
}

/** What is unknown is not absent: addresses that could not be looked up may present anything. */
function unknownAddresses(host: string, answers: readonly Answer[], now: number): readonly SmtpProbe[] {
  return answers.flatMap(({ type, outcome, detail }) => {
    if (outcome === 'Found' || outcome === 'NoData' || outcome === 'NxDomain') return [];
    const why = `the ${type} records of ${host} can't be looked up: ${detail ?? outcome}`;
    return [{ host, address: type, port: 25, at: now, result: { outcome: 'Unknown', detail: why } } as const];
  });
}

/** Nor is what was not asked: nothing is proven of all addresses by the first of them. */
function unasked(host: string, addresses: readonly string[], now: number): readonly SmtpProbe[] {
  const [first] = addresses;
  if (first === undefined) return [];
  const detail = `${host} has more than ${mostAddresses} addresses: ${addresses.length} of them are not probed`;
  return [{ host, address: first, port: 25, at: now, result: { outcome: 'Unknown', detail } }];
}

export function createProber(options: ProberOptions): Prober {
  const { clock, resolver, allow } = options;
  const memories = new Map<string, Memory>();
  const running = new Map<string, Promise<SmtpProbe>>();

  const lookUp = (host: string): Promise<readonly Answer[]> =>
    Promise.all([resolver.lookup(host, 'A'), resolver.lookup(host, 'AAAA')]);

  const ask = (host: string, address: string): Promise<SmtpProbe> => {
    if (allow.permits(address)) return options.probe({ host, address });
    const detail = `${address} is not an address of the public Internet, and is not probed unless the installation allows its range`;
    return Promise.resolve({ host, address, port: 25, at: clock.now(), result: { outcome: 'Unknown', detail } });
  };

  const probeAddress = async (host: string, address: string, wish: ProbeWish): Promise<SmtpProbe> => {
    const key = `${host} ${address}`;
    const memory = memories.get(key);
    if (memory !== undefined && !isDue(memory, wish, clock.now())) return memory.probe;
    const current = running.get(key) ?? ask(host, address);
    running.set(key, current);
    try {
      const probe = await current;
      memories.delete(key);
      memories.set(key, { probe, misses: isGood(probe, wish) ? 0 : (memory?.misses ?? 0) + 1 });
      const [oldest] = memories.keys();
      if (memories.size > mostRemembered && oldest !== undefined) memories.delete(oldest);
      return probe;
    } finally {
      running.delete(key);
    }
  };

  return {
    probe: async (host, wish) => {
      const answers = await lookUp(host);
      const addresses = answers.flatMap(({ outcome, values }) => (outcome === 'Found' ? values : []));
      const asked = addresses.slice(0, mostAddresses).map((address) => probeAddress(host, address, wish));
      const probes = await Promise.all(asked);
      const now = clock.now();
      return [
        ...probes,
        ...unasked(host, addresses.slice(mostAddresses), now),
        ...unknownAddresses(host, answers, now),
      ];
    },
  };
}
