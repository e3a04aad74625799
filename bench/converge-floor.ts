/**
 * The least that the same work takes: the same ACME orders and DNS updates against the same servers, by a bare script
 * that has no Kubernetes, remembers nothing, looks at no MX, serves no policy and proves nothing from outside.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { createAcme, type Acme, type OrderStatus } from '../src/apply/acme.ts';
import { createKey, newAccountKey } from '../src/apply/acme-keys.ts';
import type { RecordChange } from '../src/apply/providers/provider.ts';
import { createRfc2136 } from '../src/apply/providers/rfc2136.ts';
import { createZoneWriter, type ZoneWriter } from '../src/apply/zonewriter.ts';
import { systemClock } from '../src/clock.ts';
import type { RecordType } from '../src/dns/rrset.ts';
import { createAddressPolicy } from '../src/observe/dns/address.ts';
import { createAuthorities } from '../src/observe/dns/authorities.ts';
import { createResolver } from '../src/observe/dns/resolver.ts';
import type { Bind } from '../test/lab/dns.ts';
import { places } from '../test/lab/lab.ts';
import type { Pebble } from '../test/lab/pebble.ts';
import { waitFor } from '../test/lab/process.ts';

/** A domain and the zone that it lies in. */
export interface Placed {
  readonly domain: string;
  readonly zone: string;
}

interface Servers {
  readonly bind: Bind;
  readonly pebble: Pebble;
}

export interface Floor {
  readonly seconds: number;
  /** Of this script. */
  readonly cpuSeconds: number;
  readonly acmeRequests: number;
  readonly dnsUpdates: number;
}

export interface Tools {
  readonly acme: Acme;
  readonly writer: ZoneWriter;
  readonly shown: (zone: string, name: string, value: string) => Promise<boolean>;
}

const patience = { timeoutMs: 120_000, everyMs: 50 };

export const change = (name: string, type: RecordType, before?: string, after?: string): RecordChange => {
  const set = (value: string) => ({ name, type, ttl: 5, values: [value] });
  return {
    name,
    type,
    before: before === undefined ? undefined : set(before),
    after: after === undefined ? undefined : set(after),
  };
};

/** As many domains at once as the operator has workers for them would be too few: an order waits, a worker need not. */
export const runFloor = (lab: Servers, domains: readonly Placed[], atOnce: number): Promise<Floor> =>
  floorOf(lab, (tools) => atMost(atOnce, domains, (one) => converge(tools, one)));

/** What `work` costs, with an account of its own. */
export async function floorOf({ bind, pebble }: Servers, work: (tools: Tools) => Promise<void>): Promise<Floor> {
  const acme = createAcme({
    directoryUrl: pebble.directoryUrl,
    caBundle: readFileSync(pebble.caFile, 'utf8'),
    accountKeyPem: newAccountKey(),
  });
  const key = {
    name: bind.tsig.name,
    algorithm: 'hmac-sha256',
    secret: Buffer.from(bind.tsig.secret, 'base64'),
  } as const;
  const provider = createRfc2136({ address: places.primary.v4, key, clock: systemClock });
  const resolver = createResolver({ view: 'inside', servers: [`udp://${places.inside}:53`], caBundle: undefined });
  const allow = createAddressPolicy(places.ranges);
  const authorities = createAuthorities({ resolver, allow, clock: systemClock });
  const tools: Tools = {
    acme,
    writer: createZoneWriter({ providerFor: () => provider, windowMs: 100 }),
    shown: async (zone, name, value) => {
      const answers = await authorities.lookupAll(zone, name, 'TXT');
      return answers.length > 0 && answers.every(({ answer }) => answer.values.includes(value));
    },
  };
  const before = { acme: pebble.requests().length, dns: bind.updates(), cpu: process.cpuUsage() };
  const started = performance.now();
  await acme.register({});
  await work(tools);
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(before.cpu);
  authorities.close();
  resolver.close();
  await acme.close();
  return {
    seconds,
    cpuSeconds: (user + system) / 1e6,
    acmeRequests: pebble.requests().length - before.acme,
    dnsUpdates: bind.updates() - before.dns,
  };
}

const attempts = 5;
/** Milliseconds after which a denial in the lab is forgotten. */
const denialMs = 5_500;

async function converge(tools: Tools, { domain, zone }: Placed): Promise<void> {
  const keyPem = await createKey('ECDSA-P256');
  const { txtName, txtValue } = await prove(tools, { host: `mta-sts.${domain}`, zone, owner: domain }, keyPem);
  const records = [
    change(`_mailseal.${domain}`, 'TXT', undefined, 'heritage=mailseal,owner=floor'),
    change(`mta-sts.${domain}`, 'A', undefined, places.policy),
    change(`_smtp._tls.${domain}`, 'TXT', undefined, 'v=TLSRPTv1; rua=mailto:tls@example.test'),
    change(`_mta-sts.${domain}`, 'TXT', undefined, 'v=STSv1; id=20260101T000000;'),
    change(txtName, 'TXT', txtValue, undefined),
  ];
  await tools.writer.submit({ provider: 'floor', zone }, records, { urgency: 'now', owner: domain });
}

/** Gets a certificate; the proof still stands when it resolves. A resolver of the CA may have an old denial: again then. */
export async function prove(
  { acme, writer, shown }: Tools,
  { host, zone, owner }: { readonly host: string; readonly zone: string; readonly owner: string },
  keyPem: string,
): Promise<{ readonly txtName: string; readonly txtValue: string }> {
  const names = [host];
  let standing: string | undefined;
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    if (attempt > 1) await pause(denialMs);
    const order = await acme.newOrder(names);
    const [authorization] = order.authorizations;
    if (authorization === undefined) throw new Error(`the order for ${host} asks for no proof`);
    const { txtName, txtValue } = authorization;
    const proof = [change(txtName, 'TXT', standing, txtValue)];
    await writer.submit({ provider: 'floor', zone }, proof, { urgency: 'now', owner });
    standing = txtValue;
    await waitFor(`${txtName} everywhere`, () => shown(zone, txtName, txtValue), patience);
    await acme.answer(order);
    const settled = (from: OrderStatus['status']) =>
      waitFor(
        `the order for ${host} to go on`,
        async () => {
          const { status } = await acme.poll(order);
          return status === from || status === 'processing' ? undefined : status;
        },
        patience,
      );
    if ((await settled('pending')) !== 'ready') continue;
    await acme.finalize(order, keyPem, names);
    if ((await settled('ready')) !== 'valid') continue;
    await acme.certificate(order);
    return { txtName, txtValue };
  }
  throw new Error(`the CA refuses ${host} ${attempts} times`);
}

/** Runs `work` for each, so many at a time; rejects with the first failure. */
export async function atMost<T>(count: number, items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = items.values();
  const worker = async (): Promise<void> => {
    for (const item of left) await work(item);
  };
  await Promise.all(Array.from({ length: count }, worker));
}
