/** The name servers of the bench, each with all zones, reached through a meter. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { createProvider } from '../src/apply/providers/index.ts';
import type { Provider } from '../src/apply/providers/provider.ts';
import { readEndpoint } from '../src/apply/providers/endpoints.ts';
import { parts } from '../test/apply/providers/parts.ts';
import { type Bind, startBind } from '../test/lab/dns.ts';
import type { TsigKey } from '../test/lab/dns-conf.ts';
import type { ZoneSpec } from '../test/lab/dns-zone.ts';
import { startKnot } from '../test/lab/knot.ts';
import { addAddress, labDir } from '../test/lab/namespace.ts';
import { startPowerdns } from '../test/lab/powerdns.ts';
import { type Endpoint, startWebhook } from '../test/lab/webhook.ts';
import { dnsCalls, httpCalls, startMeter } from './dns-meter.ts';
import type { FloorOf } from './dns-floors.ts';
import * as floors from './dns-floors.ts';
import type { Access } from './dns-work.ts';

/** A zone and how many names stand in it before. */
export interface Filled {
  readonly name: string;
  readonly names: number;
}

/** An API, running. */
export interface Ground {
  readonly name: string;
  readonly floor: FloorOf;
  readonly access: Access;
  /** Where a zone of `Filled` is reached, where that is not `access`. */
  readonly accessTo?: (zone: string) => Access;
  /** What it costs to change a record does not depend on the size of the zone. */
  readonly flat: boolean;
  /** For an API that limits calls: the least seconds that so many take, and how much faster than real the bench goes. */
  readonly limit?: {
    readonly seconds: (calls: number) => number;
    /** As many seconds as so many take at the operator's pace. */
    readonly pace: (calls: number) => number;
    /** Seconds for which a call counts. */
    readonly remembers: number;
    readonly speed: number;
  };
  readonly stop: () => Promise<void>;
}

const stopAll =
  (...all: readonly { readonly stop: () => Promise<void> }[]): (() => Promise<void>) =>
  async () => {
    for (const one of all) await one.stop();
  };

const lines = (count: number): string =>
  Array.from({ length: count }, (_, at) => `h${at} 300 IN A 192.0.2.1`).join('\n');

const zoneSpecs = (zones: readonly Filled[]): readonly ZoneSpec[] =>
  zones.map(({ name, names }) => ({ name, security: 'insecure', records: lines(names) }));

async function updates(address: string, tsig: TsigKey, zones: readonly Filled[]): Promise<Access> {
  const meter = await startMeter({ address, port: 53 }, dnsCalls);
  const rfc2136 = { server: `127.0.0.1:${meter.port}`, tsigKeyName: tsig.name } as const;
  const spec = { zones: zones.map(({ name }) => name), rfc2136 };
  return { spec, credentials: { 'tsig-secret': tsig.secret }, meter };
}

async function bindWith(dir: string, zones: readonly Filled[], host: number): Promise<{ bind: Bind; address: string }> {
  const [address, secondary] = [`10.53.40.${host}`, `10.53.41.${host}`];
  for (const one of [address, secondary]) await addAddress(one);
  const bind = await startBind({
    dir: join(labDir(), dir),
    primary: { v4: address },
    secondary: { v4: secondary },
    zones: zoneSpecs(zones),
  });
  return { bind, address };
}

export async function startBindGround(zones: readonly Filled[]): Promise<Ground> {
  const { bind, address } = await bindWith('bind', zones, 1);
  const access = await updates(address, bind.tsig, zones);
  return { name: 'BIND', floor: floors.rfc2136, access, flat: true, stop: stopAll(access.meter, bind) };
}

export async function startKnotGround(zones: readonly Filled[]): Promise<Ground> {
  const address = '10.53.40.2';
  await addAddress(address);
  const knot = await startKnot({ dir: join(labDir(), 'knot'), address, zones: zoneSpecs(zones) });
  const access = await updates(address, knot.tsig, zones);
  return { name: 'Knot', floor: floors.rfc2136, access, flat: true, stop: stopAll(access.meter, knot) };
}

