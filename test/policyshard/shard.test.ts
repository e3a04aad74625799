import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  emptyShard,
  formatShard,
  type HostEntry,
  maximumSecretBytes,
  parseShard,
  removeHost,
  revisionOf,
  setHost,
  shardOf,
  sizeWarning,
} from '../../src/policyshard/shard.ts';

const certificate = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
const key = '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n';
const policy = 'version: STSv1\r\nmode: testing\r\nmx: mx.example.com\r\nmax_age: 86400\r\n';
const entry: HostEntry = { policy, revision: revisionOf(policy, certificate), certificate, key };
const bare: HostEntry = { policy: null, revision: revisionOf(null, null), certificate: null, key: null };
const http01 = { tok_1: `tok_1.${'A'.repeat(43)}` };

function shardText(hosts: Record<string, unknown>): string {
  return JSON.stringify({ formatVersion: 1, hosts });
}

test.each([
  ['a host with a policy', { 'mta-sts.example.com': entry }],
  ['a host without a policy', { 'mta-sts.example.com': { ...entry, policy: null } }],
  ['an internationalised host', { 'mta-sts.xn--bcher-kva.example': entry }],
  ['a host with an HTTP-01 answer', { 'mta-sts.example.com': { ...entry, http01 } }],
  ['a host that has no certificate yet', { 'mta-sts.example.com': { ...bare, http01 } }],
  ['no host at all', {}],
])('a shard with %s is read as it was written', (_, hosts) => {
  const parsed = parseShard(formatShard({ formatVersion: 1, hosts }));
  expect(parsed).toEqual({ shard: { formatVersion: 1, hosts }, problems: [] });
});

test.each([
  ['is not JSON', '{', 'the shard is not JSON'],
  ['is a list', '[]', 'the shard is not an object'],
  ['has no version', '{}', "the shard's formatVersion is nothing; this program reads 1"],
  ['is of a later version', '{"formatVersion":2}', "the shard's formatVersion is 2; this program reads 1"],
  ['has no hosts', '{"formatVersion":1}', 'the shard has no hosts'],
])('a shard that %s is refused whole', (_, text, message) => {
  expect(parseShard(text)).toEqual({ problems: [{ message }] });
});

test.each([
  ['Mta-Sts.example.com', entry, 'the host is not a name in lower-case A-labels'],
  ['mta-sts.example.com.', entry, 'the host is not a name in lower-case A-labels'],
  ['../../etc/passwd', entry, 'the host is not a name in lower-case A-labels'],
  ['bad.example.com', null, 'the entry is not an object'],
  ['bad.example.com', { ...entry, policy: 1 }, 'policy is neither a text nor null'],
  ['bad.example.com', { ...entry, policy: 'x'.repeat(65_537) }, 'the policy is longer than 65536 bytes'],
  ['bad.example.com', { ...entry, revision: 'a\r\nb: c' }, 'revision is not 8 to 64 hexadecimal digits'],
  ['bad.example.com', { ...entry, certificate: '' }, 'certificate is not a PEM chain'],
  ['bad.example.com', { ...entry, key: certificate }, 'key is not a PEM private key'],
  ['bad.example.com', { ...entry, certificate: null }, 'certificate is not a PEM chain'],
  ['bad.example.com', { ...bare, policy }, 'there is a policy and no certificate'],
  ['bad.example.com', { ...entry, http01: { '../x': http01.tok_1 } }, 'http01 is not a map of tokens to answers'],
  ['bad.example.com', { ...entry, http01: { tok_1: '<html>' } }, 'http01 is not a map of tokens to answers'],
])('a broken entry %s never spoils the others', (host, broken, message) => {
  const parsed = parseShard(shardText({ [host]: broken, 'mta-sts.good.example': entry }));
  expect(parsed.problems).toEqual([{ host, message }]);
  expect(parsed.shard?.hosts).toEqual({ 'mta-sts.good.example': entry });
});

test('the stored bytes do not depend on the order in which hosts were set', () => {
  const a = setHost(setHost(emptyShard, 'a.example.com', entry), 'b.example.com', { ...entry, policy: null });
  const b = setHost(setHost(emptyShard, 'b.example.com', { ...entry, policy: null }), 'a.example.com', entry);
  expect(formatShard(a)).toBe(formatShard(b));
  expect(removeHost(a, 'b.example.com').hosts).toEqual({ 'a.example.com': entry });
  expect(a.hosts['b.example.com']).toBeDefined();
});

test('parsing any text ends in values, never in an exception', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      expect(parseShard(text).problems).toBeInstanceOf(Array);
      expect(parseShard(`{"formatVersion":1,"hosts":${text}}`).problems).toBeInstanceOf(Array);
    }),
  );
});

test('a domain stays in its shard whatever its case, and domains spread over all shards', () => {
  expect(shardOf('Example.COM', 16)).toBe(shardOf('example.com', 16));
  expect(shardOf('example.com', 16)).toBe(6);
  const counts = Array.from({ length: 16 }, () => 0);
  for (let i = 0; i < 16_000; i += 1)
    counts[shardOf(`d${i}.example`, 16)] = (counts[shardOf(`d${i}.example`, 16)] ?? 0) + 1;
  expect(Math.min(...counts)).toBeGreaterThan(850);
  expect(Math.max(...counts)).toBeLessThan(1150);
  expect(() => shardOf('example.com', 0)).toThrow('a number of shards must be 1 or more, not 0');
});

test('a revision differs with the body, its absence, its publication and the certificate', () => {
  const revisions = [
    revisionOf('a', 'b'),
    revisionOf('ab', ''),
    revisionOf(null, 'ab'),
    revisionOf('a', 'c'),
    revisionOf('a', 'b', 'id'),
  ];
  expect(new Set(revisions).size).toBe(revisions.length);
  expect(revisionOf('a', 'b')).toMatch(/^[0-9a-f]{24}$/u);
});

test('a shard near what a Secret holds is warned of', () => {
  expect(sizeWarning(maximumSecretBytes / 2)).toBeUndefined();
  expect(sizeWarning(maximumSecretBytes * 0.9)).toMatch(/^a policy shard fills 90 % .* raise the number of shards$/u);
});
