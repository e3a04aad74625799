import { spawn } from 'node:child_process';
import { expect, test } from 'vitest';
import { isRunning, ownIdentity } from './identity.ts';

test('this program is running', () => {
  expect(isRunning(ownIdentity())).toBe(true);
});

test('a program that ended is not, even before its parent has asked about it', async () => {
  const child = spawn(process.execPath, ['-e', '']);
  await new Promise((resolve) => child.once('exit', resolve));
  expect(isRunning(`${child.pid}-0`)).toBe(false);
});

test('a later program with the same pid is not the same program', () => {
  expect(isRunning(`${process.pid}-1`)).toBe(false);
});

test.each(['', 'x', '1', '-1', '1-', '1-2-3', '1.5-2'])('%j is not the identity of anything running', (identity) => {
  expect(isRunning(identity)).toBe(false);
});