/** More than the API would take in one body. */
function fillDatabase(file: string, zones: readonly Filled[]): void {
  const database = new DatabaseSync(file);
  const insert = database.prepare(
    "INSERT INTO records (domain_id, name, type, content, ttl, auth) SELECT id, ? || '.' || name, 'A', '192.0.2.1', 300, 1 FROM domains WHERE name = ?",
  );
  database.exec('BEGIN');
  for (const { name, names } of zones) for (let at = 0; at < names; at += 1) insert.run(`h${at}`, name);
  database.exec('COMMIT');
  database.close();
}

export async function startPowerdnsGround(zones: readonly Filled[]): Promise<Ground> {
  const address = '10.53.40.3';
  await addAddress(address);
  const dir = join(labDir(), 'pdns');
  mkdirSync(dir, { recursive: true });
  const empty = zones.map(({ name }) => ({ name, security: 'insecure' }) as const);
  const server = await startPowerdns({ dir, address, zones: empty });
  fillDatabase(join(dir, 'pdns.db'), zones);
  const meter = await startMeter(
    { address, port: 8081 },
    httpCalls((method) => method !== 'GET'),
  );
  const powerdns = { url: `http://127.0.0.1:${meter.port}`, plainHttp: true };
  const spec = { zones: zones.map(({ name }) => name), powerdns };
  const access = { spec, credentials: { 'api-key': server.apiKey }, meter };
  return { name: 'PowerDNS', floor: floors.powerdns, access, flat: true, stop: stopAll(meter, server) };
}

const zoneOf = (name: string, zones: ReadonlySet<string>): string => {
  let rest = name;
  while (rest !== '' && !zones.has(rest)) rest = rest.slice(rest.indexOf('.') + 1 || rest.length);
  return rest;
};

/** A webhook that knows its zones by heart, and writes each set on to BIND. */
async function webhookFor(
  zones: readonly Filled[],
  provider: Provider,
): Promise<Access & { stop: () => Promise<void> }> {
  const names = new Set(zones.map(({ name }) => name));
  const held = new Map<string, Endpoint>();
  const keyOf = ({ dnsName, recordType }: Endpoint): string => `${dnsName} ${recordType}`;
  for (const { name, names } of zones) {
    for (let at = 0; at < names; at += 1) {
      const one = { dnsName: `h${at}.${name}`, recordType: 'A', targets: ['192.0.2.1'], recordTTL: 300 };
      held.set(keyOf(one), one);
    }
  }
  const webhook = await startWebhook({
    include: [...names],
    records: async () => [...held.values()],
    write: async (before, after) => {
      const [old, next] = [before, after].map((one) => (one === undefined ? undefined : readEndpoint(one)));
      const { name, type } = old ?? next ?? { name: '', type: 'TXT' };
      await provider.apply(zoneOf(name, names), [{ name, type, before: old, after: next }]);
      if (before !== undefined) held.delete(keyOf(before));
      if (after !== undefined) held.set(keyOf(after), after);
    },
  });
  const port = Number(new URL(webhook.url).port);
  const meter = await startMeter(
    { address: '127.0.0.1', port },
    httpCalls((method, path) => method === 'POST' && path === '/records'),
  );
  const spec = { zones: [...names], webhook: { url: `http://127.0.0.1:${meter.port}`, plainHttp: true } };
  return { spec, credentials: {}, meter, stop: stopAll(meter, webhook) };
}

export async function startWebhookGround(zones: readonly Filled[]): Promise<Ground> {
  const { bind, address } = await bindWith('webhook', zones, 4);
  const spec = { zones: ['.'], rfc2136: { server: address, tsigKeyName: bind.tsig.name } };
  const provider = await createProvider(spec, { 'tsig-secret': bind.tsig.secret }, parts());
  // Its answer is all there is: so each of the filled zones has a webhook of its own.
  const access = await webhookFor(
    zones.filter(({ names }) => names === 0),
    provider,
  );
  const filled = new Map<string, Awaited<ReturnType<typeof webhookFor>>>();
  for (const one of zones) if (one.names > 0) filled.set(one.name, await webhookFor([one], provider));
  return {
    name: 'webhook',
    floor: floors.webhook,
    access,
    accessTo: (zone) => filled.get(zone) ?? access,
    flat: false,
    stop: stopAll(access, ...filled.values(), bind),
  };
}
