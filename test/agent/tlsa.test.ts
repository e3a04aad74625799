import { X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import { portsOf, tlsaAllows } from '../../src/agent/tlsa.ts';
import { digest } from '../../src/dane/tlsa.ts';
import { type FakeWorld, fakeResolver } from '../fakes/resolver.ts';
import { createAuthority } from '../server/certificates.ts';

const host = 'mx1.example.com';
const authority = createAuthority();
const { certificate } = authority.issue([host]);
const chain = certificate + authority.certificate;
const spki = (pem: string): string =>
  digest(new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'der' }));
const ours = `3 1 1 ${spki(certificate)}`;
const other = `3 1 1 ${'ab'.repeat(32)}`;
const tlsa = `_25._tcp.${host} TLSA`;
const secure = ['example.com'];

async function judge(world: FakeWorld, ports: readonly number[] = [25]): Promise<string> {
  const address = `${host} CNAME` in world.records ? {} : { [`${host} A`]: ['192.0.2.1'] };
  const records = { ...address, ...world.records };
  const allowed = await tlsaAllows(fakeResolver({ ...world, records }), { host, ports, chain, now: Date.now() });
  return allowed.allowed ? 'allowed' : allowed.why;
}

test.each<[string, FakeWorld]>([
  ['no TLSA is there, provably', { records: {}, secure }],
  ['its zone is not signed', { records: { [tlsa]: [other] } }],
  ['the set has its key', { records: { [tlsa]: [ours] }, secure }],
  ['the set has its key beside another', { records: { [tlsa]: [other, ours] }, secure }],
  ['no record of the set is usable', { records: { [tlsa]: [`1 1 1 ${'ab'.repeat(32)}`] }, secure }],
  ['the set has its CA', { records: { [tlsa]: [`2 1 1 ${spki(authority.certificate)}`] }, secure }],
  ['the set of another port does not match', { records: { [`_993._tcp.${host} TLSA`]: [other] }, secure }],
])('a key is allowed where %s', async (_, world) => {
  expect(await judge(world)).toBe('allowed');
});

const alias = { [`${host} CNAME`]: ['real.example.com'], 'real.example.com A': ['192.0.2.1'] };
const aliasTlsa = '_25._tcp.real.example.com';
const failing = (name: string, how: 'Bogus' | 'ServFail' | 'Unreachable'): FakeWorld => ({
  records: {},
  secure,
  failing: { [name]: how },
});

test.each<[string, FakeWorld, RegExp]>([
  [
    'the secure set has another key',
    { records: { [tlsa]: [other] }, secure },
    /_25\._tcp\.mx1.* do not match the new key/u,
  ],
  ['the set of its alias has another', { records: { ...alias, [`${aliasTlsa} TLSA`]: [other] }, secure }, /\.real\./u],
  ['the resolver is silent', failing(host, 'Unreachable'), /is not known: .* Unreachable/u],
  ['the set is bogus', failing(`_25._tcp.${host}`, 'Bogus'), /is not known: .* TLSA: Bogus/u],
  ['the servers fail', failing(`_25._tcp.${host}`, 'ServFail'), /is not known/u],
])('a key is not allowed where %s', async (_, world, why) => {
  expect(await judge(world)).toMatch(why);
});

test('the set of port 25 counts also where a mail server answers the agent at another port', async () => {
  const world = { records: { [tlsa]: [other] }, secure };
  expect(await judge(world, portsOf('postfix', 10_025))).toMatch(/_25\._tcp\.mx1.* do not match/u);
  expect(await judge(world, portsOf('dovecot', 993))).toBe('allowed');
  expect(await judge({ records: { [`_993._tcp.${host} TLSA`]: [other] }, secure }, portsOf('dovecot', 993))).toMatch(
    /_993\._tcp\.mx1.* do not match/u,
  );
});
