import * as fc from 'fast-check';
import type { ResourceRecordSet } from '@aws-sdk/client-route-53';
import { expect, test } from 'vitest';
import { byOrder, comesBefore, fromApiValue, nameOf, toApiValue } from '../../../src/apply/providers/route53-format.ts';
import { setsAt, shownOf } from '../../../src/apply/providers/route53-sets.ts';
import { inOrder } from '../../lab/route53-rules.ts';

test.each([
  ['plain text', 'v=STSv1; id=1;', '"v=STSv1; id=1;"'],
  ['quotes and backslashes', 'a "b" \\', '"a \\"b\\" \\\\"'],
  ['what is not ASCII, in octal', 'Gr\u00fc\u00dfe', '"Gr\\303\\274\\303\\237e"'],
  ['a line end, in octal', 'one\ntwo', '"one\\012two"'],
  ['a digit behind a backslash', '\\101', '"\\\\101"'],
  ['nothing', '', '""'],
  ['256 bytes', 'x'.repeat(256), `"${'x'.repeat(255)}" "x"`],
])('a text with %s is written as Route 53 wants it, and read again', (_what, text, written) => {
  expect(toApiValue('TXT', text)).toBe(written);
  expect(fromApiValue('TXT', written)).toBe(text);
});

test.each([
  ['blanks as escapes', '"one\\040two"', 'one two'],
  ['strings cut otherwise', '"v=STSv1;" " id=1;"', 'v=STSv1; id=1;'],
  ['no quotes', 'bare', 'bare'],
  ['an escaped semicolon', '"a\\; b"', 'a; b'],
  ['a quotation mark that is not closed', '"open', 'open'],
])('a text that others wrote with %s is read as what it says', (_what, shown, text) => {
  expect(fromApiValue('TXT', shown)).toBe(text);
});

test('every text comes back', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 600 }), (text) => {
      expect(fromApiValue('TXT', toApiValue('TXT', text))).toBe(text.toWellFormed());
    }),
  );
});

test.each([
  ['CNAME', 'XN--BCHER-KVA.Example.NET.', 'xn--bcher-kva.example.net'],
  ['CNAME', '\\101.example.net.', '\\101.example.net.'],
  ['A', '192.0.2.1', '192.0.2.1'],
  ['AAAA', '2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
  ['TLSA', '3 1 1 ABCD', '3 1 1 abcd'],
  ['A', 'nonsense', 'nonsense'],
] as const)('of type %s, %s is read as %s', (type, shown, value) => {
  expect(fromApiValue(type, shown)).toBe(value);
});

test('names sort from the right, a hyphen before what lies below', () => {
  const sorted = [
    'example.com',
    'a-b.example.com',
    'a.example.com',
    'x.a.example.com',
    'a0.example.com',
    'b.example.com',
  ];
  expect([...sorted].reverse().sort(byOrder)).toEqual([
    'example.com',
    'a-b.example.com',
    'a.example.com',
    'x.a.example.com',
    'a0.example.com',
    'b.example.com',
  ]);
});

test('where an escape might sort as itself or as its character, nothing is said to come before it', () => {
  expect(comesBefore('0.example.com', '\\052.example.com.')).toBe(false);
  expect(comesBefore('a.example.com', 'b.example.com.')).toBe(true);
});

const label = fc.constantFrom('a', 'a-b', 'b', '_25', '_tcp', '*', 'mta-sts', '0');
const name = fc.array(label, { maxLength: 3 }).map((labels) => [...labels, 'example', 'com'].join('.'));
const types = ['A', 'CNAME', 'MX', 'TXT'] as const;
const standing = fc.uniqueArray(fc.tuple(name, fc.constantFrom(...types)), { selector: String, maxLength: 60 });

test('in every zone all that stands at the sought names is found, in no more calls than names and cut pages', async () => {
  await fc.assert(
    fc.asyncProperty(
      standing,
      fc.uniqueArray(name, { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 1, max: 9 }),
      fc.boolean(),
      async (zone, sought, cut, raw) => {
        // The stand-in's order, once by the character and once by the escape of `*`.
        const shown = (of: string): string => `${of.replace('*', '\\052')}.`;
        const sets = inOrder(zone.map(([of, type]) => ({ name: raw ? shown(of) : `${of}.`, type, values: ['x'] })));
        const all: ResourceRecordSet[] = sets.map((set) => ({
          Name: set.name.replace('*', '\\052'),
          Type: set.type as 'A',
          ResourceRecords: [{ Value: 'x' }],
        }));
        const order = (of: string, type: string): number => {
          const probe = { name: raw ? of.replace('*', '\\052') : of.replace('\\052', '*'), type, values: [] };
          const at = inOrder([...sets, probe]).indexOf(probe);
          // Itself sorts behind what equals it.
          return all.findIndex((set, index) => index >= at || (set.Name === shown(nameOf(of)) && set.Type === type));
        };
        let calls = 0;
        const found = await setsAt(sought, (start) => {
          calls += 1;
          const from = order(start.name, start.type ?? '');
          if (from < 0) return Promise.resolve({ sets: [], next: undefined });
          const next = all[from + cut];
          const more = next === undefined ? undefined : { name: next.Name ?? '', type: next.Type };
          return Promise.resolve({ sets: all.slice(from, from + cut), next: more });
        });
        const texts = (of: readonly ResourceRecordSet[]): readonly string[] =>
          of.map(({ Name, Type }) => `${Name} ${Type}`).sort();
        expect(texts(found)).toEqual(texts(all.filter(({ Name = '' }) => sought.includes(nameOf(Name)))));
        expect(calls).toBeLessThanOrEqual(sought.length * (1 + types.length));
      },
    ),
    { numRuns: 500 },
  );
});

test('a list that does not end is given up', async () => {
  let calls = 0;
  const endless = setsAt(['a.example.com'], (start) => {
    calls += 1;
    return Promise.resolve({ sets: [], next: start });
  });
  await expect(endless).rejects.toMatchObject({ reason: 'ProviderUnavailable' });
  expect(calls).toBeLessThan(50);
});

test('what answers by rules or is an alias has values that nothing of ours equals', () => {
  const [weighted, alias] = shownOf([
    {
      Name: 'w.example.com.',
      Type: 'TXT',
      SetIdentifier: 'blue',
      Weight: 1,
      TTL: 60,
      ResourceRecords: [{ Value: '"ours"' }],
    },
    {
      Name: 'w.example.com.',
      Type: 'TXT',
      SetIdentifier: 'green',
      Weight: 1,
      TTL: 60,
      ResourceRecords: [{ Value: '"ours"' }],
    },
    {
      Name: 'a.example.com.',
      Type: 'A',
      AliasTarget: { HostedZoneId: 'Z', DNSName: 'lb.example.net.', EvaluateTargetHealth: false },
    },
  ]);
  expect(weighted?.set.values).toHaveLength(2);
  expect(weighted?.set.values).not.toContain('ours');
  expect(alias?.set.values).toEqual(['an alias of Route 53 to "lb.example.net"']);
  expect([weighted?.plain, alias?.plain]).toEqual([undefined, undefined]);
});
