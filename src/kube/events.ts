import { createHash, randomUUID } from 'node:crypto';
import { plainText } from '../api/text.ts';
import type { Clock } from '../clock.ts';
import { systemClock } from '../clock.ts';
import type { Kube, KubeObject } from './types.ts';

export interface EventNote {
  readonly type: 'Normal' | 'Warning';
  /** The condition's reason. */
  readonly reason: string;
  /** What we did or were about to do, one word: `Reconcile`, `Rotate`. */
  readonly action: string;
  /** A sentence; cut at 1024 bytes. */
  readonly message: string;
}

export interface EventRecorder {
  /**
   * Writes an Event about `object`, unless the same was written within the last hour. Never throws and need not be
   * awaited: what fails is told to `onError`, and tried again when it is recorded the next time.
   */
  readonly record: (object: KubeObject, note: EventNote) => Promise<void>;
}

export interface EventRecorderOptions {
  readonly kube: Pick<Kube, 'create'>;
  /** `mailseal.dev/operator`. */
  readonly controller: string;
  /** This run of the program, at most 128 bytes: a pod's name. */
  readonly instance: string;
  readonly onError: (error: unknown) => void;
  readonly clock?: Clock;
}

interface Written {
  at: number;
  /** Repetitions that were not written since. */
  silent: number;
}

/** As long as the API server keeps Events. */
const quietMilliseconds = 3_600_000;
const longestNote = 1024;
const mostRemembered = 4096;

export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  const { kube, onError, clock = systemClock } = options;
  const written = new Map<string, Written>();

  const remember = (key: string, entry: Written): void => {
    // The oldest comes first, so that a full map forgets it.
    written.delete(key);
    written.set(key, entry);
    for (const old of written.keys()) {
      if (written.size <= mostRemembered) break;
      written.delete(old);
    }
  };

  return {
    record: async (object, note) => {
      const { uid = '', name, namespace = '' } = object.metadata;
      const key = JSON.stringify([object.kind, namespace, name, uid, note.type, note.reason, note.message]);
      const before = written.get(key);
      const now = clock.now();
      if (before !== undefined && now - before.at < quietMilliseconds) {
        before.silent += 1;
        return;
      }
      remember(key, { at: now, silent: 0 });
      try {
        await kube.create(eventOf(object, note, options, now, before?.silent ?? 0));
      } catch (error) {
        if (before === undefined) written.delete(key);
        else written.set(key, before);
        onError(error);
      }
    },
  };
}

function eventOf(
  object: KubeObject,
  note: EventNote,
  { controller, instance }: EventRecorderOptions,
  now: number,
  silent: number,
): KubeObject {
  const { name, namespace, uid, resourceVersion } = object.metadata;
  const time = new Date(now).toISOString().replace('Z', '000Z');
  const suffix = createHash('sha256').update(randomUUID()).digest('hex').slice(0, 16);
  const event = {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    // Events about cluster-scoped objects live in the default namespace.
    metadata: { name: `${name.slice(0, 230)}.${suffix}`, namespace: namespace ?? 'default' },
    eventTime: time,
    type: note.type,
    reason: note.reason,
    action: note.action,
    note: cut(plainText(note.message, longestNote)),
    reportingController: controller,
    reportingInstance: instance.slice(0, 128),
    regarding: {
      apiVersion: object.apiVersion,
      kind: object.kind,
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    },
    ...(silent === 0 ? {} : { series: { count: silent + 1, lastObservedTime: time } }),
  };
  return event;
}

/** At most 1024 bytes, whole characters. */
function cut(message: string): string {
  const bytes = Buffer.from(message);
  if (bytes.length <= longestNote) return message;
  return `${bytes
    .subarray(0, longestNote - 3)
    .toString('utf8')
    .replace(/\uFFFD+$/u, '')}…`;
}
