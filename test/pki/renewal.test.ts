import { X509Certificate } from 'node:crypto';
import * as fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { renewalId, renewalIdOfChain, renewalTime } from '../../src/pki/renewal.ts';
import { makeCa, type TestCa } from './certificates.ts';

const day = 86_400_000;
const now = Math.floor(Date.now() / 1000) * 1000;

let ca: TestCa;
beforeAll(async () => {
  ca = await makeCa();
});

describe('without a word of the CA, renewal', () => {
  test.each([
    ['90 days', 90],
    ['47 days', 47],
    ['160 hours', 160 / 24],
  ])('of %s is due with a third of the lifetime left, never later', async (_what, days) => {
    const start = now;
    const dates = { notBefore: start, notAfter: start + days * day };
    const { cert } = await ca.issue({ names: ['mx.example.com'], ...dates });
    const due = (renewalTime(cert) - start) / (days * day);
    expect(due).toBeGreaterThan(2 / 3 - 1 / 30 - 0.001);
    expect(due).toBeLessThanOrEqual(2 / 3 + 0.001);
    expect(renewalTime(cert)).toBe(renewalTime(cert));
  });

  test('certificates of one minute are not all renewed in one minute', async () => {
    const dates = { notBefore: now - day, notAfter: now + 89 * day };
    const made = await Promise.all(Array.from({ length: 8 }, () => ca.issue({ names: ['a.example'], ...dates })));
    const minutes = new Set(made.map(({ cert }) => Math.floor(renewalTime(cert) / 60_000)));
    expect(minutes.size).toBeGreaterThan(6);
  });
});

describe('a window of the CA', () => {
  const dates = { notBefore: now, notAfter: now + 90 * day };
  let chain: string;
  beforeAll(async () => {
    chain = (await ca.issue({ names: ['mx.example.com'], ...dates })).cert;
  });

  test('decides, and the serial gives each certificate an instant of it', async () => {
    const window = { start: now + 20 * day, end: now + 22 * day };
    const made = await Promise.all(Array.from({ length: 8 }, () => ca.issue({ names: ['a.example'], ...dates })));
    const instants = made.map(({ cert }) => renewalTime(cert, window));
    for (const instant of instants) {
      expect(instant).toBeGreaterThanOrEqual(window.start);
      expect(instant).toBeLessThanOrEqual(window.end);
    }
    expect(new Set(instants.map((instant) => Math.floor(instant / 60_000))).size).toBeGreaterThan(6);
    expect(made.map(({ cert }) => renewalTime(cert, window))).toEqual(instants);
  });

  test('that has passed means now', () => {
    expect(renewalTime(chain, { start: now - 9 * day, end: now - 8 * day })).toBeLessThan(now);
  });

  test.each([
    ['lies far ahead', now + 80 * day, now + 81 * day],
    ['ends before it begins', now + 50 * day, now + 40 * day],
    ['is no time at all', Number.NaN, Number.NaN],
    ['never comes', Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
  ])('that %s counts for nothing', (_, start, end) => {
    expect(renewalTime(chain, { start, end })).toBe(renewalTime(chain));
  });

  test('puts renewal off beyond the last third of the lifetime in no case (I8)', () => {
    const moment = fc.oneof(fc.integer({ min: now - 900 * day, max: now + 900 * day }), fc.double());
    fc.assert(
      fc.property(moment, moment, (start, end) => {
        expect(renewalTime(chain, { start, end })).toBeLessThanOrEqual(now + 60 * day);
      }),
    );
  });
});

// RFC 9773, appendix A: the example certificate's AKI is 69:88:5B:6B:…, its serial 00:87:65:43:21.
test('the ARI name is that of the RFC for its key identifier and serial', () => {
  const pem = `-----BEGIN CERTIFICATE-----
MIIBQzCB66ADAgECAgUAh2VDITAKBggqhkjOPQQDAjAVMRMwEQYDVQQDEwpFeGFt
cGxlIENBMCIYDzAwMDEwMTAxMDAwMDAwWhgPMDAwMTAxMDEwMDAwMDBaMBYxFDAS
BgNVBAMTC2V4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeBZu
7cbpAYNXZLbbh8rNIzuOoqOOtmxA1v7cRm//AwyMwWxyHz4zfwmBhcSrf47NUAFf
qzLQ2PPQxdTXREYEnKMjMCEwHwYDVR0jBBgwFoAUaYhba4dGQEHhs3uEe6CuLN4B
yNQwCgYIKoZIzj0EAwIDRwAwRAIge09+S5TZAlw5tgtiVvuERV6cT4mfutXIlwTb
+FYN/8oCIClDsqBklhB9KAelFiYt9+6FDj3z4KGVelYM5MdsO3pK
-----END CERTIFICATE-----`;
  expect(renewalId(new X509Certificate(pem))).toBe('aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE');
  expect(renewalIdOfChain(`${pem}\n${pem}`)).toBe('aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE');
  expect(renewalIdOfChain('no chain')).toBeUndefined();
});
