/** What the fake API does with single objects. */
import { fromStatus, KubeError } from '../../src/kube/error.ts';
import type { KubeObject, ListQuery, Ref } from '../../src/kube/types.ts';
import type { Json } from './apply.ts';
import type { FakeCall } from './kube.ts';

type Labelled = KubeObject & { readonly spec?: Json; readonly status?: Json };

export function named(verb: FakeCall['verb'], ref: Ref): FakeCall {
  return { verb, kind: ref.kind, key: ref.namespace === undefined ? ref.name : `${ref.namespace}/${ref.name}` };
}

export function idOf(ref: Ref): string {
  return [ref.apiVersion, ref.kind, ref.namespace ?? '', ref.name].join(' ');
}

export function refOf({ apiVersion, kind, metadata }: KubeObject): Ref {
  return {
    apiVersion,
    kind,
    name: metadata.name,
    ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
  };
}

export function status(code: number, reason: string, message: string): KubeError {
  return fromStatus({ kind: 'Status', code, reason, message }, code);
}

/** A list that has a bound is not given at all where it is longer. */
export function bounded<T>({ most }: ListQuery, found: readonly T[]): readonly T[] {
  if (found.length > (most ?? Infinity)) throw new KubeError(0, 'TooLarge', `more than ${most} match`);
  return found;
}

export function precondition(
  object: KubeObject,
  given: { readonly resourceVersion?: string; readonly uid?: string },
): void {
  const { resourceVersion, uid } = object.metadata;
  if (
    (given.resourceVersion !== undefined && given.resourceVersion !== resourceVersion) ||
    (given.uid !== undefined && given.uid !== uid)
  ) {
    throw status(409, 'Conflict', `${object.kind} ${object.metadata.name} has been changed meanwhile`);
  }
}

/** What a request without subresource may change: of our own kinds everything but the status. */
export function own(object: KubeObject, before?: Labelled): KubeObject {
  if (!object.apiVersion.startsWith('mailseal.dev/')) return object;
  const { status: _, ...rest } = object as Labelled;
  return before?.status === undefined ? rest : ({ ...rest, status: before.status } as KubeObject);
}

/** What an apply is about. */
export function part(object: Labelled, subresource: 'status' | undefined): KubeObject {
  if (subresource === undefined) return own(object);
  const { apiVersion, kind, metadata, status } = object;
  return { apiVersion, kind, metadata, status } as KubeObject;
}

export function withoutStatus(object: Labelled): unknown {
  const { metadata: _, status: __, ...rest } = object;
  return rest;
}

export function equal(one: unknown, other: unknown): boolean {
  return JSON.stringify(sorted(one)) === JSON.stringify(sorted(other));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, inner]) => [name, sorted(inner)]),
  );
}
