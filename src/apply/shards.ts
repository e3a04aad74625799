import { setTimeout as pause } from 'node:timers/promises';
import { messageOf } from '../errors.ts';
import { hasReason } from '../kube/error.ts';
import type { Kube, Ref, SecretObject } from '../kube/types.ts';
import type { Log } from '../log.ts';
import { emptyShard, type HostEntry, type ParsedShard, parseShard, type Shard, shardOf } from '../policyshard/shard.ts';
import { packShard, unpackShard } from '../server/shard-file.ts';

/** The fixed number of Secrets that the policy pods mount, filled by the operator. */
export interface Shards {
  /** What the shard Secret holds for a policy host, as of a few seconds ago at most. */
  readonly read: (host: string) => Promise<HostEntry | undefined>;
  /**
   * Writes one host's entry and nudges the policy pods, so that their kubelets look at once. Entries of many domains
   * that arrive while a write is under way share the next one. A copy that another shard still holds, from when there
   * were more or fewer of them, is then taken away.
   */
  readonly serve: (host: string, entry: HostEntry) => Promise<void>;
  /** Takes one host's entry out; no write where there is none. */
  readonly unserve: (host: string) => Promise<void>;
}

export interface ShardOptions {
  readonly kube: Kube;
  readonly namespace: string;
  readonly secretPrefix: string;
  readonly count: number;
  /** The policy pods that exist now, ready or not. */
  readonly pods: () => readonly { readonly name: string }[];
  /** A shard that was absent or damaged has been begun anew: every host must be looked at, and served again. */
  readonly onRebuilt?: () => void;
  /**
   * Milliseconds between two writes of a small shard: what many domains change meanwhile shares the second. Default 700;
   * a large one is left alone for longer, in proportion to its size.
   */
  readonly gapMs?: number;
  readonly log: Log;
}

const nudge = 'mailseal.dev/nudge';
const attempts = 5;
/** Milliseconds for which a shard is not read again: looks at its many domains share one reading, and what was written. */
const freshMs = 5_000;

/** Bytes of a shard that is written as often as a small one: all of a shard travels with each change. */
const smallBytes = 96 * 1024;

interface Pending {
  readonly host: string;
  /** Undefined: the shard is no longer to hold the host. */
  readonly entry: HostEntry | undefined;
  readonly settle: PromiseWithResolvers<void>;
}

interface Reading {
  readonly resourceVersion: string | undefined;
  readonly shard: Shard;
  /** The Secret is absent, empty or damaged: hosts that it held may be missing. */
  readonly lost: boolean;
}

/** What a shard Secret says; a text that does not inflate is one that can't be read. */
async function unpack(secret: SecretObject | undefined): Promise<ParsedShard> {
  const [name, value] = Object.entries(secret?.data ?? {})[0] ?? [];
  if (name === undefined || value === undefined) return { shard: emptyShard, problems: [] };
  try {
    return parseShard(await unpackShard(name, Buffer.from(value, 'base64')));
  } catch (error) {
    return { problems: [{ message: `the shard can't be unpacked: ${messageOf(error)}` }] };
  }
}

