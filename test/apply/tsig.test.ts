import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { type TsigAlgorithm, type TsigKey, signMessage, verifyMessage } from '../../src/apply/providers/tsig.ts';
import { encodeUpdate, rowsOf } from '../../src/apply/providers/update.ts';
import { encodeName, encodeQuery } from '../../src/observe/dns/wire.ts';

const keyOf = (algorithm: TsigAlgorithm, secret = 's'.repeat(32), name = 'mailseal.example'): TsigKey => ({
  name,
  algorithm,
  secret: Buffer.from(secret),
});
const now = 1_800_000_000;
const request = signMessage(encodeUpdate(7, 'example.com', []), keyOf('hmac-sha256'), now);
const answer = encodeUpdate(7, 'example.com', []);

test.each(['hmac-sha256', 'hmac-sha384', 'hmac-sha512'] as const)('%s signs what verifies', (algorithm) => {
  fc.assert(
    fc.property(
      fc.nat(0xffff),
      fc.stringMatching(/^[a-z]{1,20}(\.[a-z]{1,20}){0,3}$/),
      fc.string(),
      (id, name, text) => {
        const key = keyOf(algorithm, 'k'.repeat(20), name);
        const set = { name: '_mta-sts.example.com', type: 'TXT', ttl: 60, values: [text] } as const;
        const change = { name: set.name, type: set.type, before: undefined, after: set };
        const message = encodeUpdate(id, 'example.com', [rowsOf(change)]);
        const signed = signMessage(message, key, now, request.mac);
        const verified = verifyMessage(signed.bytes, key, request.mac, now + 10);
        expect(verified).toEqual({ state: 'Signed', message });
      },
    ),
  );
});

test('a change of any byte is found out', () => {
  const key = keyOf('hmac-sha256');
  const { bytes } = signMessage(answer, key, now, request.mac);
  // Of the TSIG's head the MAC covers what we expect there, not what was sent: the key's name, class and TTL.
  const head = { start: answer.length, end: answer.length + encodeName(key.name).length + 10 };
  fc.assert(
    fc.property(fc.integer({ min: 2, max: bytes.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const copy = Buffer.from(bytes);
      copy.writeUInt8(copy.readUInt8(at) ^ flip, at);
      let state = 'Refused';
      try {
        state = verifyMessage(copy, key, request.mac, now).state;
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
      }
      const headOfTsig = at >= head.start && at < head.end;
      // RFC 4343 §3: upper and lower case make the same name, here that of the algorithm.
      const inAlgorithm = at >= head.end && at < head.end + encodeName(key.algorithm).length;
      const otherCase = inAlgorithm && flip === 0x20 && /[a-z]/u.test(String.fromCharCode(bytes.readUInt8(at)));
      if (!headOfTsig && !otherCase) expect(state).not.toBe('Signed');
    }),
    { numRuns: 500 },
  );
});

test.each([
  ['another secret', keyOf('hmac-sha256', 'x'.repeat(32)), request.mac, now],
  ['another algorithm', keyOf('hmac-sha512'), request.mac, now],
  ['an answer to another request', keyOf('hmac-sha256'), Buffer.alloc(32), now],
  ['an answer signed ten minutes ago', keyOf('hmac-sha256'), request.mac, now + 600],
])('%s is not believed', (_what, key, mac, at) => {
  const { bytes } = signMessage(answer, keyOf('hmac-sha256'), now, request.mac);
  expect(verifyMessage(bytes, key, mac, at).state).toBe('Forged');
});

test('a message without a signature is told apart', () => {
  expect(verifyMessage(answer, keyOf('hmac-sha256'), request.mac, now).state).toBe('Unsigned');
});

test('the query of a signed request still ends in its signature', () => {
  const query = encodeQuery(9, { name: 'a.example', type: 'TXT', recursion: false, checkingDisabled: false });
  const { bytes } = signMessage(query, keyOf('hmac-sha256'), now);
  expect(bytes.readUInt16BE(10)).toBe(2);
});
