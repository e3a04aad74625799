import { createHash } from 'node:crypto';
import { Pkcs10CertificateRequest, SubjectAlternativeNameExtension } from '@peculiar/x509';
import { describe, expect, test } from 'vitest';
import { createKey } from '../../src/apply/acme-keys.ts';
import { certificateRequest } from '../../src/apply/csr.ts';
import { spkiSha256OfKey } from '../../src/pki/certificate.ts';

const longest = `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(57)}.test`;

describe('a certificate request', () => {
  test.each([
    ['one name', 'ECDSA-P256', ['mta-sts.example.com']],
    ['the same by an RSA key', 'RSA-2048', ['mta-sts.example.com']],
    [
      'names whose length takes two octets',
      'ECDSA-P256',
      ['mx1.example.com', 'mx2.example.com', `m.${'x'.repeat(60)}.com`],
    ],
    ['a hundred long names', 'ECDSA-P256', Array.from({ length: 100 }, (_, index) => `${index}${longest.slice(4)}`)],
  ] as const)('for %s is read and verified by another program', async (_what, algorithm, names) => {
    const keyPem = await createKey(algorithm);
    const request = new Pkcs10CertificateRequest(certificateRequest(names, keyPem));
    expect(await request.verify()).toBe(true);
    expect(request.subject).toBe('');
    expect(createHash('sha256').update(Buffer.from(request.publicKey.rawData)).digest('hex')).toBe(
      spkiSha256OfKey(keyPem),
    );
    const asked = request.extensions.find((one) => one instanceof SubjectAlternativeNameExtension)?.names.toJSON();
    expect(asked).toEqual(names.map((value) => ({ type: 'dns', value })));
  });

  test('is not made with a key that is none', () => {
    expect(() => certificateRequest(['mta-sts.example.com'], 'no key')).toThrow();
  });
});
