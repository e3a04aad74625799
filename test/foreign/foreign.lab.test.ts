import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { playMany, seedsFrom } from './campaign.ts';
import { told } from './play.ts';
import { bindServers, powerdnsServers, type RealServers } from './real.ts';

/** A sample of `npm run prove -- foreign-records`. */
describe.each([
  ['BIND', () => bindServers(41)],
  ['PowerDNS', () => powerdnsServers(42)],
] as const)('on %s', (_, start) => {
  let servers: RealServers;
  beforeAll(async () => {
    servers = await start();
  });
  afterAll(async () => {
    await servers?.stop();
  });

  test('no record of others is written over, and all comes to rest', async () => {
    const { failed, writes } = await playMany(seedsFrom(1, 7), servers);
    expect(failed.map(told)).toEqual([]);
    expect(writes).toBeGreaterThan(20);
  });
});
