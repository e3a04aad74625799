import { setConditions, type WantedCondition } from '../api/conditions.ts';
import { canonical } from '../api/canonical.ts';
import { plainText } from '../api/text.ts';
import { apiVersion, type Condition } from '../api/types.ts';
import type { Clock } from '../clock.ts';
import type { Kube, KubeObject } from '../kube/types.ts';

interface StatusLike {
  readonly conditions?: readonly Condition[];
  readonly observedGeneration?: number;
  readonly requestedAt?: string;
  readonly requiredRecords?: unknown;
}

export interface StatusWriter {
  /**
   * Writes the status where it differs enough: at once when Ready or Stalled turn or someone asked, else not more often
   * than every few seconds, and for mere wording not more often than every minute. While many objects are on their way,
   * reasons and records that a human is to publish too wait up to a minute.
   * @returns milliseconds after which a difference that was held back should be written; undefined where none was.
   */
  readonly write: (
    object: KubeObject & { readonly status?: StatusLike },
    /** Undefined: what was known stays, only the conditions given are new. */
    status: object | undefined,
    conditions: readonly WantedCondition[],
  ) => Promise<number | undefined>;
  /** A status of this object was written in this run, whatever a cache that lags behind may say. */
  readonly knows: (object: KubeObject) => boolean;
  readonly forget: (object: KubeObject) => void;
}

const turnMs = 8_000;
const wordingMs = 60_000;
/** So many reasons a second are written of all objects together, and so many more after a rest. */
const reasonsPerSecond = 1;
const mostSaved = 20;

interface Written {
  /** Absent once the cache was seen to show it: one is not to be kept twice of each object. */
  readonly written?: { readonly status: StatusLike; readonly text: string };
  readonly at: number;
}

/** Milliseconds after a write from which a cache is looked at for it. */
const shownMs = 10_000;

const readyOf = ({ conditions = [] }: StatusLike): string =>
  conditions.find(({ type }) => type === 'Ready')?.status ?? 'none';

/** What must never wait: whether it is ready, stuck, which generation that speaks of, and whose request it answers. */
const urgent = (status: StatusLike): string => {
  const { conditions = [], observedGeneration = 0, requestedAt = '' } = status;
  const ready = readyOf(status);
  const stalled = conditions.some(({ type }) => type === 'Stalled');
  // That it is not ready yet says little more than that nobody knows.
  return `${ready === 'False' ? 'Unknown' : ready} ${stalled} ${observedGeneration} ${requestedAt}`;
};

/** How long a difference has to wait since the last write, and whether it may then go only while few others do. */
function patience(last: StatusLike, next: StatusLike): { readonly ms: number; readonly shared: boolean } {
  if (urgent(next) !== urgent(last)) return { ms: 0, shared: false };
  // The first reason follows the first sight.
  if (readyOf(next) !== readyOf(last)) return { ms: 0, shared: true };
  return gist(next) === gist(last) ? { ms: wordingMs, shared: false } : { ms: turnMs, shared: true };
}

/** Takes one of what all objects share; false where nothing is left at the moment. */
function createShare(clock: Clock): () => boolean {
  let left = mostSaved;
  let at = clock.now();
  return () => {
    const now = clock.now();
    left = Math.min(mostSaved, left + (Math.max(0, now - at) / 1000) * reasonsPerSecond);
    at = now;
    if (left < 1) return false;
    left -= 1;
    return true;
  };
}

/** The request for a fresh look that is answered by what is said now. */
function requested({ metadata }: KubeObject): { readonly requestedAt?: string } {
  const requestedAt = metadata.annotations?.['mailseal.dev/requested-at'];
  return requestedAt === undefined ? {} : { requestedAt: plainText(requestedAt, 1024) };
}

/** What is more than wording: the reasons, and what a human is to publish, who acts on nothing else. */
const gist = ({ conditions = [], requiredRecords = [] }: StatusLike): string =>
  canonical([conditions.map(({ type, status, reason }) => [type, status, reason]), requiredRecords]);

/** The conditions that were known and of which nothing new is known, but for the summary. */
function keep({ conditions = [] }: StatusLike, wanted: readonly WantedCondition[]): readonly WantedCondition[] {
  const summary: readonly string[] = ['Ready', 'Reconciling', 'Stalled'];
  const renewed = new Set(wanted.map(({ type }) => type));
  return [...conditions.filter(({ type }) => !summary.includes(type) && !renewed.has(type)), ...wanted];
}

export function createStatusWriter(kube: Kube, clock: Clock): StatusWriter {
  const memory = new Map<string, Written>();
  const takeShare = createShare(clock);
  const keyOf = ({ kind, metadata }: KubeObject): string =>
    `${kind} ${metadata.uid ?? ''} ${metadata.namespace ?? ''}/${metadata.name}`;

  return {
    write: async (object, content, wanted) => {
      const key = keyOf(object);
      const generation = object.metadata.generation ?? 0;
      const now = clock.now();
      const shown = object.status ?? {};
      const last: Written = memory.get(key) ?? { at: 0 };
      // What we wrote last outranks a cache that may lag behind it.
      const { written } = last;
      const before = written?.status ?? shown;
      if (written !== undefined && now - last.at >= shownMs && canonical(shown) === written.text)
        memory.set(key, { at: last.at });
      const conditions = setConditions(
        before.conditions ?? [],
        content === undefined ? keep(before, wanted) : wanted,
        now,
        generation,
      );
      const status: StatusLike = {
        ...(content ?? before),
        ...requested(object),
        observedGeneration: generation,
        conditions,
      };
      const text = canonical(status);
      if (text === (written?.text ?? canonical(shown))) return undefined;
      const { ms, shared } = patience(before, status);
      const waited = now - last.at;
      if (waited < ms) return ms - waited;
      if (shared && waited < wordingMs && !takeShare()) return wordingMs - waited;
      const { name, namespace } = object.metadata;
      // A uid would be no help: the API server overlooks it where a status is applied.
      const metadata = namespace === undefined ? { name } : { name, namespace };
      await kube.apply({ apiVersion, kind: object.kind, metadata, status } as KubeObject, {
        fieldManager: 'mailseal/status',
        subresource: 'status',
      });
      memory.set(key, { written: { status, text }, at: now });
      return undefined;
    },
    knows: (object) => memory.has(keyOf(object)),
    forget: (object) => void memory.delete(keyOf(object)),
  };
}
