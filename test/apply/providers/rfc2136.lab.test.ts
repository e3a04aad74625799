import { join } from 'node:path';
import { startBind } from '../../lab/dns.ts';
import { addAddress, newFolder } from '../../lab/namespace.ts';
import { contract } from './contract.ts';
import { rfc2136Ground, updateTraits, zoneSpecs } from './ground.ts';

contract('BIND by RFC 2136', updateTraits, async () => {
  const [address, secondary] = ['10.53.30.1', '10.53.30.2'] as const;
  for (const one of [address, secondary]) await addAddress(one);
  const dir = join(newFolder('contract'), 'bind');
  const bind = await startBind({ dir, primary: { v4: address }, secondary: { v4: secondary }, zones: zoneSpecs });
  return rfc2136Ground({ ...bind, address }, 'absent.test');
});
