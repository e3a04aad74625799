import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { lookFor } from './haystack.ts';

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const jwk = privateKey.export({ format: 'jwk' });
const scalar = Buffer.from(String(jwk.d), 'base64url');
const pem = String(privateKey.export({ type: 'pkcs8', format: 'pem' }));
const stack = lookFor({ key: scalar, word: Buffer.from('correct horse battery') });

test.each<readonly [string, string, readonly string[]]>([
  ['PEM', pem, ['key']],
  ['PEM in JSON', JSON.stringify({ pem }), ['key']],
  ['PEM in base64, as in a Secret', Buffer.from(`x${pem}`).toString('base64'), ['key']],
  ['a JWK', JSON.stringify(jwk), ['key']],
  ['an older form of PEM', String(privateKey.export({ type: 'sec1', format: 'pem' })), ['key']],
  ['hexadecimal', scalar.toString('hex').toUpperCase(), ['key']],
  ['octets with colons, as OpenSSL writes them', scalar.toString('hex').replaceAll(/(..)(?=.)/gu, '$1:'), ['key']],
  ['a piece of a text', 'it was "…orrect horse batte…"', ['word']],
  ['base64 of a text', Buffer.from('zz correct horse battery').toString('base64url'), ['word']],
  ['the public half', JSON.stringify({ ...jwk, d: undefined }), []],
  ['a word of it', 'correct horse', []],
])('%s', (_, text, want) => {
  expect(stack.found(`before ${text} after`)).toEqual(want);
});
