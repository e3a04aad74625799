/** Credentials that a plan does not take from the cluster: whoever writes a pull request must not learn them by it. */
import { canonical } from '../api/canonical.ts';
import { providerTypeOf } from '../api/capabilities.ts';
import type { DNSProvider } from '../api/types.ts';
import { MailsealError } from '../errors.ts';
import type { KubeObject, Ref } from '../kube/types.ts';
import type { Reading } from './kube.ts';

const isProvider = (object: KubeObject): object is DNSProvider => object.kind === 'DNSProvider';

/** Where a provider's credentials are sent, and which they are. */
function reachOf({ spec }: DNSProvider): string {
  const type = providerTypeOf(spec);
  return canonical([type, type === undefined ? null : spec[type], spec.credentialsSecretRef ?? null]);
}

/**
 * The cluster without the Secrets of providers that the files make, or whose API they change: a URL in the files would be
 * sent what the cluster keeps. A Secret that is among the files is used.
 */
export function withholding(
  cluster: Reading,
  files: readonly KubeObject[],
  standing: readonly DNSProvider[],
  namespace: string,
): Reading {
  const known = new Map(standing.map((provider) => [provider.metadata.name, reachOf(provider)]));
  const given = new Set(files.flatMap(({ kind, metadata }) => (kind === 'Secret' ? [metadata.name] : [])));
  const withheld = new Map(
    files
      .filter(isProvider)
      .filter((provider) => known.get(provider.metadata.name) !== reachOf(provider))
      .flatMap(({ spec, metadata }) => {
        const secret = spec.credentialsSecretRef?.name;
        return secret === undefined || given.has(secret) ? [] : [[secret, metadata.name] as const];
      }),
  );
  const get = async <T extends KubeObject>(ref: Ref): Promise<T | undefined> => {
    const provider = ref.kind === 'Secret' && ref.namespace === namespace ? withheld.get(ref.name) : undefined;
    if (provider === undefined) return cluster.get<T>(ref);
    const message = `the files make the DNSProvider ${provider}, or change where its credentials are sent: Secret ${namespace}/${ref.name} is not taken from the cluster for it, lest whoever wrote the files learns it. Put a Secret of that name, with credentials for a plan, among the files`;
    throw new MailsealError('CredentialsMissing', message, { kind: 'Stalled' });
  };
  return { get, list: cluster.list };
}
