import { describe, expect, test } from 'vitest';
import type { RolloverState } from '../../src/dane/keystate.ts';
import { desiredRotation } from '../../src/desired/rotation.ts';
import { dueAt, remember, soonestRotation, wantedNow } from '../../src/plan/rotation.ts';
import type { RotationMemory } from '../../src/plan/state.ts';

const day = 86_400_000;
const since = Date.UTC(2026, 10, 1);
const now = Date.UTC(2026, 10, 29);
const key = '8'.padEnd(64, '0');

function rotation(annotations: Readonly<Record<string, string>> = {}, everyDays = 90) {
  const named = Object.fromEntries(Object.entries(annotations).map(([name, value]) => [`mailseal.dev/${name}`, value]));
  const read = desiredRotation(named, everyDays);
  if (!read.ok) throw new Error(read.message);
  return read.value;
}
const wanted = (annotations: Readonly<Record<string, string>>, memory: Partial<RotationMemory> = {}, at = now) =>
  wantedNow(rotation(annotations), { since, ...memory }, key, at);

describe('what is wanted of the keys', () => {
  test.each([
    ['nothing, by a young key', {}, {}, 'Nothing'],
    ['another, by a key of age', {}, { since: now - 90 * day }, 'Rotate'],
    ['another, since a time that was written', { 'rotate-now': '2026-11-20T00:00:00Z' }, {}, 'RotateNow'],
    ['nothing before that time', { 'rotate-now': '2026-12-01T00:00:00+01:00' }, {}, 'Nothing'],
    ['nothing where the key is younger than the wish', { 'rotate-now': '2026-10-31T00:00:00Z' }, {}, 'Nothing'],
    ['another, at once', { 'rotate-now': 'compromised' }, {}, 'Compromised'],
    ['nothing where the wish was met', { 'rotate-now': 'compromised' }, { met: 'compromised' }, 'Nothing'],
    [
      'another for another word',
      { 'rotate-now': 'compromised 2026-11-28T00:00:00Z' },
      { met: 'compromised' },
      'Compromised',
    ],
    ['the former, however old', { 'rotate-now': 'back' }, { since: now - 900 * day }, 'Back'],
  ])('%s', (_, annotations, memory, is) => {
    expect(wanted(annotations, memory)).toBe(is);
  });

  test('a key is due in the last tenth of its days, by its own fingerprint; never where nobody set days', () => {
    const times = ['0', '8', 'f'].map((digit) => dueAt(rotation(), { since }, digit.repeat(64)) ?? 0);
    expect(times).toEqual([...times].sort((a, b) => b - a));
    for (const time of times) {
      expect(time - since).toBeGreaterThanOrEqual(81 * day);
      expect(time - since).toBeLessThanOrEqual(90 * day);
    }
    expect(dueAt(rotation({}, 0), { since }, key)).toBeUndefined();
    expect(soonestRotation(rotation({ 'rotate-now': '2026-12-01T00:00:00Z' }), { since }, key)).toBe(
      Date.UTC(2026, 11, 1),
    );
  });
});

describe('annotations', () => {
  test.each([
    ['rotate-now', 'tomorrow'],
    ['rotate-now', '2026-11-29'],
    ['rotate-now', '2026-13-29T00:00:00Z'],
    ['rotate-now', 'compromised yesterday'],
    ['rotate-now', 'compromised 2026-11-29T00:00:00Z again'],
    ['hold', 'everything'],
  ])('%s: %s is refused by its name', (name, value) => {
    const read = desiredRotation({ [`mailseal.dev/${name}`]: value }, 90);
    expect(read).toMatchObject({ ok: false, reason: 'InvalidSpec' });
    expect(read.ok ? '' : read.message).toContain(`mailseal.dev/${name}`);
  });

  test('that are blank say nothing', () => {
    expect(rotation({ 'rotate-now': ' ', hold: '' })).toEqual({ wish: undefined, held: false, everyDays: 90 });
    expect(rotation({ hold: ' rollover ' }).held).toBe(true);
  });
});

describe('what is remembered', () => {
  const steady: RolloverState = { phase: 'Steady', current: 'c', next: 'n', published: true };
  const swapping: RolloverState = { ...steady, phase: 'Swapping' };
  const done: RolloverState = { ...steady, current: 'n', next: 'm' };
  const pressed = rotation({ 'rotate-now': 'compromised' });
  const begun = remember({ since }, { before: steady, after: swapping }, pressed, now);

  test('a rotation meets the wish that it was begun for, and the key is as old as its first delivery', () => {
    expect(begun).toEqual({ since, nextSince: now, for: 'compromised' });
    const ended = remember(begun, { before: { ...swapping, phase: 'Retiring' }, after: done }, pressed, now + day);
    expect(ended).toEqual({ since: now, met: 'compromised' });
  });

  test('a wish that came on the way is not met: the key may have been taken from the hosts by then', () => {
    const late = rotation({ 'rotate-now': 'compromised 2026-11-29T12:00:00Z' });
    const ended = remember(begun, { before: { ...swapping, phase: 'Retiring' }, after: done }, late, now + day);
    expect(wantedNow(late, ended, key, now + day)).toBe('Compromised');
  });

  test('who went back has the key since then as before; a wish that was taken back may be written again', () => {
    expect(remember(begun, { before: swapping, after: steady }, rotation({ 'rotate-now': 'back' }), now)).toEqual({
      since,
    });
    const met = { since, met: 'compromised' };
    expect(remember(met, { before: steady, after: steady }, rotation(), now)).toEqual({ since });
    expect(remember(met, { before: steady, after: steady }, pressed, now)).toEqual(met);
  });

  test('a key that only the hosts still had is as old as its finding', () => {
    expect(remember({ since }, { before: steady, after: { ...steady, current: 'x' } }, rotation(), now)).toEqual({
      since: now,
    });
  });
});
