/** The Kubernetes API as Mailseal uses it. */
import type { KubeObject } from '../api/object.ts';

export type { ConfigMapObject, KubeObject, SecretObject } from '../api/object.ts';

/** What names one object. */
export interface Ref {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  /** Absent for cluster-scoped kinds. */
  readonly namespace?: string;
}

export interface ListQuery {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** A list of more is not read to its end: it rejects with reason `TooLarge`. */
  readonly most?: number;
}

/**
 * All calls reject with KubeError (`status`, `reason`, `retryAfterSeconds`), but for what a call says it takes as an
 * answer. 429 and 5xx are retried inside, with jitter and Retry-After, for at most a few seconds.
 */
export interface Kube {
  /** `undefined` when there is none. */
  readonly get: <T extends KubeObject>(ref: Ref) => Promise<T | undefined>;
  readonly list: <T extends KubeObject>(query: ListQuery) => Promise<readonly T[]>;
  /** Rejects with reason `AlreadyExists`. */
  readonly create: <T extends KubeObject>(object: T) => Promise<T>;
  /** Compare-and-swap by metadata.resourceVersion, which must be there. Rejects with reason `Conflict`. */
  readonly replace: <T extends KubeObject>(object: T) => Promise<T>;
  /** Server-side apply, forced, under `fieldManager` (`mailseal/finalizer`, `mailseal/status`, …). */
  readonly apply: <T extends KubeObject>(
    object: T,
    options: { readonly fieldManager: string; readonly subresource?: 'status' },
  ) => Promise<T>;
  /** JSON merge patch of metadata.annotations; `undefined` when the object is gone. */
  readonly annotate: (
    ref: Ref,
    annotations: Readonly<Record<string, string | null>>,
  ) => Promise<KubeObject | undefined>;
  /** Absent is fine. With `resourceVersion` or `uid` it is a precondition: rejects with reason `Conflict`. */
  readonly remove: (
    ref: Ref,
    precondition?: { readonly resourceVersion?: string; readonly uid?: string },
  ) => Promise<void>;
}
