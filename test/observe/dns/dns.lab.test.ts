import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createAddressPolicy } from '../../../src/observe/dns/address.ts';
import { createAuthorities } from '../../../src/observe/dns/authorities.ts';
import { type TestedResolver, createResolver } from '../../../src/observe/dns/resolver.ts';
import { shownEverywhere } from '../../../src/observe/dns/shown.ts';
import { isSynthesised } from '../../../src/observe/dns/wildcard.ts';
import { run } from '../../lab/command.ts';
import { type DnsLab, clock, startDnsLab } from './lab.ts';

let lab: DnsLab;
let resolver: TestedResolver;
let authorities: ReturnType<typeof createAuthorities>;

beforeAll(async () => {
  lab = await startDnsLab(11);
  resolver = createResolver({ view: 'outside', servers: [`udp://${lab.addresses.unbound}`] });
  expect(await resolver.selfTest('test', 'broken.test')).toBe('Validating');
  authorities = createAuthorities({
    resolver,
    allow: createAddressPolicy(['10.53.0.0/16', 'fd53::/16']),
    clock,
    timeoutMs: 1000,
  });
});
afterAll(async () => {
  resolver?.close();
  authorities?.close();
  await lab?.stop();
});

test.each([
  [
    'a secure address',
    'mx1.example.test',
    'A',
    { outcome: 'Found', authentic: true, values: ['10.53.9.1'], wildcard: false },
  ],
  ['a secure IPv6 address', 'mx1.example.test', 'AAAA', { outcome: 'Found', values: ['fd53::901'] }],
  ['a secure MX', 'example.test', 'MX', { outcome: 'Found', authentic: true, values: ['10 mx1.example.test'] }],
  [
    'a secure alias',
    'alias.example.test',
    'A',
    { outcome: 'Found', authentic: true, canonicalName: 'mx1.example.test' },
  ],
  ['a secure denial of the name', 'no.example.test', 'A', { outcome: 'NxDomain', authentic: true, ttl: 5 }],
  ['a secure denial of the type', '_25._tcp.mx1.example.test', 'TLSA', { authentic: true, values: [] }],
  ['a secure wildcard', 'x.wild.example.test', 'A', { outcome: 'Found', authentic: true, wildcard: true }],
  ['a text in two strings', 'text.example.test', 'TXT', { outcome: 'Found', values: ['onetwo'] }],
  [
    'an insecure address',
    'mx1.insecure.test',
    'A',
    { outcome: 'Found', authentic: false, wildcard: undefined, detail: undefined },
  ],
  ['an insecure denial', 'no.insecure.test', 'A', { outcome: 'NxDomain', authentic: false }],
  ['a bogus address', 'mx1.broken.test', 'A', { outcome: 'Bogus', authentic: false, values: [] }],
  ['the keys of a zone', 'example.test', 'DNSKEY', { outcome: 'Found', authentic: true }],
  ['the DS of a zone', 'example.test', 'DS', { outcome: 'Found', authentic: true }],
] as const)('%s is seen as such', async (_what, name, type, expected) => {
  const answer = await resolver.lookup(name, type);
  expect(answer).toMatchObject(expected);
});

test('a bogus zone is said to be so in words', async () => {
  expect((await resolver.lookup('mx1.broken.test', 'A')).detail).toMatch(/SERVFAIL: .*(bogus|DNSKEY|RRSIG)/i);
});

test('over TLS with the right name answers are the same', async () => {
  const dot = createResolver({
    view: 'outside',
    servers: [`tls://${lab.addresses.unbound}:853#dns.lab.test`],
    caBundle: lab.caPem,
  });
  expect(await dot.selfTest('example.test', 'broken.test')).toBe('Validating');
  const answers = await Promise.all([dot.lookup('mx1.example.test', 'A'), dot.lookup('mx1.broken.test', 'A')]);
  expect(answers.map((answer) => [answer.outcome, answer.authentic])).toEqual([
    ['Found', true],
    ['Bogus', false],
  ]);
  dot.close();
});

test.each([
  ['another name than the pinned one', 'dns.other.test', true],
  ['an unknown issuer', 'dns.lab.test', false],
])('over TLS a certificate of %s is not asked', async (_what, name, trusted) => {
  const dot = createResolver({
    view: 'outside',
    servers: [`tls://${lab.addresses.unbound}:853#${name}`],
    caBundle: trusted ? lab.caPem : undefined,
  });
  expect(await dot.lookup('mx1.example.test', 'A')).toMatchObject({ outcome: 'Unreachable', authentic: false });
  dot.close();
});

