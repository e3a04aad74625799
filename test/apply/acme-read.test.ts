import { expect, test } from 'vitest';
import { readOrder } from '../../src/apply/acme-read.ts';

const order = { status: 'pending', finalize: 'https://ca.example/finalize' };
const places = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, at) => `https://ca.example/authz/${at}`);

test('an order lists as many authorizations as a certificate may have names', () => {
  expect(readOrder({ ...order, authorizations: places(100) }).authorizations).toHaveLength(100);
});

test.each([
  ['lists more, each of which would be asked for', places(101), /lists 101 authorizations/u],
  ['lists none', undefined, /lists no authorizations/u],
  ['lists what is no place', [7], /lists no authorizations/u],
])('an order that %s is refused', (_, authorizations, words) => {
  expect(() => readOrder({ ...order, authorizations })).toThrow(words);
});
