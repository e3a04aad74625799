/** Stand-ins for the clouds, each with all zones, reached through a meter. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { httpRate } from '../src/apply/providers/cloudflare.ts';
import { fill } from '../test/apply/providers/cloudflare-ground.ts';
import { startCloudflare } from '../test/lab/cloudflare/server.ts';
import { labDir } from '../test/lab/namespace.ts';
import { startRoute53 } from '../test/lab/route53.ts';
import { httpCalls, startMeter } from './dns-meter.ts';
import { clock } from './dns-clock.ts';
import * as floors from './dns-floors.ts';
import type { Filled, Ground } from './dns-servers.ts';

const portOf = (url: string): number => Number(new URL(url).port);

/** Calls a second, for all of an account. */
const route53Pace = 5;

export async function startRoute53Ground(zones: readonly Filled[]): Promise<Ground> {
  const dir = join(labDir(), 'route53');
  mkdirSync(dir, { recursive: true });
  const route53 = await startRoute53(dir);
  for (const { name, names } of zones) {
    await route53.createZone(name);
    const sets = Array.from({ length: names }, (_, at) => ({
      name: `h${at}.${name}`,
      type: 'A',
      ttl: 300,
      values: ['192.0.2.1'],
    }));
    if (names > 0) route53.hold(name, sets);
  }
  const meter = await startMeter(
    { address: '127.0.0.1', port: portOf(route53.url) },
    httpCalls((method) => method === 'POST'),
  );
  const spec = {
    zones: zones.map(({ name }) => name),
    route53: { endpoint: `http://127.0.0.1:${meter.port}`, plainHttp: true },
  };
  const seconds = (calls: number): number => calls / route53Pace;
  return {
    name: 'Route 53',
    floor: floors.route53,
    access: { spec, credentials: route53.credentials, meter },
    flat: true,
    limit: { seconds, pace: seconds, remembers: 1, speed: 8 },
    stop: async () => {
      await meter.stop();
      await route53.stop();
    },
  };
}

/** Source: https://developers.cloudflare.com/fundamentals/api/reference/limits/ */
const cloudflareLimit = { calls: 1200, seconds: 300 };

export async function startCloudflareGround(zones: readonly Filled[]): Promise<Ground> {
  const server = await startCloudflare(clock.now);
  for (const { name, names } of zones) {
    server.addZone(name);
    fill(server, name, names);
  }
  const meter = await startMeter(
    { address: '127.0.0.1', port: portOf(server.endpoint) },
    httpCalls((method) => method !== 'GET'),
  );
  const endpoint = `http://127.0.0.1:${meter.port}/client/v4`;
  const spec = { zones: zones.map(({ name }) => name), cloudflare: { endpoint, plainHttp: true } };
  const { burst = 1, perSecond = 1 } = httpRate;
  return {
    name: 'Cloudflare',
    floor: floors.cloudflare,
    access: { spec, credentials: { 'api-token': server.token }, meter },
    flat: true,
    limit: {
      seconds: (calls) => Math.floor((calls - 1) / cloudflareLimit.calls) * cloudflareLimit.seconds,
      pace: (calls) => Math.max(0, calls - burst) / perSecond,
      remembers: cloudflareLimit.seconds,
      speed: 20,
    },
    stop: async () => {
      await meter.stop();
      await server.stop();
    },
  };
}
