import { array, assert, integer, jsonValue, nat, property } from 'fast-check';
import { expect, test } from 'vitest';
import { createElements } from '../../../src/apply/providers/elements.ts';

function read(text: string, size: number): readonly unknown[] {
  const found: unknown[] = [];
  const elements = createElements((element) => void found.push(element));
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) elements.take(bytes.subarray(at, at + size));
  elements.end();
  return found;
}

test('an array is read as JSON.parse reads it, wherever the network cuts it', () => {
  const arrays = array(jsonValue(), { maxLength: 6 });
  assert(
    property(arrays, nat(3), integer({ min: 1, max: 40 }), (value, indent, size) => {
      const text = JSON.stringify(value, undefined, indent);
      expect(read(text, size)).toEqual(JSON.parse(text));
    }),
  );
});

test.each([' [ ] \n', 'null', ' null '])('%j holds nothing', (text) => {
  expect(read(text, 1)).toEqual([]);
});

test.each(['', ' ', '[', '[1', '[1,]', '[,1]', '[1]]', '[1] 2', '{}', '"x"', 'nul', 'nulls', 'no', '[1}', '[{"a":1]'])(
  '%j is no array',
  (text) => {
    for (const size of [1, 100]) expect(() => read(text, size)).toThrow(SyntaxError);
  },
);
