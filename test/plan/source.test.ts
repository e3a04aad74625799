import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { issueSelfSigned } from '../../src/apply/selfsigned.ts';
import { spkiSha256OfKey } from '../../src/pki/certificate.ts';
import { type FoundSource, judgeSource, type ObservedSource } from '../../src/plan/source.ts';
import { base64, fingerprint, keyPem, newKey, sourceSecret } from '../reconcile/source-scene.ts';
import { day, now } from './cases.ts';

const key = newKey();
const wish = { namespace: 'mail', secretName: 'mx-source', names: ['mx1.example.com'], issuer: 'elsewhere', now };
const judge = (found: FoundSource, at = now): ObservedSource => judgeSource(found, { ...wish, now: at });
const good = await sourceSecret({ key }, now);
const rsa = generateKeyPairSync('rsa', { modulusLength: 3072 }).privateKey;
const locked = generateKeyPairSync('ec', {
  namedCurve: 'prime256v1',
  privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
}).privateKey;

const other = await issueSelfSigned({ names: wish.names, keyPem: keyPem(newKey()), years: 1, now });

test('a certificate that fits is taken, its key written as Mailseal writes keys', () => {
  const source = judge({ is: 'Found', object: good });
  if (source.is !== 'Fit') throw new Error(source.message);
  expect(source.key).toEqual({ algorithm: 'ECDSA-P256', pem: keyPem(key), spkiSha256: fingerprint(key) });
  expect(source.certificate).toMatchObject({ issuer: 'elsewhere', names: ['mx1.example.com'] });
  expect(spkiSha256OfKey(source.key.pem)).toBe(source.certificate.spkiSha256);
});

test('a wildcard covers the host', async () => {
  const object = await sourceSecret({ key, names: ['*.example.com'] }, now);
  expect(judge({ is: 'Found', object }).is).toBe('Fit');
});

describe('what is refused names the field and the rule', () => {
  const data = good.data ?? {};
  test.each<readonly [string, Partial<typeof good>, RegExp]>([
    ['another type', { type: 'Opaque' }, /type must be kubernetes\.io\/tls/u],
    ['no certificate', { data: { ...data, 'tls.crt': '' } }, /tls\.crt must hold the certificate/u],
    ['no key', { data: { 'tls.crt': data['tls.crt'] ?? '' } }, /tls\.key must hold the private key/u],
    ['a key that is none', { data: { ...data, 'tls.key': base64('key') } }, /tls\.key must be a private key in PEM/u],
    ['a locked key', { data: { ...data, 'tls.key': base64(locked) } }, /tls\.key .* without a passphrase/u],
    [
      'a key of another size',
      { data: { ...data, 'tls.key': base64(keyPem(rsa)) } },
      /tls\.key must be a key of ECDSA P-256 or RSA 2048, and is rsa 3072: .*\{algorithm: ECDSA, size: 256\}/u,
    ],
    ['another certificate', { data: { ...data, 'tls.crt': base64(other) } }, /tls\.crt: .* made for another key/u],
    ['a certificate that is none', { data: { ...data, 'tls.crt': base64('x') } }, /tls\.crt: .* can't be read/u],
    [
      'what another exchanger gives out',
      { metadata: { ...good.metadata, labels: { 'mailseal.dev/exchanger': 'other' } } },
      /the hosts of MailExchanger other, and no source/u,
    ],
  ])('%s', (_, change, words) => {
    const source = judge({ is: 'Found', object: { ...good, ...change } });
    expect(source).toMatchObject({ is: 'Unfit', reason: 'SourceRefused' });
    expect(source.is === 'Unfit' && source.message).toMatch(words);
    expect(source.is === 'Unfit' && source.message).toContain('spec.certificate.sourceSecretName');
  });

  test.each([
    ['ended', 91 * day, /tls\.crt: the certificate expired at/u],
    ['not begun', -day, /tls\.crt: the certificate is valid only from/u],
  ])('a certificate that has %s', (_, later, words) => {
    const source = judge({ is: 'Found', object: good }, now + later);
    expect(source.is === 'Unfit' && source.message).toMatch(words);
  });

  test('a certificate without a host', async () => {
    const source = judgeSource(
      { is: 'Found', object: good },
      { ...wish, names: ['mx1.example.com', 'mx2.example.com'] },
    );
    expect(source.is === 'Unfit' && source.message).toMatch(
      /tls\.crt: the certificate does not name mx2\.example\.com/u,
    );
  });
});

test('a Secret that is not there, or may not be read, is another matter', () => {
  expect(judge({ is: 'Absent' })).toMatchObject({ is: 'Unfit', reason: 'SourceMissing' });
  const forbidden = judge({ is: 'Forbidden' });
  expect(forbidden).toMatchObject({ is: 'Unfit', reason: 'SecretForbidden' });
  expect(forbidden.is === 'Unfit' && forbidden.message).toContain('resourceNames: [mx-source], verbs: [get]');
});
