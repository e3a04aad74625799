import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
const imports = /^(?:import|export)\s(?!type\s)[^;]*?from '(\.[^']+)'/gmu;

/** Every file of this project that is loaded with one. */
function loadedWith(file: string, seen: Set<string> = new Set()): ReadonlySet<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const [, to = ''] of readFileSync(file, 'utf8').matchAll(imports)) loadedWith(resolve(dirname(file), to), seen);
  return seen;
}

test('the observer and its rules load nothing of the product', () => {
  const files = ['observer.ts', ...globSync('rules/*.ts', { cwd: import.meta.dirname })];
  const loaded = files.flatMap((file) => [...loadedWith(join(import.meta.dirname, file))]);
  expect(loaded.length).toBeGreaterThan(files.length);
  expect(loaded.map((file) => relative(root, file)).filter((file) => file.startsWith('src/'))).toEqual([]);
});
