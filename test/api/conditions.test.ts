import { describe, expect, test } from 'vitest';
import {
  conditionOf,
  firstConditions,
  longestMessage,
  setConditions,
  statusTimeOf,
  type WantedCondition,
} from '../../src/api/conditions.ts';
import type { Condition } from '../../src/api/types.ts';

const t0 = Date.parse('2026-11-22T14:05:00.900Z');
const later = t0 + 60_000;

const wanted = (type: Condition['type'], status: Condition['status'] = 'True', message = 'Fine.'): WantedCondition => ({
  type,
  status,
  reason: 'Ready',
  message,
});

const messageAfter = (message: string): string | undefined =>
  setConditions([], [wanted('Ready', 'True', message)], t0, 1)[0]?.message;

describe('setConditions', () => {
  test('gives a new condition the time of its first sight, in whole seconds', () => {
    expect(setConditions([], [wanted('Ready')], t0, 3)).toEqual([
      { ...wanted('Ready'), lastTransitionTime: '2026-11-22T14:05:00Z', observedGeneration: 3 },
    ]);
  });

  test('keeps the time while the status does, whatever else changes', () => {
    const before = setConditions([], [wanted('Ready')], t0, 1);
    const after = setConditions(before, [{ ...wanted('Ready'), reason: 'Waiting', message: 'Other.' }], later, 2);
    expect(after).toMatchObject([
      { lastTransitionTime: '2026-11-22T14:05:00Z', reason: 'Waiting', observedGeneration: 2 },
    ]);
  });

  test('moves the time when the status flips', () => {
    const before = setConditions([], [wanted('Ready')], t0, 1);
    expect(setConditions(before, [wanted('Ready', 'Unknown')], later, 1)).toMatchObject([
      { lastTransitionTime: '2026-11-22T14:06:00Z' },
    ]);
  });

  test('gives the same list again for the same wishes, in whatever order', () => {
    const wishes = [wanted('TLSRPTReady'), wanted('Ready', 'False'), wanted('MXResolved')];
    const first = setConditions([], wishes, t0, 1);
    expect(setConditions(first, wishes.toReversed(), later, 1)).toEqual(first);
    expect(first.map(({ type }) => type)).toEqual(['Ready', 'MXResolved', 'TLSRPTReady']);
  });

  test('drops what is not wanted any more', () => {
    const before = setConditions([], [wanted('Ready'), wanted('TLSRPTReady')], t0, 1);
    expect(setConditions(before, [wanted('Ready')], later, 1).map(({ type }) => type)).toEqual(['Ready']);
  });

  test('writes Reconciling and Stalled only while true, as kstatus reads them', () => {
    const wishes = [wanted('Ready'), wanted('Reconciling', 'False'), wanted('Stalled', 'Unknown')];
    expect(setConditions([], wishes, t0, 1).map(({ type }) => type)).toEqual(['Ready']);
    expect(setConditions([], [wanted('Stalled')], t0, 1).map(({ type }) => type)).toEqual(['Stalled']);
  });

  test('lets the later of two wishes of one type count', () => {
    expect(setConditions([], [wanted('Ready'), wanted('Ready', 'False')], t0, 1)).toMatchObject([{ status: 'False' }]);
  });
});

describe('messages', () => {
  test.each([
    ['a line break', 'one\ntwo', 'one\\ntwo'],
    ['an escape sequence', '\u001b[31mred', '\\x1b[31mred'],
    ['a reversed reading direction', 'a\u202eb', 'a\\u{202e}b'],
    ['a lone surrogate', 'a\ud800b', 'a\\u{d800}b'],
    ['an umlaut', 'bücher', 'bücher'],
  ])('write %s harmlessly', (_what, message, written) => {
    expect(messageAfter(message)).toBe(written);
  });

  test('are cut with an ellipsis, never within a character', () => {
    expect(messageAfter('a'.repeat(longestMessage))).toHaveLength(longestMessage);
    const cut = messageAfter('🙂'.repeat(longestMessage)) ?? '';
    expect(cut.length).toBeLessThanOrEqual(longestMessage);
    expect(cut).toMatch(/🙂…$/u);
    expect(messageAfter('\n'.repeat(1e6))?.length).toBeLessThanOrEqual(longestMessage);
  });
});

test('an object has Ready=Unknown from first sight on', () => {
  const first = firstConditions(t0, 1);
  expect(conditionOf(first, 'Ready')).toMatchObject({ status: 'Unknown', reason: 'Reconciling' });
  expect(conditionOf(first, 'Reconciling')).toMatchObject({ status: 'True' });
  expect(conditionOf(undefined, 'Ready')).toBeUndefined();
});

test('times are RFC 3339 in whole seconds', () => {
  expect(statusTimeOf(t0)).toBe('2026-11-22T14:05:00Z');
});
