import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { reasons } from '../../src/api/reasons.ts';

const src = resolve(import.meta.dirname, '../../src');
const text = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts') && path !== 'api/reasons.ts' && !path.startsWith('api/generate/'))
  .map((path) => readFileSync(join(src, path), 'utf8'))
  .join('\n');

/** Part of what a provider may answer; RFC 2136 has no word for it. */
const promisedByProviders: readonly string[] = ['ProviderThrottled'];

test.each(reasons.filter((reason) => !promisedByProviders.includes(reason)))('%s is given by something', (reason) => {
  expect(text).toContain(`'${reason}'`);
});
