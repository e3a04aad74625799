/** The cluster as it would be after the files were applied: what is read of it, and nothing that is ever written. */
import { canonical } from '../api/canonical.ts';
import type { ObjectMeta } from '../api/object.ts';
import { KubeError } from '../kube/error.ts';
import { guardWrites, type MayWrite } from '../kube/guard.ts';
import type { Kube, KubeObject, ListQuery, Ref } from '../kube/types.ts';

/** Where objects are read. */
export type Reading = Pick<Kube, 'get' | 'list'>;

/** Asked before every write to whomever: it throws always. */
export const neverWrites: MayWrite = () => {
  throw new KubeError(0, 'Invalid', 'mailseal plan writes nothing; this is an error in Mailseal');
};

type Body = KubeObject & { readonly spec?: unknown; readonly status?: unknown };

const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';

const refOf = ({ apiVersion, kind, metadata: { namespace, name } }: KubeObject): Ref => ({
  apiVersion,
  kind,
  name,
  ...(namespace === undefined ? {} : { namespace }),
});

const keyOf = ({ apiVersion, kind, namespace, name }: Ref): string =>
  [apiVersion, kind, namespace ?? '', name].join(' ');

/** Reads the files over what `cluster` has; without a cluster there is nothing but the files. */
export function previewKube(files: readonly KubeObject[], cluster?: Reading): Kube {
  const given = new Map(files.map((object) => [keyOf(refOf(object)), object]));
  const get = async <T extends KubeObject>(ref: Ref): Promise<T | undefined> => {
    const live = await cluster?.get<T>(ref);
    const file = given.get(keyOf(ref)) as T | undefined;
    return file === undefined ? live : applied(file, live);
  };
  const list = async <T extends KubeObject>(query: ListQuery): Promise<readonly T[]> => {
    const live = (await cluster?.list<T>(query)) ?? [];
    const listed = new Map(live.map((object) => [keyOf(refOf(object)), object]));
    const own = [...given].filter(([, object]) => matches(query, object)) as [string, T][];
    const others = [...listed].filter(([key]) => !given.has(key)).map(([, object]) => object);
    return [...own.map(([key, file]) => applied(file, listed.get(key))), ...others];
  };
  const refuse = async (): Promise<never> => neverWrites() as never;
  const writes = { create: refuse, replace: refuse, apply: refuse, annotate: refuse, remove: refuse };
  return guardWrites({ get, list, ...writes }, neverWrites);
}

/** As `kubectl apply` would leave it: the spec is the file's, what others noted on the object stays. */
function applied<T extends KubeObject>(file: T, live: T | undefined): T {
  if (live === undefined)
    return { ...file, metadata: { uid: `of ${keyOf(refOf(file))}`, generation: 1, ...file.metadata } };
  const [next, before] = [file as Body, live as Body];
  const changed = canonical(next.spec ?? {}) !== canonical(before.spec ?? {});
  const generation = (live.metadata.generation ?? 0) + (changed ? 1 : 0);
  const gone = namesLeftOut(file.metadata, live.metadata);
  const annotations = { ...without(live.metadata.annotations, gone), ...file.metadata.annotations };
  const labels = { ...live.metadata.labels, ...file.metadata.labels };
  const status = before.status === undefined ? {} : { status: before.status };
  return { ...file, metadata: { ...live.metadata, annotations, labels, generation }, ...status };
}

/** Annotations that were applied before and are not in the file any more. */
function namesLeftOut(file: ObjectMeta, live: ObjectMeta): readonly string[] {
  try {
    const last = JSON.parse(live.annotations?.[lastApplied] ?? '{}') as Partial<KubeObject>;
    return Object.keys(last.metadata?.annotations ?? {}).filter((name) => file.annotations?.[name] === undefined);
  } catch {
    // Whoever spoilt it: what stands there stays.
    return [];
  }
}

const without = (
  all: Readonly<Record<string, string>> | undefined,
  names: readonly string[],
): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(all ?? {}).filter(([name]) => !names.includes(name)));

/** Label selectors of `name` and `name=value`, and a field selector of the name: all that a look asks for. */
function matches(
  { apiVersion, kind, namespace, labelSelector, fieldSelector }: ListQuery,
  object: KubeObject,
): boolean {
  const { labels = {}, name } = object.metadata;
  if (object.apiVersion !== apiVersion || object.kind !== kind) return false;
  if (namespace !== undefined && object.metadata.namespace !== namespace) return false;
  if (fieldSelector !== undefined && fieldSelector !== `metadata.name=${name}`) return false;
  return (labelSelector ?? '').split(',').every((term) => {
    const [label = '', value] = term.split('=');
    return label === '' || (value === undefined ? label in labels : labels[label] === value);
  });
}

/** Claims are taken in memory, so that two objects of the files that want the same are told as the operator tells them. */
export function draftingKube(kube: Kube): Kube {
  const drafts = new Map<string, KubeObject | undefined>();
  const get: Kube['get'] = async <T extends KubeObject>(ref: Ref) =>
    drafts.has(keyOf(ref)) ? (drafts.get(keyOf(ref)) as T | undefined) : kube.get<T>(ref);
  const draft = async <T extends KubeObject>(object: T): Promise<T> => {
    const drafted = { ...object, metadata: { ...object.metadata, resourceVersion: `draft-${drafts.size + 1}` } };
    drafts.set(keyOf(refOf(object)), drafted);
    return drafted;
  };
  return {
    ...kube,
    get,
    create: async (object) => {
      if ((await get(refOf(object))) !== undefined)
        throw new KubeError(409, 'AlreadyExists', `${object.kind} ${object.metadata.name} exists already`);
      return draft(object);
    },
    replace: draft,
    remove: async (ref) => void drafts.set(keyOf(ref), undefined),
  };
}
