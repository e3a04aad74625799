import { expect, test } from 'vitest';
import type { WantedCondition } from '../../src/api/conditions.ts';
import { nextSteps, publishedRecords, refusedTrouble, summarise } from '../../src/status/findings.ts';
import { applied, txt } from '../plan/cases.ts';

const told = (status: WantedCondition['status'], reason: WantedCondition['reason']): WantedCondition => ({
  type: 'PolicyServed',
  status,
  reason,
  message: reason,
});
const gist = (all: readonly WantedCondition[]) => all.map(({ type, status, reason }) => `${type} ${status} ${reason}`);

test.each<readonly [string, readonly WantedCondition[], Parameters<typeof summarise>[1], readonly string[]]>([
  ['all is True', [told('True', 'PolicyServed')], undefined, ['Ready True Ready']],
  [
    'the first that is not True speaks',
    [told('True', 'Ready'), told('False', 'NoMX'), told('False', 'NullMX')],
    undefined,
    ['Ready False NoMX', 'Reconciling True NoMX'],
  ],
  [
    'unknown is not false',
    [told('Unknown', 'DNSUnknown')],
    undefined,
    ['Ready Unknown DNSUnknown', 'Reconciling True DNSUnknown'],
  ],
  [
    'what ended the look outranks all',
    [told('False', 'NoMX')],
    { kind: 'Retry', reason: 'ProviderUnavailable', message: '' },
    ['Ready False ProviderUnavailable', 'Reconciling True ProviderUnavailable'],
  ],
  [
    'what waits for a human is stalled and not reconciling',
    [],
    { kind: 'Stalled', reason: 'NoIssuer', message: '' },
    ['Ready False NoIssuer', 'Stalled True NoIssuer'],
  ],
])('Ready in sum: %s', (_, counted, trouble, want) => {
  expect(gist(summarise(counted, trouble, 'well'))).toEqual(want);
});

test('of refused records the one that a human must mend speaks', () => {
  const unknown = { record: 'a TXT', reason: 'DNSUnknown', message: 'a' } as const;
  const foreign = { record: 'b TXT', reason: 'ForeignRecord', message: 'b' } as const;
  expect(refusedTrouble([unknown, foreign])).toEqual({ kind: 'Stalled', reason: 'ForeignRecord', message: 'b' });
  expect(refusedTrouble([unknown])).toEqual({ kind: 'Retry', reason: 'DNSUnknown', message: 'a' });
  expect(refusedTrouble([])).toBeUndefined();
});

test('published is what was confirmed; long and hostile values are made fit', () => {
  const { since: _, ...intended } = applied(txt('a', 'x'));
  const [record, ...others] = publishedRecords([applied(txt('b', `\u202e${'x'.repeat(9000)}`, 'a')), intended]);
  expect(others).toEqual([]);
  expect(record?.values.map((value) => value.length)).toEqual([1, 4096]);
  expect(record?.values.join()).not.toContain('\u202e');
});

test('each wait is named once, without its time, and not more than ten', () => {
  const waits = Array.from({ length: 30 }, (_, n) => ({ why: `wait ${n % 15}`, forMs: n }));
  expect(nextSteps(waits, [{ what: 'first' }])).toHaveLength(11);
  expect(nextSteps([{ why: 'x'.repeat(2000), forMs: 1 }], [])[0]?.what).toHaveLength(1024);
});
