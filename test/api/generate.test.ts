import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { loadAll } from 'js-yaml';
import { expect, test } from 'vitest';
import { generatedFiles, generatedFolders } from '../../src/api/generate/files.ts';
import { chartTemplateOf } from '../../src/api/generate/yaml.ts';
import { isKindName, kinds } from '../../src/api/kinds.ts';
import { validate } from '../../src/api/validate.ts';

const top = resolve(import.meta.dirname, '../..');
const files = generatedFiles();

test.each([...files])('%s is what `npm run generate` writes', (path, text) => {
  expect(readFileSync(join(top, path), 'utf8')).toBe(text);
});

test.each(generatedFolders)('%s holds nothing else', (folder) => {
  const expected = [...files.keys()].filter((path) => path.startsWith(`${folder}/`));
  expect(
    readdirSync(join(top, folder))
      .map((name) => `${folder}/${name}`)
      .sort(),
  ).toEqual(expected.sort());
});

test('a template that Helm would expand is refused', () => {
  expect(() => chartTemplateOf('# {{ .Values }}')).toThrow('{{');
});

interface Manifest {
  readonly kind: string;
}

const manifests = (text: string): Manifest[] => loadAll(text) as Manifest[];

const examples: [string, Manifest][] = [
  ...Object.values(kinds).map((kind): [string, string] => [`docs/${kind.singular}.md`, kind.example]),
  ...readdirSync(join(top, 'examples'))
    .filter((name) => name.endsWith('.yaml'))
    .map((name): [string, string] => [`examples/${name}`, readFileSync(join(top, 'examples', name), 'utf8')]),
].flatMap(([path, text]) => manifests(text).map((manifest): [string, Manifest] => [path, manifest]));

test.each(examples)('the example in %s is valid', (_path, manifest) => {
  const { kind } = manifest;
  expect(isKindName(kind)).toBe(true);
  if (isKindName(kind)) expect(validate(kind, manifest)).toEqual([]);
});
