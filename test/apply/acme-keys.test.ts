import { crypto } from 'acme-client';
import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import type { KeyAlgorithm } from '../../src/api/types.ts';
import { createKey, createRequest } from '../../src/apply/acme-keys.ts';

const many = Array.from({ length: 100 }, (_, index) => `mx${index}.a-longer-name-than-most.example.com`);

const cases: readonly (readonly [string, KeyAlgorithm, readonly string[]])[] = [
  ['one name and an ECDSA key', 'ECDSA-P256', ['mx.example.com']],
  ['one name and an RSA key', 'RSA-2048', ['mx.example.com']],
  ['a hundred names', 'ECDSA-P256', many],
  ['a wildcard and an A-label', 'ECDSA-P256', ['*.example.com', 'xn--bcher-kva.example']],
];

test.each(cases)('openssl and acme-client read a certificate request for %s', async (_, algorithm, names) => {
  const der = await createRequest(names, await createKey(algorithm));
  const input = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
  const how = ['req', '-inform', 'DER', '-noout', '-verify', '-text'];
  const { stdout: text, stderr } = spawnSync('openssl', how, { input: der, encoding: 'utf8' });
  expect(stderr).toContain('verify OK');
  const found = [...text.matchAll(/DNS:([^,\s]+)/gu)].map(([, name]) => name);
  expect(found).toEqual(names);
  expect(text).toMatch(/^\s*Subject: ?$/mu);
  expect(text).toContain(algorithm === 'RSA-2048' ? 'sha256WithRSAEncryption' : 'ecdsa-with-SHA256');
  expect(crypto.readCsrDomains(input)).toEqual({ commonName: null, altNames: names });
});
