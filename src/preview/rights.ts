/** A reader of the cluster who may not see everything: what is missing is said once, and the plan goes on without it. */
import { messageOf, MailsealError } from '../errors.ts';
import { hasReason } from '../kube/error.ts';
import type { KubeObject, ListQuery, Ref } from '../kube/types.ts';
import type { Reading } from './kube.ts';

export interface RightsOptions {
  /** The operator's own. */
  readonly namespace: string;
  readonly shardSecretPrefix: string;
  /** Told once of each thing that can't be read. */
  readonly tell: (notice: string) => void;
}

const statePrefixes = ['mailseal-domain-', 'mailseal-exchanger-', 'mailseal-issuer-'] as const;

/** The same reading, to which what is forbidden, or of a kind that the cluster does not know yet, is not there. */
export function readAsFarAsAllowed(cluster: Reading, options: RightsOptions): Reading {
  const told = new Set<string>();
  const missing = async <T>(ask: () => Promise<T>, nothing: T, words: () => string): Promise<T> => {
    try {
      return await ask();
    } catch (error) {
      if (hasReason(error, 'NotFound')) return nothing;
      if (!hasReason(error, 'Forbidden')) throw error;
      const notice = words();
      if (!told.has(notice)) options.tell(notice);
      told.add(notice);
      return nothing;
    }
  };
  return {
    get: async <T extends KubeObject>(ref: Ref) => {
      if (!isCredential(ref, options))
        return missing(
          () => cluster.get<T>(ref),
          undefined,
          () => getWords(ref, options),
        );
      try {
        return await cluster.get<T>(ref);
      } catch (error) {
        if (!hasReason(error, 'Forbidden')) throw error;
        const message = `Secret ${ref.namespace ?? ''}/${ref.name} can't be read with your rights (${messageOf(error)}): put it among the files, or use a kubeconfig that may read it`;
        throw new MailsealError('CredentialsMissing', message, { kind: 'Stalled', cause: error });
      }
    },
    list: async <T extends KubeObject>(query: ListQuery) =>
      missing<readonly T[]>(
        () => cluster.list<T>(query),
        [],
        () => listWords(query, options),
      ),
  };
}

const isStored = ({ name }: Ref, { shardSecretPrefix }: RightsOptions): boolean =>
  [...statePrefixes, shardSecretPrefix].some((prefix) => name.startsWith(prefix));

/** A Secret in the operator's namespace that is not of its own making. */
const isCredential = (ref: Ref, options: RightsOptions): boolean =>
  ref.kind === 'Secret' && ref.namespace === options.namespace && !isStored(ref, options);

function getWords(ref: Ref, { namespace }: RightsOptions): string {
  const { kind, namespace: at = '' } = ref;
  const what = `${kind}s in namespace ${at} can't be read with your rights`;
  if (kind === 'Secret')
    return at === namespace
      ? `${what}: what Mailseal has stored is not known, and everything is planned as if it had never seen the objects, with new keys, certificates and policy ids`
      : `${what}: what the MX hosts were given is not known, and is planned as if that were nothing`;
  if (kind === 'ConfigMap')
    return `${what}: whom a domain or host belongs to is not known, nor the id of the installation (--installation-id gives it)`;
  return `${what}: they are planned as if there were none`;
}

function listWords({ kind, namespace }: ListQuery, options: RightsOptions): string {
  const what = `${kind}s ${namespace === undefined ? 'of the cluster' : `in namespace ${namespace}`} can't be listed with your rights`;
  switch (kind) {
    case 'Pod':
      if (namespace !== options.namespace)
        return `${what}: what the pods of workloads run with is not known, and no restart is shown`;
      return `${what}: whether the policy pods serve a policy is not known, and no policy id is shown as ready to be published`;
    case 'Service':
      return `${what}: the addresses of the policy host are not known (--policy-address gives them)`;
    case 'ConfigMap':
      return `${what}: what agents say of MX hosts is not known, and only probes count`;
    default:
      return `${what}: only those of the files are known`;
  }
}
