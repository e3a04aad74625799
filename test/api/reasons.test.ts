import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { reasons } from '../../src/api/reasons.ts';

const top = resolve(import.meta.dirname, '../..');
const textOf = (folder: string, counts: (path: string) => boolean): string =>
  readdirSync(join(top, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && counts(path))
    .map((path) => readFileSync(join(top, folder, path), 'utf8'))
    .join('\n');
const text = textOf('src', (path) => path !== 'api/reasons.ts' && !path.startsWith('api/generate/'));
const tests = textOf('test', (path) => path !== 'api/reasons.test.ts');
const page = readFileSync(join(top, 'docs/reasons.md'), 'utf8');

/** Part of what a provider may answer; RFC 2136 has no word for it. */
const promisedByProviders: readonly string[] = ['ProviderThrottled'];

test.each(reasons.filter((reason) => !promisedByProviders.includes(reason)))('%s is given by something', (reason) => {
  expect(text).toContain(`'${reason}'`);
});

test.each(reasons)('%s is met by a test, and has a line in docs/reasons.md', (reason) => {
  expect(new RegExp(`['"]${reason}['"]`, 'u').test(tests)).toBe(true);
  expect(new RegExp(`^\\| \`${reason}\` \\| .{12,} \\| .+ \\|$`, 'mu').test(page)).toBe(true);
});
