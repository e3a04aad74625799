import { expect, test } from 'vitest';
import { formatState, parseState } from '../../src/plan/state.ts';
import { domainState, exchangerState, publication } from './cases.ts';

test('what is stored is read as it was', () => {
  const domain = domainState({ publications: [publication()] });
  expect(parseState('domain', formatState(domain))).toEqual(domain);
  expect(parseState('exchanger', formatState(exchangerState()))).toEqual(exchangerState());
});

const without = (name: string): string => JSON.stringify({ ...domainState(), [name]: undefined });

test.each<readonly [string, string, string]>([
  ['nothing', '', 'is not JSON'],
  ['a text cut short', formatState(domainState()).slice(0, -20), 'is not JSON'],
  ['null', 'null', 'is not an object'],
  ['a number', '7', 'is not an object'],
  ['no format version', '{"kind":"domain"}', 'format version undefined'],
  ['a later format', JSON.stringify({ ...domainState(), formatVersion: 2 }), 'format version 2, this program reads 1'],
  ['another kind', formatState(exchangerState()), 'is of a exchanger, not of a domain'],
  ['nothing but its head', '{"formatVersion":1,"kind":"domain"}', 'lacks applied, spent, key, publications'],
  ['no key', without('key'), 'lacks key'],
  ['no history', without('publications'), 'lacks publications'],
  ['a history that is no list', JSON.stringify({ ...domainState(), publications: {} }), 'lacks publications'],
])('a domain’s state that can’t be trusted is refused: %s', (_, text, message) => {
  expect(() => parseState('domain', text)).toThrow(message);
});
