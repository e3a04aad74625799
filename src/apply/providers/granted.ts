import type { DNSProvider } from '../../api/types.ts';
import { grantsZone } from '../../desired/zones.ts';
import { MailsealError } from '../../errors.ts';
import type { Provider } from './provider.ts';

/**
 * A provider that touches no zone but those that its object grants at the moment of the call: what was granted when a
 * record was published may have been taken back since. Rejects with MailsealError `ZoneNotGranted`, which only a human
 * can mend.
 */
export function granted(name: string, provider: Provider, find: (name: string) => DNSProvider | undefined): Provider {
  const check = async (zone: string): Promise<void> => {
    const object = find(name);
    if (object !== undefined && grantsZone(object, zone)) return;
    const message = `the DNSProvider ${name} does not grant the zone ${zone} any more`;
    throw new MailsealError('ZoneNotGranted', message, { kind: 'Stalled' });
  };
  return {
    ...provider,
    list: async (zone, sought) => {
      await check(zone);
      return provider.list(zone, sought);
    },
    apply: async (zone, changes) => {
      await check(zone);
      return provider.apply(zone, changes);
    },
  };
}