test('a resolver that does not validate is found out and vouches for nothing', async () => {
  const careless = createResolver({ view: 'outside', servers: [`udp://${lab.addresses.careless}`] });
  expect(await careless.selfTest('example.test', 'broken.test')).toEqual({
    problem: expect.stringMatching(/does not mark/),
  });
  const answer = await careless.lookup('mx1.example.test', 'A');
  expect(answer).toMatchObject({
    outcome: 'Found',
    authentic: false,
    detail: expect.stringMatching(/not been shown to validate/),
  });
  careless.close();
});

test('a signed zone in the place of the bogus one fails the self-test', async () => {
  const other = createResolver({ view: 'outside', servers: [`udp://${lab.addresses.unbound}`] });
  expect(await other.selfTest('example.test', 'example.test')).toEqual({ problem: expect.stringMatching(/hands out/) });
  other.close();
});

test('a dead resolver is passed over for the next one', async () => {
  const servers = [`tcp://${lab.addresses.careless}:5399`, `udp://${lab.addresses.unbound}`];
  const two = createResolver({ view: 'outside', servers });
  expect(await two.selfTest('example.test', 'broken.test')).toBe('Validating');
  expect(await two.lookup('mx1.example.test', 'A')).toMatchObject({ outcome: 'Found', authentic: true });
  two.close();
});

test.each(['example.test', 'insecure.test'])('every address of every server of %s is asked', async (zone) => {
  const answers = await authorities.lookupAll(zone, `mx1.${zone}`, 'A');
  const { primary, primary6, secondary } = lab.addresses;
  expect(new Set(answers.map((one) => `${one.server} ${one.address}`))).toEqual(
    new Set([`ns1.test ${primary}`, `ns1.test ${primary6.replace(/^fd53::/, 'fd53::')}`, `ns2.test ${secondary}`]),
  );
  expect(shownEverywhere(answers, ['10.53.9.1'])).toEqual({ ok: true, maxTtl: 5 });
});

test('a change that one server has not got yet is not shown everywhere', async () => {
  const name = 'late.insecure.test';
  lab.bind.secondary.signal('SIGSTOP');
  try {
    await lab.bind.dynamicUpdate(`zone insecure.test\nupdate add ${name}. 77 A 10.53.9.5`);
    const early = shownEverywhere(await authorities.lookupAll('insecure.test', name, 'A'), ['10.53.9.5']);
    expect(early).toEqual({
      ok: false,
      kind: 'ServerSilent',
      why: expect.stringMatching(/^ns2\.test \(.*\) gave no answer/),
    });
  } finally {
    lab.bind.secondary.signal('SIGCONT');
  }
  await lab.bind.settled('insecure.test');
  expect(shownEverywhere(await authorities.lookupAll('insecure.test', name, 'A'), ['10.53.9.5'])).toEqual({
    ok: true,
    maxTtl: 77,
  });
});

test('a name server at a private address is not asked unless it is allowed', async () => {
  const strict = createAuthorities({ resolver, allow: createAddressPolicy(), clock });
  const answers = await strict.lookupAll('example.test', 'mx1.example.test', 'A');
  expect(answers.length).toBeGreaterThan(0);
  for (const { answer } of answers)
    expect(answer).toMatchObject({ outcome: 'Unreachable', detail: expect.stringMatching(/allow-list/) });
  strict.close();
});

test('a zone that nobody serves has no servers', async () => {
  expect(await authorities.lookupAll('nowhere.test', 'x.nowhere.test', 'A')).toEqual([]);
});

test.each([
  ['x.wild', true],
  ['a.b.wild', true],
  ['real.wild', false],
  ['mx1', false],
  ['nothing', false],
])('whether %s comes from a wildcard is told alike with and without signatures: %s', async (host, expected) => {
  const both = await Promise.all(
    ['example.test', 'insecure.test'].map((zone) => isSynthesised(authorities, zone, `${host}.${zone}`)),
  );
  expect(both).toEqual([expected, expected]);
});

test('a machine without a way to a family says so, and not that the server is down', async () => {
  const transport = join(import.meta.dirname, '../../../src/observe/dns/transport.ts');
  const script = `
    const { createTransport } = await import(${JSON.stringify(transport)});
    const question = { name: 'example.test', type: 'A', recursion: false, checkingDisabled: false };
    const ask = (address) =>
      createTransport().ask({ protocol: 'udp', address, port: 53, serverName: undefined }, question);
    console.log(JSON.stringify(await Promise.all(['192.0.2.1', '2001:db8::1'].map(ask))));`;
  const argv = [process.execPath, '--input-type=module', '--eval', script] as const;
  const asked = JSON.parse(await run(['unshare', '--net', ...argv])) as unknown;
  expect(asked).toMatchObject([
    { ok: false, noRoute: true },
    { ok: false, noRoute: true },
  ]);
});
