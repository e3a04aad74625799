import { afterEach, expect, test } from 'vitest';
import { AUTHORITATIVE_ANSWER, type Packet } from 'dns-packet';
import { createAddressPolicy } from '../../../src/observe/dns/address.ts';
import { createAuthorities } from '../../../src/observe/dns/authorities.ts';
import { type FakeWorld, fakeResolver } from '../../fakes/resolver.ts';
import { type Script, type TestServer, response, startServer } from './servers.ts';

const zone = 'example.com';
const name = `mx1.${zone}`;
const address = { type: 'A', name, ttl: 60, data: '192.0.2.1' } as const;
const soa = {
  type: 'SOA',
  name: zone,
  ttl: 900,
  data: { mname: 'ns', rname: 'h', serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 30 },
} as const;
const referral = { type: 'NS', name: `sub.${zone}`, ttl: 60, data: 'ns9.example.net' } as const;

let server: TestServer | undefined;
afterEach(async () => {
  await server?.stop();
  server = undefined;
});

const world: FakeWorld = {
  records: { [`${zone} NS`]: ['ns1.example.net'], 'ns1.example.net A': ['127.0.0.1'] },
  ttl: 30,
};

async function asking(script: Script, options: { world?: FakeWorld; now?: () => number } = {}) {
  server = await startServer({ udp: script });
  return createAuthorities({
    resolver: fakeResolver(options.world ?? world),
    allow: createAddressPolicy(['127.0.0.0/8']),
    clock: { now: options.now ?? (() => 0) },
    port: server.port,
    timeoutMs: 300,
  });
}

const answering =
  (fields: Packet, rcode = 0): Script =>
  (query) => [response(query, fields, { rcode })];

test.each([
  [
    'a set',
    { flags: AUTHORITATIVE_ANSWER, answers: [address] },
    0,
    { outcome: 'Found', values: ['192.0.2.1'], ttl: 60 },
  ],
  ['a denial of the type', { flags: AUTHORITATIVE_ANSWER, authorities: [soa] }, 0, { outcome: 'NoData', ttl: 30 }],
  ['a denial of the name', { flags: AUTHORITATIVE_ANSWER, authorities: [soa] }, 3, { outcome: 'NxDomain', ttl: 30 }],
  ['an answer out of a cache', { answers: [address] }, 0, { outcome: 'Unreachable', values: [] }, true],
  ['a referral', { authorities: [referral] }, 0, { outcome: 'Unreachable', values: [] }, true],
  ['a refusal', {}, 5, { outcome: 'Unreachable', detail: 'REFUSED' }, true],
  ['a failure', {}, 2, { outcome: 'ServFail', detail: 'SERVFAIL' }],
])('%s from a name server is read as such', async (_what, fields, rcode, expected, lame = false) => {
  const authorities = await asking(answering(fields, rcode));
  const answers = await authorities.lookupAll(zone, name, 'A');
  authorities.close();
  expect(answers).toMatchObject([
    { server: 'ns1.example.net', address: '127.0.0.1', answer: { ...expected, authentic: false } },
  ]);
  expect(answers[0]?.lame === true).toBe(lame);
});

const signature = {
  type: 'RRSIG',
  name,
  ttl: 60,
  data: {
    typeCovered: 'A',
    algorithm: 13,
    labels: 3,
    originalTTL: 60,
    expiration: 4_000_000_000,
    inception: 1_700_000_000,
    keyTag: 4711,
    signersName: zone,
    signature: Buffer.alloc(64),
  },
} as const;

test('what the signatures of a set say of themselves comes with it, and none of another set', async () => {
  const other = { ...signature, data: { ...signature.data, typeCovered: 'NSEC', keyTag: 1 } } as const;
  const authorities = await asking(answering({ flags: AUTHORITATIVE_ANSWER, answers: [address, signature, other] }));
  const [answer] = await authorities.lookupAll(zone, name, 'A');
  authorities.close();
  expect(answer?.signatures).toEqual([
    { algorithm: 13, keyTag: 4711, inception: 1_700_000_000_000, expiration: 4_000_000_000_000 },
  ]);
});

test('no more addresses are asked than are wanted', async () => {
  const many = ['127.0.0.1', '127.0.0.2', '127.0.0.3'];
  const wide = { ...world, records: { ...world.records, 'ns1.example.net A': many } };
  const authorities = await asking(answering({ flags: AUTHORITATIVE_ANSWER, answers: [address] }), { world: wide });
  const counts = [await authorities.lookupAll(zone, name, 'A', 2), await authorities.lookupAll(zone, name, 'A')];
  authorities.close();
  expect(counts.map((answers) => answers.length)).toEqual([2, 3]);
});

test('a name server without an address is in the result as unreachable', async () => {
  const lonely = { records: { [`${zone} NS`]: ['ns7.example.net'] } };
  const authorities = await asking(answering({}), { world: lonely });
  expect(await authorities.lookupAll(zone, name, 'A')).toMatchObject([
    { server: 'ns7.example.net', address: '', answer: { outcome: 'Unreachable' } },
  ]);
});

test('servers that only the delegation names are asked too, at the glue where they lie in the zone', async () => {
  const above = { ...world, records: { ...world.records, 'com NS': ['ns1.example.net'] } };
  const delegation: Packet = {
    authorities: [
      { type: 'NS', name: zone, ttl: 60, data: 'ns1.example.net' },
      { type: 'NS', name: zone, ttl: 60, data: `ns2.${zone}` },
    ],
    additionals: [{ type: 'A', name: `ns2.${zone}`, ttl: 60, data: '127.0.0.2' }],
  };
  const script: Script = (query, count) =>
    answering(count === 1 ? delegation : { flags: AUTHORITATIVE_ANSWER, answers: [address] })(query, count);
  const authorities = await asking(script, { world: above });
  const answers = await authorities.lookupAll(zone, name, 'A');
  expect(answers.map((one) => `${one.server} ${one.address}`)).toEqual([
    'ns1.example.net 127.0.0.1',
    `ns2.${zone} 127.0.0.2`,
  ]);
});

test('the servers of a zone are looked up again when their TTL has passed', async () => {
  let now = 0;
  const moving: FakeWorld = { ...world, records: { ...world.records, 'ns2.example.net A': ['127.0.0.1'] } };
  const authorities = await asking(answering({ flags: AUTHORITATIVE_ANSWER, answers: [address] }), {
    world: moving,
    now: () => now,
  });
  const servers = async (): Promise<readonly string[]> =>
    (await authorities.lookupAll(zone, name, 'A')).map((one) => one.server);
  expect(await servers()).toEqual(['ns1.example.net']);
  moving.records[`${zone} NS`] = ['ns2.example.net'];
  now = 29_000;
  expect(await servers()).toEqual(['ns1.example.net']);
  now = 31_000;
  expect(await servers()).toEqual(['ns2.example.net']);
});