export function createShards(options: ShardOptions): Shards {
  const { kube, namespace, log, gapMs = 700 } = options;
  const waiting = new Map<number, Pending[]>();
  const busy = new Set<number>();
  /** When each shard may be written again, by `performance.now()`. */
  const restsUntil = new Map<number, number>();
  let strays: Promise<Map<string, readonly number[]>> | undefined;
  const refOf = (index: number): Ref => ({
    apiVersion: 'v1',
    kind: 'Secret',
    namespace,
    name: `${options.secretPrefix}${index}`,
  });

  /** Forgotten when they are no longer fresh: many domains' keys are not to be kept in memory for nothing. */
  const recent = new Map<number, Promise<Reading>>();
  const remember = (index: number, reading: Promise<Reading>, forMs = freshMs): Promise<Reading> => {
    const forget = (): void => {
      if (recent.get(index) === reading) recent.delete(index);
    };
    recent.set(index, reading);
    setTimeout(forget, forMs).unref();
    reading.catch(forget);
    return reading;
  };

  const fetch = async (index: number): Promise<Reading> => {
    const secret = await kube.get<SecretObject>(refOf(index));
    const { shard, problems } = await unpack(secret);
    for (const { host, message } of problems)
      log.error('a policy shard is damaged', { shard: index, host, problem: message });
    // What can't be read is built anew: every entry is made from its domain's durable state.
    const lost = Object.keys(secret?.data ?? {}).length === 0 || problems.length > 0;
    return { resourceVersion: secret?.metadata.resourceVersion, shard: shard ?? emptyShard, lost };
  };
  const load = (index: number): Promise<Reading> => recent.get(index) ?? remember(index, fetch(index));

  const write = async (index: number, batch: readonly Pending[]): Promise<string> => {
    const { resourceVersion, shard, lost } = await load(index);
    const merged = { ...shard.hosts, ...Object.fromEntries(batch.map(({ host, entry }) => [host, entry])) };
    const kept = Object.entries(merged).flatMap(([host, entry]) =>
      entry === undefined ? [] : [[host, entry] as const],
    );
    const next: Shard = { ...shard, hosts: Object.fromEntries(kept) };
    const packed = await packShard(next);
    if (packed.warning !== undefined) log.warn(packed.warning, { shard: index });
    const object: SecretObject = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        name: refOf(index).name,
        namespace,
        labels: { 'app.kubernetes.io/managed-by': 'mailseal', 'mailseal.dev/shard': String(index) },
        ...(resourceVersion === undefined ? {} : { resourceVersion }),
      },
      type: 'mailseal.dev/policy-shard',
      data: { [packed.name]: packed.bytes.toString('base64') },
    };
    const { metadata } = await (resourceVersion === undefined ? kube.create(object) : kube.replace(object));
    const restMs = gapMs * Math.max(1, packed.bytes.length / smallBytes);
    const reading = { resourceVersion: metadata.resourceVersion, shard: next, lost: false };
    // The next write, if there is one, is to find it.
    void remember(index, Promise.resolve(reading), Math.max(freshMs, restMs + 1000));
    if (lost) options.onRebuilt?.();
    restsUntil.set(index, performance.now() + restMs);
    return metadata.resourceVersion ?? '';
  };

  let nudged = -gapMs;
  let nudging: Promise<void> | undefined;
  let newest = '';
  /** Shards that are written within the gap share the next nudge, which comes when all of them are. */
  const nudgeSoon = (revision: string): Promise<void> => {
    newest = revision;
    const rest = nudged + gapMs - performance.now();
    nudging ??= (rest > 0 ? pause(rest) : Promise.resolve()).then(() => {
      nudging = undefined;
      nudged = performance.now();
      return nudgePods(newest);
    });
    return nudging;
  };

  const nudgePods = async (revision: string): Promise<void> => {
    // A nudge only saves time: the kubelet looks by itself within a minute or two, and the pods are asked what they serve.
    await Promise.all(
      options.pods().map(async ({ name }) => {
        try {
          await kube.annotate({ apiVersion: 'v1', kind: 'Pod', namespace, name }, { [nudge]: revision });
        } catch (error) {
          log.warn('a policy pod could not be nudged', { pod: name, problem: messageOf(error) });
        }
      }),
    );
  };

  const writeWithRetry = async (index: number, batch: readonly Pending[]): Promise<string> => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await write(index, batch);
      } catch (error) {
        // Whatever went wrong, what is known of the Secret may be wrong, too.
        recent.delete(index);
        if (attempt >= attempts || !hasReason(error, 'Conflict', 'AlreadyExists', 'NotFound')) throw error;
      }
    }
  };

  const drain = async (index: number): Promise<void> => {
    if (busy.has(index)) return;
    busy.add(index);
    try {
      for (;;) {
        const rest = (restsUntil.get(index) ?? 0) - performance.now();
        if (rest > 0) await pause(rest);
        const batch = waiting.get(index) ?? [];
        waiting.delete(index);
        try {
          const told = nudgeSoon(await writeWithRetry(index, batch));
          for (const { settle } of batch) settle.resolve(told);
        } catch (error) {
          restsUntil.set(index, performance.now() + gapMs);
          for (const { settle } of batch) settle.reject(error);
        }
        if (!waiting.has(index)) return;
      }
    } finally {
      busy.delete(index);
    }
  };

  const submit = async (index: number, host: string, entry: HostEntry | undefined): Promise<void> => {
    const settle = Promise.withResolvers<void>();
    waiting.set(index, [...(waiting.get(index) ?? []), { host, entry, settle }]);
    void drain(index);
    await settle.promise;
  };

  /** The shards that hold a host besides its own; only another number of shards can have brought it there. */
  const findStrays = async (): Promise<Map<string, readonly number[]>> => {
    const found = new Map<string, readonly number[]>();
    for (let index = 0; index < options.count; index += 1) {
      const { shard } = await load(index);
      for (const host of Object.keys(shard.hosts)) {
        if (shardOf(host, options.count) !== index) found.set(host, [...(found.get(host) ?? []), index]);
      }
    }
    return found;
  };

  const removeStrays = async (host: string): Promise<void> => {
    strays ??= findStrays();
    try {
      const found = await strays;
      for (const index of found.get(host) ?? []) await submit(index, host, undefined);
      found.delete(host);
    } catch (error) {
      // The pods prefer the host's own shard, so an old copy harms nobody until the next write.
      strays = undefined;
      log.warn('an old copy of a policy stays in another shard', { host, problem: messageOf(error) });
    }
  };

  return {
    read: async (host) => (await load(shardOf(host, options.count))).shard.hosts[host],
    serve: async (host, entry) => {
      await submit(shardOf(host, options.count), host, entry);
      await removeStrays(host);
    },
    unserve: async (host) => {
      const index = shardOf(host, options.count);
      if ((await load(index)).shard.hosts[host] !== undefined) await submit(index, host, undefined);
      await removeStrays(host);
    },
  };
}
