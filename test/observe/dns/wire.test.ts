import { encode } from 'dns-packet';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeData } from '../../../src/apply/providers/update.ts';
import type { RecordType } from '../../../src/dns/rrset.ts';
import { readAnswer, valueOf } from '../../../src/observe/dns/read.ts';
import { decodeMessage, encodeName, encodeQuery, spans } from '../../../src/observe/dns/wire.ts';
import { response } from './servers.ts';

const label = fc.stringMatching(/^[a-z0-9_]([a-z0-9-]{0,20}[a-z0-9])?$/);
const name = fc.array(label, { minLength: 1, maxLength: 6 }).map((labels) => labels.join('.'));
const hex = fc.uint8Array({ minLength: 1, maxLength: 64 }).map((bytes) => Buffer.from(bytes).toString('hex'));

const values: Readonly<Record<RecordType, fc.Arbitrary<string>>> = {
  A: fc.ipV4(),
  AAAA: fc.constantFrom('2001:db8::1', '::', 'fe80::1:2:3:4', '2001:db8:0:1:1:1:1:1'),
  CNAME: name,
  TXT: fc.string({ maxLength: 700, unit: 'grapheme' }),
  TLSA: fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), hex).map((parts) => parts.join(' ')),
};

test.each(Object.keys(values) as RecordType[])('a value of type %s is read as it was written', (type) => {
  fc.assert(
    fc.property(values[type], (value) => {
      const query = encodeQuery(1, { name: 'x.example', type, recursion: false, checkingDisabled: false });
      const head = response(query, {});
      head.writeUInt16BE(1, 6);
      const data = encodeData(type, value);
      const fixed = encode({ questions: [{ name: 'x.example', type }] }).subarray(12);
      const tail = Buffer.alloc(6);
      tail.writeUInt32BE(60, 0);
      tail.writeUInt16BE(data.length, 4);
      const message = decodeMessage(Buffer.concat([head, fixed, tail, data]));
      expect(message.answers.map(valueOf)).toEqual([value]);
      expect(spans(Buffer.concat([head, fixed, tail, data]))[0]?.rdata.equals(data)).toBe(true);
    }),
  );
});

test.each([
  ['CDS', Buffer.of(0x12, 0x67, 13, 2, 0xab, 0xcd), '4711 13 2 abcd'],
  ['CDNSKEY', Buffer.concat([Buffer.of(1, 1, 3, 13), Buffer.from('old')]), '257 3 13 b2xk'],
  ['CDNSKEY', Buffer.of(0, 0, 3, 0, 0), '0 3 0 AA=='],
  ['CDS', Buffer.of(1, 2, 3), ''],
] as const)('a value of type %s is read as the record that the parent is asked for', (type, data, value) => {
  const query = encodeQuery(1, { name: 'x.example', type, recursion: false, checkingDisabled: false });
  const answers = [{ type, name: 'x.example', ttl: 60, data }];
  expect(decodeMessage(response(query, { answers })).answers.map(valueOf)).toEqual([value]);
});

test('whatever bytes come, decoding ends with a message or an error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      try {
        decodeMessage(Buffer.from(bytes));
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
      }
    }),
    { numRuns: 2000 },
  );
});

test('a message of pointers to pointers is refused or read quickly', () => {
  const query = encodeQuery(1, { name: 'x', type: 'A', recursion: false, checkingDisabled: false });
  const head = response(query, {});
  const pointers = Buffer.alloc(60_000);
  for (let at = 0; at < pointers.length; at += 2) pointers.writeUInt16BE(0xc000 | (Math.min(at, 16_000) + 10), at);
  const bytes = Buffer.concat([head, pointers]);
  bytes.writeUInt16BE(900, 6);
  const started = performance.now();
  expect(() => decodeMessage(bytes)).toThrow();
  expect(performance.now() - started).toBeLessThan(200);
});

