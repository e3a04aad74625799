import { MailsealError } from '../errors.ts';
import type { ConfigMapObject, Kube } from '../kube/types.ts';
import { hasReason } from '../kube/error.ts';
import { hashedName } from './store.ts';

/** Who holds a domain or a host. */
export interface Claimant {
  readonly kind: 'MailDomain' | 'MailExchanger';
  readonly namespace: string;
  readonly name: string;
}

/**
 * Durable claims: a domain or an MX host belongs to one object. A claim is created atomically and named by a hash of
 * the A-label, so that whoever comes second is told, on every look and after every restart the same way.
 */
export interface Claims {
  /** @throws MailsealError `Conflict`, naming the holder's kind and not its namespace. */
  readonly hold: (what: 'domain' | 'host', name: string, claimant: Claimant) => Promise<void>;
  /** Gives up a claim that `claimant` holds; anyone else's is left alone. */
  readonly release: (what: 'domain' | 'host', name: string, claimant: Claimant) => Promise<void>;
}

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

  const create = async (what: string, name: string, claimant: Claimant): Promise<ConfigMapObject | undefined> => {
    const claim: ConfigMapObject = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        ...refOf(what, name),
        labels: { 'app.kubernetes.io/managed-by': 'mailseal', 'mailseal.dev/claim': what },
      },
      data: { formatVersion: '1', claimed: name, ...claimant },
    };
    try {
      return await kube.create(claim);
    } catch (error) {
      if (hasReason(error, 'AlreadyExists')) return read(what, name);
      throw error;
    }
  };

  const hold: Claims['hold'] = async (what, name, claimant) => {
    const key = keyOf(what, name, claimant);
    if (held.has(key)) return;
    const claim = (await read(what, name)) ?? (await create(what, name, claimant));
    if (claim === undefined || !mine(claim, claimant)) {
      const holder = claim?.data?.['kind'] ?? 'object';
      throw new MailsealError(
        'Conflict',
        `${name} belongs to another ${holder} already; ask your administrator, or refer to it instead of naming it again`,
        { kind: 'Stalled' },
      );
    }
    held.add(key);
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
  return { hold, release };
}
