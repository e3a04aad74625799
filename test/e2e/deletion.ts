import { beforeAll, describe, expect, test } from 'vitest';
import { dig, policyOf } from './look.ts';
import type { World } from './world.ts';

/** Objects go; what they made stays, so that no mail is lost. */
export function deletion(given: () => World): void {
  let world: World;
  beforeAll(() => {
    world = given();
  });

  describe.each([
    ['a domain on shared MX hosts', 'shared', 'shared.test'],
    ['a domain with MX hosts of its own', 'example', 'example.test'],
  ] as const)('%s', (_, name, domain) => {
    test('ends within a minute, and everything goes on working', async () => {
      const record = await dig(`_mta-sts.${domain}`, 'TXT');
      const tlsa = await dig('_25._tcp.mx1.example.test', 'TLSA');
      const policy = await policyOf(world, domain);
      await world.kubectl('-n', 'mail', 'delete', 'md', name, '--timeout=60s');
      await world.kubectl('-n', 'mail', 'wait', `mex/${name}`, '--for=delete', '--timeout=60s');
      expect(await dig(`_mta-sts.${domain}`, 'TXT')).toEqual(record);
      expect(await dig('_25._tcp.mx1.example.test', 'TLSA')).toEqual(tlsa);
      expect(await policyOf(world, domain)).toBe(policy);
    });

    test.each(['dane', 'mtaSts'] as const)('a sender by %s still delivers over a verified channel', async (how) => {
      const message = { from: 'alice@sender.test', to: `bob@${domain}`, subject: 'after the end' };
      expect(await world.lab.mail[how].send(message)).toMatchObject({ verified: true, status: 'sent' });
    });
  });
}
