import { randomUUID } from 'node:crypto';
import { canonicalNames } from '../desired/exchanger.ts';
import { MailsealError } from '../errors.ts';
import { hasReason } from '../kube/error.ts';
import type { Store } from '../apply/store.ts';
import { markedBy } from '../plan/ownership.ts';
import type { State } from '../plan/state.ts';
import type { Cache } from '../world.ts';
import type { ConfigMapObject, Kube } from '../kube/types.ts';

const name = 'mailseal-installation';
const dataKey = 'installationId';
const shape = /^[A-Za-z0-9-]{8,64}$/u;

/**
 * The installation id that is kept; undefined where none is.
 * @throws MailsealError `InvalidSpec` when `given` contradicts what is kept, `StateUnreadable` when that can't be read.
 */
export async function keptInstallationId(
  kube: Pick<Kube, 'get'>,
  namespace: string,
  given: string | undefined,
): Promise<string | undefined> {
  if (given !== undefined && !shape.test(given)) {
    throw new MailsealError('InvalidSpec', 'the installation id must be 8 to 64 letters, digits and hyphens', {
      kind: 'Stalled',
    });
  }
  const found = await kube.get<ConfigMapObject>({ apiVersion: 'v1', kind: 'ConfigMap', namespace, name });
  if (found === undefined) return undefined;
  const kept = found.data?.[dataKey];
  if (kept === undefined || !shape.test(kept)) {
    const message = `ConfigMap ${namespace}/${name} holds no installation id: restore it from a backup, or delete it and give the id by --installation-id`;
    throw new MailsealError('StateUnreadable', message, { kind: 'Stalled' });
  }
  if (given === undefined || given === kept) return kept;
  const mend = `delete ConfigMap ${namespace}/${name} first if this installation is to take over the records of ${given}`;
  throw new MailsealError('InvalidSpec', `this installation is ${kept}, not ${given}: ${mend}`, { kind: 'Stalled' });
}

/**
 * What marks our records in the DNS: made once, kept in a ConfigMap that outlives the release, and handed over only
 * explicitly, by `given`. Where the ConfigMap is lost it is what our durable states `remembered`: a new one would make
 * all our records a stranger's.
 * @throws MailsealError as `keptInstallationId` does.
 */
export async function installationId(
  kube: Kube,
  namespace: string,
  given: string | undefined,
  remembered: () => Promise<string | undefined>,
): Promise<string> {
  const kept = await keptInstallationId(kube, namespace, given);
  if (kept !== undefined) return kept;
  const made = given ?? (await remembered()) ?? randomUUID();
  try {
    await kube.create<ConfigMapObject>({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, namespace, labels: { 'app.kubernetes.io/managed-by': 'mailseal' } },
      data: { [dataKey]: made },
    });
    return made;
  } catch (error) {
    if (hasReason(error, 'AlreadyExists')) return installationId(kube, namespace, given, remembered);
    throw error;
  }
}

/** The id that what was published says, by the first durable state of an object that tells; states are read one by one. */
export async function rememberedId(store: Store, cache: Cache): Promise<string | undefined> {
  const places = [
    ...cache.exchangers().map(({ metadata }) => ['exchanger', `${metadata.namespace ?? ''}/${metadata.name}`] as const),
    ...cache.domains().flatMap(({ spec }) => canonicalNames([spec.domain]).map((name) => ['domain', name] as const)),
    ...cache
      .retirements()
      .map(({ spec: { what, domain, namespace, name } }) =>
        what === 'Domain' ? (['domain', domain ?? ''] as const) : (['exchanger', `${namespace}/${name}`] as const),
      ),
  ];
  for (const [kind, identity] of places) {
    const id = markedBy((await readable(store, kind, identity))?.applied ?? []);
    if (id !== undefined) return id;
  }
  return undefined;
}

/** One that can't be read is reported when its object is looked at. */
async function readable(store: Store, kind: State['kind'], identity: string): Promise<State | undefined> {
  try {
    return (await store.load(kind, identity))?.state;
  } catch (error) {
    if (error instanceof MailsealError && error.reason === 'StateUnreadable') return undefined;
    throw error;
  }
}
