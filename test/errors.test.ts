import { generateKeyPairSync } from 'node:crypto';
import { load } from 'js-yaml';
import { expect, test } from 'vitest';
import { plainText, withoutSecrets } from '../src/api/text.ts';
import { messageOf, stackOf } from '../src/errors.ts';

function thrownBy(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

test.each<readonly [string, () => unknown, RegExp]>([
  ['JSON that is a word', () => JSON.parse('hunter2-is-the-password'), /JSON/u],
  ['JSON that goes wrong in the middle', () => JSON.parse(`{"a":"${'x'.repeat(50)}", hunter2: 1}`), /JSON/u],
  ['JSON with a line break', () => JSON.parse('{"keyPem": "hunter2\n"}'), /JSON/u],
  ['JSON that is a quoted word', () => JSON.parse('"hunter2" is not valid JSON "hunter2"'), /JSON/u],
  ['a kubeconfig with a tab', () => load('users:\n- name: a\n  user: {token: hunter2, \t: [}\n'), /^it is not YAML: /u],
  ['a kubeconfig with a bare token', () => load('token: "hunter2\nmore: hunter2'), /^it is not YAML: /u],
])('the message of a parser does not quote what it could not read: %s', (_, run, want) => {
  const error = thrownBy(run);
  expect(messageOf(error)).toMatch(want);
  expect(`${messageOf(error)} ${stackOf(error)}`).not.toContain('hunter2');
});

test('a stack names kind and places, and not the message', () => {
  expect(stackOf(new TypeError('hunter2\n    and more'))).toMatch(/^TypeError\n +at .*errors\.test\.ts/u);
  expect(stackOf('hunter2')).toBeUndefined();
});

const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const ed = generateKeyPairSync('ed25519').privateKey;
const pems = [
  ec.export({ type: 'pkcs8', format: 'pem' }),
  ec.export({ type: 'sec1', format: 'pem' }),
  rsa.export({ type: 'pkcs8', format: 'pem' }),
  rsa.export({ type: 'pkcs1', format: 'pem' }),
  ed.export({ type: 'pkcs8', format: 'pem' }),
].map(String);
const body = (pem: string): string => pem.split('\n').slice(1, -2).join('');
const jwt = `${Buffer.from('{"alg":"RS256"}').toString('base64url')}.${Buffer.from('{"sub":"x"}').toString('base64url')}.c2ln`;

test.each<readonly [string, string]>([
  ...pems.map((pem, at): readonly [string, string] => [`PEM of key ${at}`, pem]),
  ...pems.map((pem, at): readonly [string, string] => [`PEM of key ${at}, cut off`, pem.slice(0, 90)]),
  ...pems.map((pem, at): readonly [string, string] => [`PEM of key ${at} in JSON`, JSON.stringify(pem)]),
  ...pems.map((pem, at): readonly [string, string] => [
    `PEM of key ${at} in base64`,
    Buffer.from(pem).toString('base64'),
  ]),
  ...pems.slice(0, 4).map((pem, at): readonly [string, string] => [`the body of key ${at}`, body(pem)]),
  ['a JWK', JSON.stringify(ec.export({ format: 'jwk' }))],
  ['an RSA JWK', JSON.stringify(rsa.export({ format: 'jwk' }), ['d', 'p', 'q', 'dp', 'dq', 'qi'])],
  ['a token of an account', jwt],
  ['a header', 'authorization: Bearer c2VjcmV0LXRva2VuLW9mLW9uZQ'],
])('a private key or a token is known by its form: %s', (_, secret) => {
  const parts = secret.match(/[A-Za-z0-9+/_-]{24,}/gu) ?? [];
  const publicParts = new Set(
    ['x', 'y', 'n', 'e'].flatMap((name) =>
      Object.entries(ec.export({ format: 'jwk' })).flatMap(([key, value]) => (key === name ? [value] : [])),
    ),
  );
  for (const text of [withoutSecrets(`a ${secret} b`), plainText(`a ${secret} b`, 1024)]) {
    expect(text).toContain('[redacted]');
    for (const part of parts) if (!publicParts.has(part)) expect(text).not.toContain(part);
  }
});

test.each([
  'Basic constraints are missing; Bearer of bad news',
  '3 1 1 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  'the order https://acme.example.net/order/MIIabc is processing',
  '_acme-challenge.example.com TXT "gfj9Xq...Rg85nM"',
])('and what is none stays: %s', (text) => {
  expect(withoutSecrets(text)).toBe(text);
});
