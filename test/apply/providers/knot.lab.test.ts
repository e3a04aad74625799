import { join } from 'node:path';
import { startKnot } from '../../lab/knot.ts';
import { addAddress, newFolder } from '../../lab/namespace.ts';
import { contract } from './contract.ts';
import { rfc2136Ground, updateTraits, zoneSpecs } from './ground.ts';

contract('Knot by RFC 2136', updateTraits, async () => {
  const address = '10.53.31.1';
  await addAddress(address);
  const knot = await startKnot({ dir: join(newFolder('contract'), 'knot'), address, zones: zoneSpecs });
  return rfc2136Ground({ ...knot, address }, 'absent.test');
});
