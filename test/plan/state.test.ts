import { expect, test } from 'vitest';
import { type ExchangerState, formatState, parseState } from '../../src/plan/state.ts';
import { applied, digest, domainState, exchangerState, key, publication, txt } from './cases.ts';

test('what is stored is read as it was', () => {
  const set = applied(txt('_smtp._tls.example.com', 'x'), { restored: { times: 2, at: 1, stood: true } });
  const domain = domainState({ publications: [publication()], applied: [set] });
  expect(parseState('domain', formatState(domain))).toEqual(domain);
  for (const exchanger of [exchangerState(), exchangerState({ leftHosts: ['mx9.example.com'] })])
    expect(parseState('exchanger', formatState(exchanger))).toEqual(exchanger);
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
  [
    'nothing but its head',
    '{"formatVersion":1,"kind":"domain"}',
    'lacks namespace, name, issuer, applied, spent, domain, key, publications',
  ],
  ['no key', without('key'), 'lacks key'],
  ['no history', without('publications'), 'lacks publications'],
  ['a history that is no list', JSON.stringify({ ...domainState(), publications: {} }), 'lacks publications'],
  ['a history of nothing', JSON.stringify({ ...domainState(), publications: [null] }), 'lacks publications'],
  ['a key without its secret', JSON.stringify({ ...domainState(), key: { spkiSha256: 'c' } }), 'lacks key'],
  ['a certificate without its end', JSON.stringify({ ...domainState(), certificate: {} }), 'lacks certificate'],
  [
    'a set that was restored at no time',
    JSON.stringify({ ...domainState(), applied: [applied(txt('x', 'y'), { restored: {} as never })] }),
    'lacks applied',
  ],
  ['an order without its place', JSON.stringify({ ...domainState(), order: { names: [] } }), 'lacks order'],
])('a domain’s state that can’t be trusted is refused: %s', (_, text, message) => {
  expect(() => parseState('domain', text)).toThrow(message);
});

test.each<readonly [string, Partial<ExchangerState>, string]>([
  ['no key at all', { keys: [] }, `names keys that it lacks: ${digest('c')}, ${digest('d')}`],
  ['no second key', { keys: [key('c')] }, `names keys that it lacks: ${digest('d')}`],
  [
    'no third key in the middle of a rollover',
    { rollover: { ...exchangerState().rollover, phase: 'Retiring', spare: digest('e') } },
    `names keys that it lacks: ${digest('e')}`,
  ],
  [
    'a phase that there is not',
    { rollover: { ...exchangerState().rollover, phase: 'Gone' as 'Steady' } },
    'lacks rollover',
  ],
  [
    'a time that is none, by which a record would go at once',
    { rollover: { ...exchangerState().rollover, presentedSince: 'now' as never } },
    'lacks rollover',
  ],
  ['hosts that left, and are none', { leftHosts: [7 as never] }, 'lacks leftHosts'],
])('an exchanger’s state that contradicts itself is refused: %s', (_, change, message) => {
  expect(() => parseState('exchanger', formatState(exchangerState(change)))).toThrow(message);
});
