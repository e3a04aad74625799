import { hasReason } from './error.ts';
import type { Kube, KubeObject } from './types.ts';

const fieldManager = 'mailseal/finalizer';

/** Adds `finalizer` under a field manager of its own; resolves with the object as it then stands. No write if there. */
export async function addFinalizer<T extends KubeObject>(kube: Kube, object: T, finalizer: string): Promise<T> {
  if (object.metadata.finalizers?.includes(finalizer) === true) return object;
  return kube.apply<T>(bare(object, [finalizer]), { fieldManager });
}

/**
 * Takes `finalizer` away and leaves those of others; resolves with `undefined` when that ended the object, or when it
 * was gone already. Rejects with `Conflict` when the object given is an old one: read it again.
 */
export async function removeFinalizer<T extends KubeObject>(
  kube: Kube,
  object: T,
  finalizer: string,
): Promise<T | undefined> {
  if (object.metadata.finalizers?.includes(finalizer) !== true) return object;
  try {
    const left = await kube.apply<T>(bare(object, []), { fieldManager });
    if (left.metadata.finalizers?.includes(finalizer) !== true) return goneOr(left);
    // Someone else applied it too: only a write of the whole list takes it away.
    const finalizers = left.metadata.finalizers.filter((other) => other !== finalizer);
    return goneOr(await kube.replace<T>({ ...left, metadata: { ...left.metadata, finalizers } }));
  } catch (error) {
    if (hasReason(error, 'NotFound')) return undefined;
    throw error;
  }
}

function goneOr<T extends KubeObject>(object: T): T | undefined {
  const { deletionTimestamp, finalizers = [] } = object.metadata;
  return deletionTimestamp !== undefined && finalizers.length === 0 ? undefined : object;
}

/** The uid keeps an apply from making the object anew when it has just gone: it rejects with `Conflict` then. */
function bare<T extends KubeObject>(object: T, finalizers: readonly string[]): T {
  const { name, namespace, uid } = object.metadata;
  return {
    apiVersion: object.apiVersion,
    kind: object.kind,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(finalizers.length === 0 ? {} : { finalizers }),
    },
  } as T;
}
