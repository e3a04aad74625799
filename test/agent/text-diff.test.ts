import { array, assert, constantFrom, pre, property } from 'fast-check';
import { expect, test } from 'vitest';
import { unifiedDiff } from '../../src/agent/text-diff.ts';

const text = (...lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');

test('a changed line is shown with three lines around it', () => {
  const before = text('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h');
  const after = text('a', 'b', 'c', 'd', 'E', 'f', 'g', 'h');
  const diff = ['--- /m', '+++ /m', '@@ -2,7 +2,7 @@', ' b', ' c', ' d', '-e', '+E', ' f', ' g', ' h', ''];
  expect(unifiedDiff('/m', before, after)).toBe(diff.join('\n'));
});

test('changes that are far apart are shown apart', () => {
  const lines = Array.from({ length: 30 }, (_, index) => `line ${index}`);
  const diff = unifiedDiff('/m', text(...lines), text('first', ...lines, 'last'));
  expect(diff.match(/^@@ .*$/gmu)).toEqual(['@@ -1,3 +1,4 @@', '@@ -28,3 +29,4 @@']);
});

test('a new file comes from nowhere, and no change is no text', () => {
  expect(unifiedDiff('/m', undefined, text('a'))).toBe('--- /dev/null\n+++ /m\n@@ -0,0 +1,1 @@\n+a\n');
  expect(unifiedDiff('/m', 'a\n', 'a\n')).toBe('');
});

test('of any two texts, what stays and what goes is the one, what stays and what comes the other', () => {
  const lines = array(constantFrom('a', 'b', 'c', 'd', ''), { maxLength: 3 });
  assert(
    property(lines, lines, (before, after) => {
      const shown = unifiedDiff('/m', text(...before), text(...after))
        .split('\n')
        .slice(2, -1);
      const side = (sign: string): string[] =>
        shown.filter((line) => line.startsWith(' ') || line.startsWith(sign)).map((line) => line.slice(1));
      pre(shown.length > 0);
      expect(side('-')).toEqual(before);
      expect(side('+')).toEqual(after);
    }),
  );
});
