import { MailsealError } from '../errors.ts';
import type { ConfigMapObject, Kube } from '../kube/types.ts';
import { hasReason } from '../kube/error.ts';
import { hashedName } from './store.ts';

/** Who holds a domain or a host; a Retirement has the namespace and name of the object that was deleted. */
export interface Claimant {
  readonly kind: 'MailDomain' | 'MailExchanger' | 'Retirement';
  readonly namespace: string;
  readonly name: string;
}

/**
 * Durable claims: a domain or an MX host belongs to one object. A claim is created atomically and named by a hash of
 * the A-label, so that whoever comes second is told, on every look and after every restart the same way.
 */
export interface Claims {
  /**
   * Takes it from nobody, or back from the retirement of an object of the same name. Whoever else waits for it goes on
   * waiting: what it would make of a policy that senders still hold nobody knows.
   * @throws MailsealError `Conflict`, naming the holder's kind and not its namespace.
   */
  readonly hold: (what: 'domain' | 'host', name: string, claimant: Claimant) => Promise<void>;
  /**
   * Leaves it to the retirement of the claimant, so that nobody else takes it before that has ended. False: it is someone
   * else's or nobody's, and nothing was written.
   * @param known the claimant is known to have had it: a claim that was lost is made anew.
   */
  readonly pass: (what: 'domain' | 'host', name: string, claimant: Claimant, known: boolean) => Promise<boolean>;
  /** Gives up a claim that `claimant` holds; anyone else's is left alone. */
  readonly release: (what: 'domain' | 'host', name: string, claimant: Claimant) => Promise<void>;
}

/** Whether the claim is that of the retirement of an object by the claimant's own name. */
const retired = ({ data }: ConfigMapObject, { kind, namespace, name }: Claimant): boolean =>
  kind !== 'Retirement' && data?.['kind'] === 'Retirement' && data['namespace'] === namespace && data['name'] === name;

export function createClaims(kube: Kube, namespace: string): Claims {
  /** Claims seen to be ours in this run: they change only by our hand. */
  const held = new Set<string>();
  const refOf = (what: string, name: string): { name: string; namespace: string } => ({
    name: hashedName(`mailseal-claim-${what}`, name),
    namespace,
  });
  const keyOf = (what: string, name: string, claimant: Claimant): string =>
    `${what} ${name} ${claimant.kind} ${claimant.namespace}/${claimant.name}`;
  const read = async (what: string, name: string): Promise<ConfigMapObject | undefined> =>
    kube.get<ConfigMapObject>({ apiVersion: 'v1', kind: 'ConfigMap', ...refOf(what, name) });
  const mine = (claim: ConfigMapObject, claimant: Claimant): boolean =>
    claim.data?.['kind'] === claimant.kind &&
    claim.data['namespace'] === claimant.namespace &&
    claim.data['name'] === claimant.name;

  const claimFor = (what: string, name: string, claimant: Claimant, before?: ConfigMapObject): ConfigMapObject => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      ...refOf(what, name),
      labels: { 'app.kubernetes.io/managed-by': 'mailseal', 'mailseal.dev/claim': what },
      ...(before?.metadata.resourceVersion === undefined ? {} : { resourceVersion: before.metadata.resourceVersion }),
    },
    data: { formatVersion: '1', claimed: name, ...claimant },
  });
  const create = async (what: string, name: string, claimant: Claimant): Promise<ConfigMapObject | undefined> => {
    try {
      return await kube.create(claimFor(what, name, claimant));
    } catch (error) {
      if (hasReason(error, 'AlreadyExists')) return read(what, name);
      throw error;
    }
  };

  const hold: Claims['hold'] = async (what, name, claimant) => {
    const key = keyOf(what, name, claimant);
    // A retirement can be ended by someone else's hand: it asks each time.
    if (held.has(key) && claimant.kind !== 'Retirement') return;
    const found = (await read(what, name)) ?? (await create(what, name, claimant));
    const back = found !== undefined && retired(found, claimant);
    const claim = back ? await kube.replace(claimFor(what, name, claimant, found)) : found;
    if (claim === undefined || !mine(claim, claimant)) {
      const holder = claim?.data?.['kind'] ?? 'object';
      throw new MailsealError(
        'Conflict',
        holder === 'Retirement'
          ? `${name} is still being retired for an object that was deleted: wait, or make that object again where it was`
          : `${name} belongs to another ${holder} already; ask your administrator, or refer to it instead of naming it again`,
        { kind: 'Stalled' },
      );
    }
    held.add(key);
  };

  const pass: Claims['pass'] = async (what, name, claimant, known) => {
    held.delete(keyOf(what, name, claimant));
    const heir: Claimant = { ...claimant, kind: 'Retirement' };
    const claim = (await read(what, name)) ?? (known ? await create(what, name, heir) : undefined);
    if (claim === undefined) return false;
    if (mine(claim, heir)) return true;
    if (!mine(claim, claimant)) return false;
    await kube.replace(claimFor(what, name, heir, claim));
    return true;
  };

  const release: Claims['release'] = async (what, name, claimant) => {
    held.delete(keyOf(what, name, claimant));
    const claim = await read(what, name);
    if (claim === undefined || !mine(claim, claimant)) return;
    const { resourceVersion } = claim.metadata;
    await kube.remove(
      { apiVersion: 'v1', kind: 'ConfigMap', ...refOf(what, name) },
      resourceVersion === undefined ? undefined : { resourceVersion },
    );
  };
  return { hold, pass, release };
}
