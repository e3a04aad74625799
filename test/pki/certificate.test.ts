import { execFileSync } from 'node:child_process';
import { createPublicKey, X509Certificate } from 'node:crypto';
import * as fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { issueSelfSigned } from '../../src/apply/selfsigned.ts';
import { createKey } from '../../src/apply/acme-keys.ts';
import { checkCertificate, parseChain, spkiSha256OfKey } from '../../src/pki/certificate.ts';
import { certificateFields } from '../../src/pki/der.ts';
import { dnsNames, matchesHost } from '../../src/pki/names.ts';
import { type Issued, makeCa, newKey, type TestCa } from './certificates.ts';

const day = 86_400_000;
const now = Date.now();

let ca: TestCa;
let leaf: Issued;
beforeAll(async () => {
  ca = await makeCa();
  leaf = await ca.issue({ names: ['mx.example.com', '*.mail.example.com'] });
});

/** What openssl, which knows nothing of us, says of a certificate. */
function openssl(args: readonly string[], input: string | Buffer): Buffer {
  return execFileSync('openssl', args, { input });
}

describe('reading', () => {
  test('the digest of certificate and key is the one that openssl makes of the public key', () => {
    const [read] = parseChain(leaf.cert + ca.intermediate.cert);
    const pub = openssl(['x509', '-pubkey', '-noout'], leaf.cert);
    const der = openssl(['pkey', '-pubin', '-outform', 'DER'], pub);
    const digest = openssl(['dgst', '-sha256', '-r'], der).toString().slice(0, 64);
    expect(read?.spkiSha256).toBe(digest);
    expect(spkiSha256OfKey(leaf.key)).toBe(digest);
    expect(read?.names).toEqual(['mx.example.com', '*.mail.example.com']);
    expect(read?.issuer).toBe('CN=Test intermediate');
  });

  test.each(['ECDSA-P256', 'RSA-2048'] as const)('a self-signed certificate of a %s key fits it', async (algorithm) => {
    const keyPem = await createKey(algorithm);
    const cert = await issueSelfSigned({ names: ['mx.example.com', 'mx2.example.com'], keyPem, years: 3, now });
    expect(checkCertificate({ chain: cert, key: keyPem, names: ['mx2.example.com'], now })).toEqual([]);
    const [read] = parseChain(cert);
    expect(read?.spkiSha256).toBe(spkiSha256OfKey(keyPem));
    const parsed = new X509Certificate(cert);
    expect(parsed.verify(createPublicKey(keyPem))).toBe(true);
    expect(parsed.ca).toBe(false);
    expect((read?.notAfter ?? 0) - now).toBeGreaterThan(1090 * day);
  });

  test.each([
    ['nothing', ''],
    ['a key', newKey()],
    ['a broken block', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'],
  ])('%s is no chain', (_what, text) => {
    expect(() => parseChain(text)).toThrow(/certificate/);
  });

  test('a certificate without a subject, as public CAs make them, is read', async () => {
    const { cert } = await ca.issue({ names: ['mx.example.com'], subject: '' });
    expect(parseChain(cert)[0]).toMatchObject({
      subject: '',
      issuer: 'CN=Test intermediate',
      names: ['mx.example.com'],
    });
  });

  test('more than ten certificates are not read', () => {
    expect(() => parseChain(leaf.cert.repeat(11))).toThrow('more than 10');
  });

  test('hostile DER never throws', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void certificateFields(bytes)));
    const der = new X509Certificate(leaf.cert).raw;
    fc.assert(
      fc.property(fc.nat(der.length - 1), fc.nat(255), (at, octet) => {
        const bytes = Uint8Array.from(der);
        bytes[at] = octet;
        void certificateFields(bytes);
      }),
    );
  });
});

describe('names', () => {
  test.each([
    [['mx.example.com'], 'mx.example.com', true],
    [['MX.Example.com'], 'mx.example.COM.', true],
    [['*.example.com'], 'mx.example.com', true],
    [['*.example.com'], '*.example.com', true],
    [['*.example.com'], 'example.com', false],
    [['*.example.com'], 'a.b.example.com', false],
    [['*.example.com'], '.example.com', false],
    [['m*.example.com'], 'mx.example.com', false],
    [['mx.*.com'], 'mx.example.com', false],
    [['*.*.com'], 'mx.example.com', false],
    [['*.com'], 'example.com', false],
    [['*'], 'com', false],
    [['mx.example.com'], '*.example.com', false],
    [[], 'mx.example.com', false],
    [['mx.example.com'], '', false],
  ])('names %j stand for %s: %s', (names, host, expected) => {
    expect(matchesHost(names, host)).toBe(expected);
  });

  test.each([
    [undefined, []],
    ['DNS:a.example, DNS:b.example', ['a.example', 'b.example']],
    ['IP Address:192.0.2.1, DNS:a.example', ['a.example']],
    ['DNS:"x, DNS:evil.example", DNS:a.example', ['a.example']],
    ['DNS:"x\\", DNS:evil.example", DNS:a.example', ['a.example']],
    ['email:me@a.example, URI:http://a.example/, DNS:a.example', ['a.example']],
  ])('%s holds the names %j', (text, expected) => {
    expect(dnsNames(text)).toEqual(expected);
  });
});

describe('what may be installed', () => {
  const check = (chain: string, key: string, names: readonly string[] = ['mx.example.com'], at = now): unknown =>
    checkCertificate({ chain, key, names, now: at }).map(({ code }) => code);

  test('a whole chain with its key may', () => {
    expect(check(leaf.cert + ca.intermediate.cert, leaf.key)).toEqual([]);
    expect(check(leaf.cert, leaf.key, ['a.mail.example.com', 'MX.example.com.'])).toEqual([]);
  });

  test('a certificate that says what it is for must be for servers, and no CA', async () => {
    const [server, client] = ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'];
    const both = await ca.issue({ names: ['mx.example.com'], uses: [client, server] });
    expect(check(both.cert, both.key)).toEqual([]);
    const other = await ca.issue({ names: ['mx.example.com'], uses: [client] });
    expect(check(other.cert, other.key)).toEqual(['NotForServers']);
    expect(check(ca.intermediate.cert, ca.intermediate.key, [])).toEqual(['NotForServers']);
  });

  test('what must not says why, all at once', async () => {
    expect(check(leaf.cert, newKey())).toEqual(['KeyMismatch']);
    expect(check(leaf.cert, 'no key')).toEqual(['Unreadable']);
    expect(check('no certificate', leaf.key)).toEqual(['Unreadable']);
    expect(check(leaf.cert, leaf.key, ['other.example.com'])).toEqual(['NamesMissing']);
    expect(check(leaf.cert, leaf.key, undefined, now + 40 * day)).toEqual(['Expired']);
    expect(check(leaf.cert, leaf.key, undefined, now - 40 * day)).toEqual(['NotYetValid']);
    expect(check(leaf.cert + ca.root.cert + ca.intermediate.cert, leaf.key)).toEqual(['ChainBroken']);
    const other = await makeCa();
    // Same names, another key: only the signature tells.
    expect(check(leaf.cert + other.intermediate.cert, leaf.key)).toEqual(['ChainBroken']);
    expect(check(leaf.cert, newKey(), ['x.example'], now + 40 * day)).toEqual([
      'KeyMismatch',
      'Expired',
      'NamesMissing',
    ]);
  });
});
