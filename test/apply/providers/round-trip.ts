/** What goes in is what comes back, whatever it is: for each provider, in the contract. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Capabilities } from '../../../src/api/capabilities.ts';
import type { RecordChange } from '../../../src/apply/providers/provider.ts';
import { type RecordSet, type RecordType, canonicalValue, recordTypes } from '../../../src/dns/rrset.ts';
import type { Ground } from './contract.ts';

type Body = Omit<RecordSet, 'name'>;

const label = fc.stringMatching(/^[a-z0-9](?:[a-z0-9-]{0,20}[a-z0-9])?$/u);
const hexOf = (bytes: number): fc.Arbitrary<string> =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((data) => Buffer.from(data).toString('hex'));

/** Much of what zone files and shells take for something else, and any other character. */
const anyText = fc
  .string({
    unit: fc.oneof(
      fc.constantFrom(
        '"',
        '\\',
        ';',
        ' ',
        '\t',
        '\n',
        '\0',
        '@',
        '$',
        '(',
        "'",
        '\\065',
        '" "',
        '%',
        '&',
        '{{',
        '\u00fc',
      ),
      fc.constantFrom('abc=', 'v=STSv1; ', '0123456789'),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
    ),
    minLength: 1,
    maxLength: 300,
    size: 'max',
  })
  .map((text) => cut(text.toWellFormed(), 600));
const plainText = fc
  .string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 600, size: 'max' })
  .map((text) => `t${text}t`);

/** At a whole character. */
function cut(text: string, mostBytes: number): string {
  let bytes = 0;
  return Array.from(text)
    .filter((char) => (bytes += Buffer.byteLength(char)) <= mostBytes)
    .join('');
}

function valuesOf(type: RecordType, texts: fc.Arbitrary<string>): fc.Arbitrary<string> {
  switch (type) {
    case 'A':
      return fc.ipV4();
    case 'AAAA':
      return fc.ipV6();
    case 'CNAME':
      return fc.array(label, { minLength: 2, maxLength: 5 }).map((labels) => `${labels.join('.')}.test`);
    case 'TXT':
      return texts;
    case 'TLSA':
      return fc
        .tuple(
          fc.constantFrom('2', '3'),
          fc.constantFrom('0', '1'),
          fc.constantFrom(['1', 32] as const, ['2', 64] as const),
        )
        .chain(([usage, selector, [matching, bytes]]) =>
          hexOf(bytes).map((hex) => `${usage} ${selector} ${matching} ${hex}`),
        );
  }
}

function canonical(type: RecordType, text: string): string {
  const result = canonicalValue(type, text);
  if (!result.ok) throw new Error(result.problem);
  return result.value;
}

const setOf = (type: RecordType, texts: fc.Arbitrary<string>): fc.Arbitrary<Body> =>
  fc.record({
    type: fc.constant(type),
    ttl: fc.integer({ min: 60, max: 86_400 }),
    values: fc
      .uniqueArray(
        valuesOf(type, texts).map((text) => canonical(type, text)),
        { minLength: 1, maxLength: type === 'CNAME' ? 1 : 4 },
      )
      .map((values) => values.sort()),
  });

const sorted = (sets: readonly RecordSet[]): readonly RecordSet[] =>
  sets.map((set) => ({ ...set, values: [...set.values].sort() })).sort((a, b) => (a.name < b.name ? -1 : 1));

/** Texts are any, or where `plain`, printable ASCII without blanks at the ends. */
export function roundTrip(capabilities: Capabilities, plain: boolean, ground: () => Ground): void {
  const types = recordTypes.filter((type) => capabilities.tlsa || type !== 'TLSA');
  const body = fc.oneof(...types.map((type) => setOf(type, plain ? plainText : anyText)));
  let run = 0;

  test('what goes in is what comes back and what is answered, whatever it is', async () => {
    const { zone, provider, standing } = ground();
    const tryOut = async (bodies: readonly Body[]): Promise<void> => {
      run += 1;
      const sets = bodies.map((one, at): RecordSet => ({ ...one, name: `r${run}-${at}.trip.${zone}` }));
      const change = ({ name, type }: RecordSet, way: Pick<RecordChange, 'before' | 'after'>) => ({
        name,
        type,
        ...way,
      });
      await provider.apply(
        zone,
        sets.map((set) => change(set, { before: undefined, after: set })),
      );
      const listed = await provider.list(zone, sets);
      const answered = await Promise.all(
        sets.map(async (set) => ({ ...set, values: await standing(zone, set.name, set.type) })),
      );
      await provider.apply(
        zone,
        listed.map((set) => change(set, { before: set, after: undefined })),
      );
      expect(sorted(listed)).toEqual(sorted(sets));
      expect(sorted(answered)).toEqual(sorted(sets));
    };
    await fc.assert(fc.asyncProperty(fc.array(body, { minLength: 3, maxLength: 6 }), tryOut), { numRuns: 20 });
  }, 60_000);
}
