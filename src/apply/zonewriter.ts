/**
 * The one way by which record sets are written: it refuses names that are not ours to touch, and gathers what many
 * objects change in one zone at about the same time into one call of the provider.
 */
import type { Reason } from '../api/reasons.ts';
import { isWithin } from '../dns/names.ts';
import { equalSets } from '../dns/rrset.ts';
import { MailsealError } from '../errors.ts';
import { permittedName, permittedRemoval } from '../plan/guard.ts';
import type { Provider, RecordChange } from './providers/provider.ts';
import { partlyMade } from './providers/refusal.ts';
import { calls, heldBack, type Submission } from './zonecalls.ts';

/** One zone at one provider. */
export interface ZoneKey {
  /** The DNSProvider's name. */
  readonly provider: string;
  readonly zone: string;
}

interface SubmitOptions {
  /** `whenNext`: nothing waits for it; it goes with the next batch to the zone, or after a minute at most. */
  readonly urgency: 'now' | 'whenNext';
  /** The object on whose behalf it is, for messages. */
  readonly owner: string;
  /**
   * Names in the zone that a human's CNAME of one of our names points to, each with that name of ours: the rules for
   * the name of ours then hold for its target.
   */
  readonly aliases?: Readonly<Record<string, string>>;
}

export interface ZoneWriter {
  /**
   * Resolves when the changes are made. Rejects with what the provider threw for them (see Provider), or at once with
   * MailsealError `NameNotAllowed`, whereupon nothing was written.
   */
  readonly submit: (key: ZoneKey, changes: readonly RecordChange[], options: SubmitOptions) => Promise<void>;
  /** Sends what still waits, and resolves when all of it is done or failed. */
  readonly flush: () => Promise<void>;
}

export interface ZoneWriterOptions {
  readonly providerFor: (key: ZoneKey) => Provider | Promise<Provider>;
  /** Milliseconds for which the first change of a batch waits for company. Default 400. */
  readonly windowMs?: number;
  /** Milliseconds that a `whenNext` change waits at most. Default 60000. */
  readonly longestWaitMs?: number;
}

interface Queue {
  readonly key: ZoneKey;
  waiting: Submission[];
  timer: NodeJS.Timeout | undefined;
  /** When the timer goes off, by `performance.now()`. */
  due: number;
  running: Promise<void> | undefined;
}

function setKey(change: RecordChange): string {
  return `${change.name} ${change.type}`;
}

function refuseForeignNames(key: ZoneKey, changes: readonly RecordChange[], options: SubmitOptions): void {
  for (const { name, type, before, after } of changes) {
    const ours = options.aliases?.[name] ?? name;
    const fits = [before, after].every((set) => set === undefined || (set.name === name && set.type === type));
    const permitted = permittedName(ours, type) || (after === undefined && permittedRemoval(ours, type));
    if (fits && isWithin(name, key.zone) && permitted) continue;
    throw new MailsealError(
      'NameNotAllowed',
      `${options.owner} asks for ${type} at ${name} in the zone ${key.zone}: Mailseal writes only records of its own`,
      { kind: 'Stalled' },
    );
  }
}

/** Takes the submissions of the next batch from the queue; two that touch the same record set never share one. */
function takeBatch(queue: Queue): readonly Submission[] {
  const taken = new Set<string>();
  const batch: Submission[] = [];
  const left: Submission[] = [];
  for (const one of queue.waiting) {
    const keys = one.changes.map(setKey);
    const clash = keys.some((key) => taken.has(key));
    // What is left must keep its order too.
    for (const key of keys) taken.add(key);
    (clash ? left : batch).push(one);
  }
  queue.waiting = left;
  return batch;
}

const somebodysFaults: ReadonlySet<Reason> = new Set(['RecordChanged', 'ProviderRefused', 'ZoneNotFound']);

/** One submission's fault, while the others' changes are sound. */
function isSomebodysFault(error: unknown): boolean {
  return error instanceof MailsealError && somebodysFaults.has(error.reason);
}

