/** BIND with a secure, an insecure and a bogus zone, and Unbound in front of it, for the lab tests of DNS. */
import { join } from 'node:path';
import type { Clock } from '../../../src/clock.ts';
import { type Bind, startBind } from '../../lab/dns.ts';
import { type Unbound, startUnbound } from '../../lab/dns-unbound.ts';
import { createCa } from '../../lab/mail-ca.ts';
import { addAddress, newFolder } from '../../lab/namespace.ts';

export interface DnsLab {
  readonly bind: Bind;
  /** Validates; DoT on port 853 for `dns.lab.test`, signed by `caPem`. */
  readonly unbound: Unbound;
  /** Does not validate. */
  readonly careless: Unbound;
  readonly caPem: string;
  readonly addresses: {
    readonly primary: string;
    readonly primary6: string;
    readonly secondary: string;
    readonly unbound: string;
    readonly careless: string;
  };
  readonly stop: () => Promise<void>;
}

export const clock: Clock = { now: () => Date.now() };

const records = [
  'mx1 IN A 10.53.9.1',
  'mx1 IN AAAA fd53::901',
  '@ IN MX 10 mx1',
  'alias 30 IN CNAME mx1',
  '*.wild IN A 10.53.9.9',
  'text IN TXT "one" "two"',
  '*.wild IN TXT "synthesised"',
  'real.wild IN A 10.53.9.9',
].join('\n');

/** Every file takes addresses of its own, so that what a server of another one left behind is not asked. */
export async function startDnsLab(octet: number): Promise<DnsLab> {
  const at = (last: number): string => `10.53.${octet}.${last}`;
  const addresses = {
    primary: at(1),
    primary6: `fd53::${octet}:1`,
    secondary: at(2),
    unbound: at(3),
    careless: at(4),
  };
  for (const address of Object.values(addresses)) await addAddress(address);
  const dir = newFolder('dns');
  const bind = await startBind({
    dir: join(dir, 'bind'),
    primary: { v4: addresses.primary, v6: addresses.primary6 },
    secondary: { v4: addresses.secondary },
    zones: [
      { name: 'example.test', records },
      { name: 'insecure.test', records, security: 'insecure' },
      { name: 'broken.test', records, security: 'bogus' },
      { name: 'denied.test', allowUpdate: false },
    ],
  });
  const ca = await createCa(join(dir, 'ca'));
  const tls = await ca.issue({ path: join(dir, 'dot'), names: ['dns.lab.test'] });
  const stubs = [{ zone: 'test', servers: [addresses.primary] }];
  const shared = { trustAnchors: bind.trustAnchors, stubs };
  const unbound = await startUnbound({ ...shared, dir: join(dir, 'unbound'), addresses: [addresses.unbound], tls });
  const careless = await startUnbound({
    ...shared,
    dir: join(dir, 'careless'),
    addresses: [addresses.careless],
    validating: false,
  });
  const stop = async (): Promise<void> => {
    await Promise.all([unbound.stop(), careless.stop(), bind.stop()]);
  };
  return { bind, unbound, careless, caPem: ca.pem, addresses, stop };
}