test.each([
  ['an empty label', 'a..b'],
  ['a label of 64 octets', `${'a'.repeat(64)}.example`],
  ['more than 255 octets', `${'abcdefg.'.repeat(40)}example`],
  ['a blank', 'a b.example'],
  ['characters beyond ASCII', 'b\u00fccher.example'],
])('a name with %s is not put on the wire', (_what, text) => {
  expect(() => encodeName(text)).toThrow();
});

test('extended errors are put in words and stripped of control characters', () => {
  const query = encodeQuery(7, { name: 'bad.example', type: 'A', recursion: true, checkingDisabled: false });
  const data = Buffer.concat([Buffer.of(0, 7), Buffer.from('expired\u001b[31m yesterday\n')]);
  const option = { code: 15, data } as unknown as { code: 12; data: Buffer };
  const bytes = response(
    query,
    {
      additionals: [
        {
          type: 'OPT',
          name: '.',
          udpPayloadSize: 1232,
          extendedRcode: 0,
          ednsVersion: 0,
          flags: 0,
          flag_do: false,
          options: [option],
        },
      ],
    },
    { rcode: 2 },
  );
  const message = decodeMessage(bytes);
  expect(message.rcode).toBe('SERVFAIL');
  expect(message.extendedError).toBe('signature expired (expired[31m yesterday)');
});

test('the extended bits of the rcode come from OPT', () => {
  const query = encodeQuery(7, { name: 'x.example', type: 'A', recursion: true, checkingDisabled: false });
  const bytes = response(query, {
    additionals: [
      {
        type: 'OPT',
        name: '.',
        udpPayloadSize: 1232,
        extendedRcode: 1,
        ednsVersion: 0,
        flags: 0,
        flag_do: false,
        options: [],
      },
    ],
  });
  expect(decodeMessage(bytes).rcode).toBe('BADVERS');
});

const query = encodeQuery(1, { name: 'a.example', type: 'A', recursion: true, checkingDisabled: false });
const signature = (labels: number) =>
  ({
    type: 'RRSIG',
    name: 'a.example',
    ttl: 60,
    data: {
      typeCovered: 'A',
      algorithm: 13,
      labels,
      originalTTL: 60,
      expiration: 1,
      inception: 1,
      keyTag: 1,
      signersName: 'example',
      signature: Buffer.alloc(64),
    },
  }) as const;
const soa = {
  type: 'SOA',
  name: 'example',
  ttl: 900,
  data: { mname: 'ns.example', rname: 'h.example', serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 30 },
} as const;
const alias = (from: string, to: string, ttl: number) => ({ type: 'CNAME', name: from, ttl, data: to }) as const;

test.each([
  ['a denial lives as long as the lesser of SOA and MINIMUM', { authorities: [soa] }, { outcome: 'NoData', ttl: 30 }],
  [
    'aliases are followed and the least TTL counts',
    {
      answers: [
        alias('a.example', 'B.example', 20),
        alias('b.example', 'c.example', 90),
        { type: 'A', name: 'c.example', ttl: 60, data: '192.0.2.1' } as const,
      ],
    },
    { outcome: 'Found', canonicalName: 'c.example', ttl: 20, values: ['192.0.2.1'] },
  ],
  [
    'a loop of aliases ends without data',
    { answers: [alias('a.example', 'b.example', 20), alias('b.example', 'a.example', 90)] },
    { outcome: 'NoData', values: [] },
  ],
  [
    'records of other names are no answer',
    { answers: [{ type: 'A', name: 'z.example', ttl: 60, data: '192.0.2.1' } as const] },
    { outcome: 'NoData', values: [] },
  ],
  [
    'fewer labels in the signature than in the name mean a wildcard',
    { answers: [{ type: 'A', name: 'a.example', ttl: 60, data: '192.0.2.1' } as const, signature(1)] },
    { wildcard: true },
  ],
  [
    'as many labels mean the name itself',
    { answers: [{ type: 'A', name: 'a.example', ttl: 60, data: '192.0.2.1' } as const, signature(2)] },
    { wildcard: false },
  ],
])('%s', (_what, fields, expected) => {
  const message = decodeMessage(response(query, fields));
  expect(readAnswer(message, 'a.example', 'A', false)).toMatchObject(expected);
});
