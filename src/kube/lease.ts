/**
 * Which of several operators may act, by a Lease.
 *
 * ```
 *   candidate ──holder's lease unchanged for its whole duration, seen by our own clock──▶ leader
 *   leader ──renewed every 2 s by compare-and-swap──▶ leader
 *   leader ──10 s without a renewal, or another holder──▶ candidate, its work aborted
 *   leader ──stop()──▶ work ended, lease given back: a candidate has it within a second
 * ```
 * A leader counts from before it asked for the renewal, a candidate from after it saw it, and the leader's time is 5 s
 * shorter: so never two at once, whatever their clocks say, and however long one of them is paused.
 */
import { messageOf } from '../errors.ts';
import { hasReason, KubeError } from './error.ts';
import { between, pause, type Random, systemRandom, systemTimers, type Timers } from './timers.ts';
import type { Kube, KubeObject } from './types.ts';

export interface ElectionOptions {
  /** Unguarded; with a time limit per request of a few seconds. */
  readonly kube: Pick<Kube, 'get' | 'create' | 'replace'>;
  readonly namespace: string;
  readonly name: string;
  /** Unique to this run of the program. */
  readonly identity: string;
  /** The leader's work: begins on election, must end soon after `signal` aborts. When it ends by itself, so does the election. */
  readonly onStarted: (signal: AbortSignal) => Promise<void>;
  /** Called as soon as we no longer lead, with the reason as a sentence. */
  readonly onStopped?: (why: string) => void;
  readonly onError?: (error: unknown) => void;
  readonly durationSeconds?: number;
  readonly renewDeadlineSeconds?: number;
  readonly retrySeconds?: number;
  readonly timers?: Timers;
  readonly random?: Random;
}

export interface Election {
  /** Takes part until `stop`, or until the work ends by itself; rejects with what the work rejected with. */
  readonly run: () => Promise<void>;
  /** Aborts the work, waits for its end, gives the lease back. */
  readonly stop: () => Promise<void>;
  /** True only while no one else can lead: ask right before each write. */
  readonly isLeader: () => boolean;
  /** Who held the lease when we last looked. */
  readonly holder: () => string | undefined;
}

interface LeaseObject extends KubeObject {
  readonly kind: 'Lease';
  readonly spec?: {
    readonly holderIdentity?: string;
    readonly leaseDurationSeconds?: number;
    readonly acquireTime?: string;
    readonly renewTime?: string;
    readonly leaseTransitions?: number;
  };
}

interface Instant {
  readonly monotonic: number;
  readonly wall: number;
}

