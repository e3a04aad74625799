import { conditionOf } from '../api/conditions.ts';
import type { MailExchanger } from '../api/types.ts';
import type { ObservedExchangerRef } from '../plan/domain.ts';

/**
 * What a domain may know of an exchanger: how it stands, in the exchanger's own words. A status that was written for an
 * earlier spec proves nothing. Senders that follow MTA-STS ask more than `StartTLSVerified` says: a certificate that
 * only DANE vouches for leaves a doubt.
 */
export function readinessOf({ metadata, status, spec }: MailExchanger): ObservedExchangerRef {
  const { name } = metadata;
  const unseen = `${spec.hosts.join(', ')} have not been looked at yet, as the spec has them now`;
  const fresh = status?.observedGeneration === metadata.generation ? status?.conditions : undefined;
  const of = (type: 'Ready' | 'StartTLSVerified' | 'Deployed') => conditionOf(fresh, type);
  const [ready, startTls] = [of('Ready'), of('StartTLSVerified')];
  const doubt = (message = unseen, reason: 'ExchangerNotReady' | 'CertificateNotTrusted' = 'ExchangerNotReady') => ({
    reason,
    message,
  });
  const open = [startTls, of('Deployed')].find((one) => one?.status !== 'True');
  const proven = startTls?.status === 'True' && of('Deployed')?.status === 'True';
  return {
    name,
    ready: ready?.status === 'True',
    message: open?.message ?? ready?.message ?? unseen,
    doubt: !proven
      ? doubt(open?.message)
      : startTls.reason === 'STARTTLSVerified'
        ? undefined
        : doubt(startTls.message, 'CertificateNotTrusted'),
  };
}
