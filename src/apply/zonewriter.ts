/**
 * The one way by which record sets are written: it refuses names that are not ours to touch, and gathers what many
 * objects change in one zone at about the same time into one call of the provider.
 */
import type { Reason } from '../api/reasons.ts';
import { isWithin } from '../dns/names.ts';
import { MailsealError } from '../errors.ts';
import { permittedName, permittedRemoval } from '../plan/guard.ts';
import type { Provider, RecordChange } from './providers/provider.ts';

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

interface Submission {
  readonly changes: readonly RecordChange[];
  readonly urgent: boolean;
  /** Windows for which it waited for more company than it had. */
  readonly held: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
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

/** What sums of fractions may be off by. */
const rounding = 1e-9;

interface Calls {
  readonly groups: readonly (readonly Submission[])[];
  /** What is left in the last one, of 1; less than 0 where a submission has more than a call holds. */
  readonly room: number;
}

/** Cuts a batch into calls; a submission is never cut. */
function calls(batch: readonly Submission[], share: Provider['share']): Calls {
  const groups: Submission[][] = [];
  let room = 0;
  for (const one of batch) {
    const taken = one.changes.reduce((sum, change) => sum + share(change), 0);
    if (groups.length === 0 || taken > room + rounding) {
      groups.push([]);
      room = 1;
    }
    groups.at(-1)?.push(one);
    room -= taken;
  }
  return { groups, room };
}

/** What is fuller than that goes out; what is no fuller than that is no crowd of which more is to come. */
const [full, crowd] = [0.9, 0.25];

/** Windows: domains that wait so long let others be looked at. */
const longestHeld = 2;

/** What waits for the rest of its crowd, where calls are counted. */
function heldBack({ groups, room }: Calls, rate: Provider['rate']): readonly Submission[] {
  const last = groups.at(-1) ?? [];
  const filled = 1 - room;
  // What nobody waits for has waited long enough.
  if (rate === undefined || filled > full || !last.some(({ urgent }) => urgent)) return [];
  // Behind full calls; the next batch begins with it.
  if (groups.length > 1) return last;
  const isCrowd = rate.perSecond !== undefined && filled > crowd;
  const waitsOn = isCrowd && last.every(({ held }) => held < longestHeld);
  return waitsOn ? last.map((one) => ({ ...one, held: one.held + 1 })) : [];
}

const somebodysFaults: ReadonlySet<Reason> = new Set(['RecordChanged', 'ProviderRefused', 'ZoneNotFound']);

/** One submission's fault, while the others' changes are sound: nothing of the call was written. */
function isSomebodysFault(error: unknown): boolean {
  return error instanceof MailsealError && somebodysFaults.has(error.reason);
}

/** Makes a writer; share one per process, since only then do changes meet. */
export function createZoneWriter(options: ZoneWriterOptions): ZoneWriter {
  const { windowMs = 400, longestWaitMs = 60_000 } = options;
  const queues = new Map<string, Queue>();

  const applyOne = async (provider: Provider, zone: string, one: Submission): Promise<void> => {
    try {
      await provider.apply(zone, one.changes);
      one.resolve();
    } catch (error) {
      one.reject(error);
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
      const alone = group.length > 1 && provider.capabilities.batch && isSomebodysFault(error);
      if (!alone) {
        for (const one of group) one.reject(error);
        return;
      }
      for (const one of group) await applyOne(provider, zone, one);
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
