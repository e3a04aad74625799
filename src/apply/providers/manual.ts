/** A human publishes the records; Mailseal says which, and goes on when the zone's servers show them. */
import { capabilitiesOf } from '../../api/capabilities.ts';
import type { DNSProviderSpec } from '../../api/types.ts';
import { MailsealError } from '../../errors.ts';
import { listByServers } from './byservers.ts';
import type { Credentials, ProviderParts } from './index.ts';
import type { Provider } from './provider.ts';

/** The provider that a spec describes; throws as `createProvider` does. */
export function fromSpec(
  { contact }: NonNullable<DNSProviderSpec['manual']>,
  _credentials: Credentials,
  { authorities }: Pick<ProviderParts, 'authorities'>,
): Provider {
  const whom = contact === undefined ? '' : `; ask ${contact}`;
  return {
    capabilities: capabilitiesOf.manual,
    share: () => 0,
    list: (zone, sought) => listByServers(authorities, zone, sought),
    apply: async (zone) => {
      throw new MailsealError(
        'ProviderRefused',
        `a human publishes the records of the zone ${zone}, as status.requiredRecords lists them${whom}`,
        { kind: 'Stalled' },
      );
    },
  };
}
