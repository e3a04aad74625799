import { expect, test } from 'vitest';
import { type Attestation, formatAttestation, parseAttestation, secretRevisionOf } from '../../src/api/attestation.ts';

const at = Date.UTC(2026, 10, 22, 7, 0, 0);
const presents = { spkiSha256: 'ab'.repeat(32), notAfter: at + 86_400_000, serial: '0a1b' };

test.each<[string, Attestation]>([
  ['what the host presents', { host: 'mx1.example.com', at, presents, secretRevision: secretRevisionOf('chain') }],
  ['that nothing is presented', { host: 'mx1.example.com', at, error: 'Postfix does not run' }],
  ['an older leaf beside an error', { host: 'mx1.example.com', at, presents, error: 'rolled back' }],
])('an attestation says %s and is read as it was written', (_, attestation) => {
  expect(parseAttestation(formatAttestation(attestation))).toEqual(attestation);
});

const good = JSON.parse(formatAttestation({ host: 'mx1.example.com', at, presents })) as Record<string, unknown>;

test.each([
  ['is not JSON', 'x', 'the attestation is not JSON'],
  ['is null', 'null', 'the attestation is not an object'],
  ['is of a later version', '{"formatVersion":9}', "the attestation's formatVersion is 9; this program reads 1"],
  ['names no host', { ...good, host: 'a b' }, 'host is not a host name'],
  ['has no time', { ...good, at: 'yesterday' }, 'at is not a time'],
  ['has an upper-case digest', { ...good, presents: 'AB'.repeat(32) }, 'presents is not a SHA-256 digest'],
  ['has a digest and no end', { ...good, notAfter: undefined }, 'notAfter is not a time'],
  ['has a serial in words', { ...good, serial: 'one' }, 'serial is not a hexadecimal number'],
  ['has an endless error', { ...good, error: 'x'.repeat(5000) }, 'error is not a short text'],
])('an attestation that %s is refused with the reason', (_, value, message) => {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  expect(() => parseAttestation(text)).toThrow(message);
});