/** What is left of the changes of a call that the API may have made in parts. */
async function leftOf(
  { capabilities, list }: Provider,
  zone: string,
  changes: readonly RecordChange[],
): Promise<readonly RecordChange[]> {
  const standing = await list(zone, changes);
  return changes.filter(({ name, type, after }) => {
    const live = standing.find((set) => set.name === name && set.type === type);
    if (live === undefined || after === undefined) return live !== after;
    return !equalSets(live, after, { ttl: capabilities.exactTtl });
  });
}

/** Makes a writer; share one per process, since only then do changes meet. */
export function createZoneWriter(options: ZoneWriterOptions): ZoneWriter {
  const { windowMs = 400, longestWaitMs = 60_000 } = options;
  const queues = new Map<string, Queue>();

  const applyAlone = async (provider: Provider, zone: string, one: Submission): Promise<void> => {
    let left = one.changes;
    try {
      // What shares a call is made together or not, where the API can.
      if (!provider.capabilities.batch) left = await leftOf(provider, zone, one.changes);
      if (left.length > 0) await provider.apply(zone, left);
      one.resolve();
    } catch (error) {
      one.reject(left.length < one.changes.length ? partlyMade(error) : error);
    }
  };

  const applyTogether = async (provider: Provider, zone: string, group: readonly Submission[]): Promise<void> => {
    try {
      await provider.apply(
        zone,
        group.flatMap((one) => one.changes),
      );
      for (const one of group) one.resolve();
    } catch (error) {
      if (group.length === 1 || !isSomebodysFault(error)) {
        for (const one of group) one.reject(error);
        return;
      }
      for (const one of group) await applyAlone(provider, zone, one);
    }
  };

  const runBatch = async (queue: Queue): Promise<void> => {
    const batch = takeBatch(queue);
    try {
      const provider = await options.providerFor(queue.key);
      const made = calls(batch, provider.share);
      const held = heldBack(made, provider.rate);
      // In front of what has come meanwhile.
      queue.waiting.unshift(...held);
      const groups = held.length > 0 ? made.groups.slice(0, -1) : made.groups;
      for (const group of groups) await applyTogether(provider, queue.key.zone, group);
    } catch (error) {
      for (const one of batch) one.reject(error);
    }
  };

  const start = (queue: Queue): void => {
    clearTimeout(queue.timer);
    queue.timer = undefined;
    if (queue.running !== undefined) return;
    queue.running = runBatch(queue).finally(() => {
      queue.running = undefined;
      if (queue.waiting.length > 0) schedule(queue);
      else queues.delete(queueName(queue.key));
    });
  };

  const schedule = (queue: Queue): void => {
    if (queue.running !== undefined) return;
    const delay = queue.waiting.some((one) => one.urgent) ? windowMs : longestWaitMs;
    const due = performance.now() + delay;
    if (queue.timer !== undefined && queue.due <= due) return;
    clearTimeout(queue.timer);
    queue.due = due;
    queue.timer = setTimeout(() => start(queue), delay);
  };

  const queueFor = (key: ZoneKey): Queue => {
    const name = queueName(key);
    const queue = queues.get(name) ?? { key, waiting: [], timer: undefined, due: 0, running: undefined };
    queues.set(name, queue);
    return queue;
  };

  const submit: ZoneWriter['submit'] = async (key, changes, submitOptions) => {
    refuseForeignNames(key, changes, submitOptions);
    if (changes.length === 0) return;
    const queue = queueFor(key);
    const urgent = submitOptions.urgency === 'now';
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    queue.waiting.push({ changes, urgent, held: 0, resolve, reject });
    schedule(queue);
    return await promise;
  };

  const flush = async (): Promise<void> => {
    while (queues.size > 0) {
      for (const queue of queues.values()) start(queue);
      await Promise.all([...queues.values()].map((queue) => queue.running ?? Promise.resolve()));
    }
  };
  return { submit, flush };
}

function queueName({ provider, zone }: ZoneKey): string {
  return `${provider}\n${zone}`;
}
