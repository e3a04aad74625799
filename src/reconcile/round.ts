import { createHash } from 'node:crypto';
import { canonical } from '../api/canonical.ts';
import type { Change } from '../plan/change.ts';

/** What a step does to the world; undefined for one that only stores, or that nothing waits for. */
function deedOf(change: Change): readonly unknown[] | undefined {
  switch (change.do) {
    case 'SaveState':
      return undefined;
    case 'Order':
    case 'SelfSign':
      return [change.do, change.issuer, change.names, change.key.spkiSha256];
    case 'AnswerChallenges':
    case 'Finalize':
    case 'FetchCertificate':
      return [change.do, change.order.url];
    case 'Revoke':
      return [change.do, change.revocation.issuer, change.revocation.chain];
    case 'Records':
      return change.urgency === 'now' ? [change.do, change.provider, change.zone, change.changes] : undefined;
    case 'Deliver':
      return [change.do, change.secret.metadata.namespace, change.secret.metadata.name, change.secret.data];
    case 'Restart':
      return [change.do, change.workload, change.revision];
    case 'Serve':
      return [change.do, change.host, change.entry.revision];
    case 'Unserve':
      return [change.do, change.host];
    case 'ForgetState':
      return [change.do];
  }
}

/**
 * A digest of what a plan does: the same for two plans that do the same, whatever they remember of it. Of a plan that
 * only stores, of what it stores.
 */
export function roundOf(changes: readonly Change[]): string {
  const deeds = changes.flatMap((change) => {
    const deed = deedOf(change);
    return deed === undefined ? [] : [deed];
  });
  const stored = changes.flatMap((change) => (change.do === 'SaveState' ? [change.state] : []));
  return createHash('sha256')
    .update(canonical(deeds.length > 0 ? deeds : stored))
    .digest('hex');
}
