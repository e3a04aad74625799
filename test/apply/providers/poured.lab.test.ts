/** Route 53 accepts a change long before its name servers show it: what a look says until then. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Provider } from '../../../src/apply/providers/provider.ts';
import { createRoute53 } from '../../../src/apply/providers/route53.ts';
import type { RecordSet } from '../../../src/dns/rrset.ts';
import { createAddressPolicy } from '../../../src/observe/dns/address.ts';
import { createAuthorities } from '../../../src/observe/dns/authorities.ts';
import { createResolver } from '../../../src/observe/dns/resolver.ts';
import { createRecents } from '../../../src/observe/recent.ts';
import { observeRecords, type RecordObserver } from '../../../src/observe/records.ts';
import type { RecordView } from '../../../src/plan/record-view.ts';
import { newFolder } from '../../lab/namespace.ts';
import { collectParts } from '../../lab/parts.ts';
import { pour } from '../../lab/pour.ts';
import { waitFor } from '../../lab/process.ts';
import { startRoute53 } from '../../lab/route53.ts';
import { clock, startDnsLab } from '../../observe/dns/lab.ts';
import { parts } from './parts.ts';

const zone = 'example.test';
const delayMs = 2000;
const lab = collectParts();
const pouring = new AbortController();
let poured: Promise<void>;
let provider: Provider;
let observer: RecordObserver;

beforeAll(async () => {
  const dns = lab.keep(await startDnsLab(12));
  const route53 = lab.keep(await startRoute53(newFolder('route53')));
  await route53.createZone(zone);
  provider = createRoute53({
    ...parts(),
    spec: { endpoint: route53.url, plainHttp: true },
    credentials: route53.credentials,
    rate: { atOnce: 4 },
  });
  const resolver = createResolver({ view: 'outside', servers: [`udp://${dns.addresses.unbound}`] });
  expect(await resolver.selfTest('test', 'broken.test')).toBe('Validating');
  const allow = createAddressPolicy(['10.53.0.0/16', 'fd53::/16']);
  const authorities = createAuthorities({ resolver, allow, clock, timeoutMs: 1000 });
  lab.keep({ stop: async () => [resolver, authorities, provider].forEach((part) => part.close?.()) });
  observer = {
    providerOf: () => Promise.resolve(provider),
    outside: resolver,
    inside: undefined,
    authorities,
    recents: createRecents(clock),
  };
  const { dynamicUpdate: write } = dns.bind;
  poured = pour({ zone, read: route53.records, write, delayMs, signal: pouring.signal });
  poured.catch(() => undefined);
});
afterAll(async () => {
  pouring.abort();
  await poured;
  await lab.stop();
});

async function look({ name, type, values }: RecordSet): Promise<RecordView | undefined> {
  const sought = { name, type, values, provider: 'main', zone, host: zone };
  return (await observeRecords(observer, [sought])).get(`${name} ${type}`);
}

const first: RecordSet = { name: `_mta-sts.${zone}`, type: 'TXT', ttl: 5, values: ['v=STSv1; id=1;'] };
const second: RecordSet = { ...first, values: ['v=STSv1; id=2;'] };
const notYet = (set: RecordSet, why: RegExp): object => ({
  live: set,
  servers: { ok: false, why: expect.stringMatching(why) },
  outside: undefined,
});

test('what was accepted is said not to be at all servers, until all of them show it', async () => {
  await provider.apply(zone, [{ name: first.name, type: 'TXT', before: undefined, after: first }]);
  const accepted = Date.now();
  expect(await look(first)).toMatchObject(
    notYet(first, /ns1\.test .*does not show it yet.*ns2\.test .*does not show it/),
  );
  const seen = await waitFor('all servers show it', async () => {
    const view = await look(first);
    return view?.servers?.ok === true && view;
  });
  expect(Date.now() - accepted).toBeGreaterThanOrEqual(delayMs);
  expect(seen).toMatchObject({ live: first, outside: { outcome: 'Found', authentic: true, values: first.values } });
});

test('what was accepted and is never applied stays said to be so', async () => {
  pouring.abort();
  await poured;
  await provider.apply(zone, [{ name: first.name, type: 'TXT', before: first, after: second }]);
  const until = Date.now() + delayMs * 2;
  while (Date.now() < until) expect(await look(second)).toMatchObject(notYet(second, /shows v=STSv1; id=1;/));
});
