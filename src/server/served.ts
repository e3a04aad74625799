/** What a policy pod serves now: the last good entry of every host, whatever becomes of its shard afterwards. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { messageOf } from '../errors.ts';
import { type HostEntry, parseShard, type ShardProblem, shardOf } from '../policyshard/shard.ts';

export interface ServedHost {
  readonly entry: HostEntry;
  /** The policy as it goes on the wire; `undefined` answers 404. */
  readonly body: Buffer | undefined;
}

/** What one reading of a shard changed. */
interface Taken {
  /** `false`: nothing of the shard could be used, the last good one stays. */
  readonly used: boolean;
  readonly problems: readonly ShardProblem[];
  /** Hosts that are new, gone or different. */
  readonly changed: readonly string[];
  /** Hosts that the shard no longer has and that are served on all the same: nobody asked for their removal. */
  readonly missing: readonly string[];
}

export interface Served {
  readonly find: (host: string) => ServedHost | undefined;
  readonly take: (shardName: string, text: string, now: number) => Taken;
  readonly size: () => number;
}

/** @param mounted how many shards there are; they are named 0, 1, … */
export function createServed(mounted: () => number): Served {
  const shards = new Map<string, ReadonlyMap<string, ServedHost>>();
  const homeOf = (host: string): string | undefined => (mounted() < 1 ? undefined : String(shardOf(host, mounted())));
  /** In its own shard is the newest; another may hold a copy from when there were more or fewer shards. */
  const find = (host: string): ServedHost | undefined => {
    const own = shards.get(homeOf(host) ?? '')?.get(host);
    if (own !== undefined) return own;
    for (const hosts of shards.values()) {
      const found = hosts.get(host);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  const take = (shardName: string, text: string, now: number): Taken => {
    const parsed = parseShard(text);
    if (parsed.shard === undefined) return { used: false, problems: parsed.problems, changed: [], missing: [] };
    const before = shards.get(shardName) ?? new Map<string, ServedHost>();
    const after = new Map<string, ServedHost>();
    const problems = [...parsed.problems];
    const keep = (host: string): void => {
      const last = before.get(host);
      if (last !== undefined) after.set(host, last);
    };
    for (const [host, entry] of Object.entries(parsed.shard.hosts)) {
      const last = before.get(host);
      if (last !== undefined && sameEntry(last.entry, entry)) {
        after.set(host, last);
        continue;
      }
      const problem = pairProblem(host, entry, now);
      if (problem === undefined) after.set(host, servedHost(entry));
      else {
        problems.push({ host, message: problem });
        keep(host);
      }
    }
    for (const { host } of parsed.problems) if (host !== undefined) keep(host);
    const missing = [...before.keys()].filter((host) => !after.has(host) && !movedHome(host, shardName));
    for (const host of missing) keep(host);
    shards.set(shardName, after);
    return { used: true, problems, changed: differences(before, after), missing };
  };
  const movedHome = (host: string, from: string): boolean => {
    const home = homeOf(host);
    return home !== undefined && home !== from && shards.get(home)?.has(host) === true;
  };
  const size = (): number => new Set([...shards.values()].flatMap((hosts) => [...hosts.keys()])).size;
  return { find, take, size };
}

/** Why this certificate and key can't be presented for the host; `undefined` when they can. */
function pairProblem(host: string, entry: HostEntry, now: number): string | undefined {
  const { certificate, key } = entry;
  if (certificate === null || key === null) return undefined;
  try {
    const leaf = new X509Certificate(certificate);
    if (!leaf.checkPrivateKey(createPrivateKey(key))) return 'the key does not belong to the certificate';
    if (leaf.validToDate.getTime() <= now) return `the certificate has expired on ${leaf.validToDate.toISOString()}`;
    if (leaf.checkHost(host, { subject: 'never', partialWildcards: false }) === undefined) {
      return 'the certificate does not name the host';
    }
    return undefined;
  } catch (error) {
    return `certificate or key can't be read: ${messageOf(error)}`;
  }
}

function servedHost(entry: HostEntry): ServedHost {
  return { entry, body: entry.policy === null ? undefined : Buffer.from(entry.policy) };
}

function sameEntry(a: HostEntry, b: HostEntry): boolean {
  return (
    a.policy === b.policy &&
    a.revision === b.revision &&
    a.certificate === b.certificate &&
    a.key === b.key &&
    JSON.stringify(a.http01) === JSON.stringify(b.http01)
  );
}

function differences(before: ReadonlyMap<string, ServedHost>, after: ReadonlyMap<string, ServedHost>): string[] {
  const names = new Set([...before.keys(), ...after.keys()]);
  return [...names].filter((name) => before.get(name) !== after.get(name));
}
