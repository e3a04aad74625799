import { messageOf } from '../errors.ts';
import { hasReason } from '../kube/error.ts';
import type { Kube, Ref, SecretObject } from '../kube/types.ts';
import type { Log } from '../log.ts';
import {
  emptyShard,
  type HostEntry,
  type ParsedShard,
  parseShard,
  type Shard,
  setHost,
  shardOf,
} from '../policyshard/shard.ts';
import { packShard, unpackShard } from '../server/shard-file.ts';

/** The fixed number of Secrets that the policy pods mount, filled by the operator. */
export interface Shards {
  /** What the shard Secret holds for a policy host, as of now. */
  readonly read: (host: string) => Promise<HostEntry | undefined>;
  /**
   * Writes one host's entry and nudges the policy pods, so that their kubelets look at once. Entries of many domains
   * that arrive while a write is under way share the next one.
   */
  readonly serve: (host: string, entry: HostEntry) => Promise<void>;
}

export interface ShardOptions {
  readonly kube: Kube;
  readonly namespace: string;
  readonly secretPrefix: string;
  readonly count: number;
  /** The policy pods that exist now, ready or not. */
  readonly pods: () => readonly { readonly name: string }[];
  readonly log: Log;
}

const nudge = 'mailseal.dev/nudge';
const attempts = 5;

interface Pending {
  readonly host: string;
  readonly entry: HostEntry;
  readonly settle: PromiseWithResolvers<void>;
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
  const { kube, namespace, log } = options;
  const waiting = new Map<number, Pending[]>();
  const busy = new Set<number>();
  const refOf = (index: number): Ref => ({
    apiVersion: 'v1',
    kind: 'Secret',
    namespace,
    name: `${options.secretPrefix}${index}`,
  });

  const load = async (index: number): Promise<{ secret: SecretObject | undefined; shard: Shard }> => {
    const secret = await kube.get<SecretObject>(refOf(index));
    const { shard, problems } = await unpack(secret);
    for (const problem of problems) log.error('a policy shard is damaged', { shard: index, ...problem });
    // What can't be read is built anew: every entry is made from its domain's durable state.
    return { secret, shard: shard ?? emptyShard };
  };

  const write = async (index: number, batch: readonly Pending[]): Promise<void> => {
    const { secret, shard } = await load(index);
    const next = batch.reduce((sum, { host, entry }) => setHost(sum, host, entry), shard);
    const packed = await packShard(next);
    if (packed.warning !== undefined) log.warn(packed.warning, { shard: index });
    const resourceVersion = secret?.metadata.resourceVersion;
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
    const written = await (resourceVersion === undefined ? kube.create(object) : kube.replace(object));
    await nudgePods(written.metadata.resourceVersion ?? '');
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

  const writeWithRetry = async (index: number, batch: readonly Pending[]): Promise<void> => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await write(index, batch);
      } catch (error) {
        if (attempt >= attempts || !hasReason(error, 'Conflict', 'AlreadyExists')) throw error;
      }
    }
  };

  const drain = async (index: number): Promise<void> => {
    if (busy.has(index)) return;
    busy.add(index);
    try {
      for (;;) {
        const batch = waiting.get(index) ?? [];
        waiting.delete(index);
        if (batch.length === 0) return;
        try {
          await writeWithRetry(index, batch);
          for (const { settle } of batch) settle.resolve();
        } catch (error) {
          for (const { settle } of batch) settle.reject(error);
        }
      }
    } finally {
      busy.delete(index);
    }
  };

  return {
    read: async (host) => (await load(shardOf(host, options.count))).shard.hosts[host],
    serve: async (host, entry) => {
      const index = shardOf(host, options.count);
      const settle = Promise.withResolvers<void>();
      waiting.set(index, [...(waiting.get(index) ?? []), { host, entry, settle }]);
      await Promise.all([drain(index), settle.promise]);
    },
  };
}