export function createElection(options: ElectionOptions): Election {
  const { kube, namespace, name, identity, timers = systemTimers, random = systemRandom } = options;
  const { durationSeconds = 15, renewDeadlineSeconds = 10, retrySeconds = 2 } = options;
  const ref = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', namespace, name };
  const stopping = new AbortController();
  let seen: { readonly lease: LeaseObject; readonly at: number } | undefined;
  let renewed: Instant | undefined;
  let term = 0;
  let ended: Promise<void> | undefined;

  const instant = (): Instant => ({ monotonic: timers.monotonic(), wall: timers.now() });

  /** The larger of both clocks: one stops while the machine sleeps, the other may be set back. */
  const since = (from: Instant): number =>
    Math.max(timers.monotonic() - from.monotonic, timers.now() - from.wall) / 1000;

  const isLeader = (): boolean => renewed !== undefined && since(renewed) < renewDeadlineSeconds;

  const note = (lease: LeaseObject): LeaseObject => {
    if (lease.metadata.resourceVersion !== seen?.lease.metadata.resourceVersion) {
      seen = { lease, at: timers.monotonic() };
    }
    return lease;
  };

  const written = (before: LeaseObject | undefined, holder: string | undefined): LeaseObject => {
    const stamp = new Date(timers.now()).toISOString().replace('Z', '000Z');
    const old = before?.spec;
    const kept = old?.holderIdentity === holder;
    return {
      apiVersion: ref.apiVersion,
      kind: 'Lease',
      metadata: before?.metadata ?? { name, namespace },
      spec: {
        ...(holder === undefined ? {} : { holderIdentity: holder }),
        leaseDurationSeconds: holder === undefined ? 1 : durationSeconds,
        acquireTime: kept ? (old?.acquireTime ?? stamp) : stamp,
        renewTime: stamp,
        leaseTransitions: (old?.leaseTransitions ?? 0) + (kept || holder === undefined ? 0 : 1),
      },
    };
  };

  const isFree = (): boolean => {
    if (seen === undefined) return false;
    const { holderIdentity = '', leaseDurationSeconds = durationSeconds } = seen.lease.spec ?? {};
    if (holderIdentity === '' || holderIdentity === identity) return true;
    return timers.monotonic() - seen.at > leaseDurationSeconds * 1000;
  };

  /** One try to become leader. */
  const acquire = async (): Promise<boolean> => {
    const found = await kube.get<LeaseObject>(ref);
    if (found !== undefined) note(found);
    else seen = undefined;
    if (found !== undefined && !isFree()) return false;
    const asked = instant();
    const wanted = written(found, identity);
    note(await (found === undefined ? kube.create(wanted) : kube.replace(wanted)));
    renewed = asked;
    return isLeader();
  };

  /** One renewal. Rejects with reason `NotLeader` when someone else holds the lease. */
  const renew = async (): Promise<void> => {
    const asked = instant();
    const mine = term;
    try {
      note(await kube.replace(written(seen?.lease, identity)));
    } catch (error) {
      if (!hasReason(error, 'Conflict')) throw error;
      // Perhaps our own renewal, whose answer was lost; then the next one is based on it.
      const found = await kube.get<LeaseObject>(ref);
      if (found?.spec?.holderIdentity === identity) return void note(found);
      throw new KubeError(0, 'NotLeader', `the lease is held by ${found?.spec?.holderIdentity ?? 'nobody'}`);
    }
    // An answer that comes after we gave up must not make us leader again.
    if (mine === term) renewed = asked;
  };

  const resign = (): void => {
    term += 1;
    renewed = undefined;
  };

  /** Renews until that fails for too long; resolves with why. */
  const hold = async (until: AbortSignal): Promise<string> => {
    let last = 'no renewal was answered';
    for (;;) {
      await pause(timers, retrySeconds * 1000, until);
      const left = renewed === undefined ? 0 : renewDeadlineSeconds - since(renewed);
      if (until.aborted) return 'stopped';
      if (left <= 0) return `the lease could not be renewed for ${renewDeadlineSeconds} s: ${last}`;
      const lost = await Promise.race([
        renew().then(
          () => undefined,
          (error: unknown) => error,
        ),
        pause(timers, left * 1000, until),
      ]);
      if (lost === undefined) continue;
      options.onError?.(lost);
      last = messageOf(lost);
      if (hasReason(lost, 'NotLeader', 'NotFound')) return last;
    }
  };

  const lead = async (): Promise<boolean> => {
    const work = new AbortController();
    const over = new AbortController();
    const until = AbortSignal.any([stopping.signal, over.signal]);
    let done = false;
    const working = options.onStarted(work.signal).finally(() => {
      done = true;
      over.abort();
    });
    working.catch(() => undefined); // Told below.
    const why = await hold(until);
    const byItself = done;
    const giveBack = byItself || stopping.signal.aborted;
    if (!giveBack) resign();
    options.onStopped?.(byItself ? 'the work has ended' : why);
    work.abort();
    try {
      await working;
    } catch (error) {
      if (byItself) throw error;
      options.onError?.(error);
    } finally {
      if (giveBack) await release();
      resign();
    }
    return !byItself;
  };

  /** Only while it is still ours for sure. */
  const release = async (): Promise<void> => {
    if (!isLeader() || seen === undefined) return;
    const given = written(seen.lease, undefined);
    resign();
    try {
      note(await kube.replace(given));
    } catch (error) {
      options.onError?.(error);
    }
  };

  const candidacy = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const leads = await acquire().catch((error: unknown) => {
        if (!hasReason(error, 'Conflict', 'AlreadyExists')) options.onError?.(error);
        return false;
      });
      if (leads && !(await lead())) return;
      // Often enough to take over within a second from a leader that gives its lease back.
      await pause(timers, between(200, 400, random), stopping.signal);
    }
  };

  return {
    run: () => (ended ??= candidacy()),
    stop: async () => {
      stopping.abort();
      await ended?.catch(() => undefined);
    },
    isLeader,
    holder: () => seen?.lease.spec?.holderIdentity,
  };
}
