import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { load } from 'js-yaml';
import { expect, test } from 'vitest';
import { chart } from './rendered.ts';

interface Schema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: unknown;
}

const text = (name: string): string => readFileSync(join(chart, name), 'utf8');
const schema = JSON.parse(text('values.schema.json')) as Schema;

function schemaPaths(of: Schema, path: string): string[] {
  if (of.properties === undefined) return [path];
  return Object.entries(of.properties).flatMap(([name, below]) => schemaPaths(below, `${path}.${name}`));
}

/** Leaves where the schema ends: below `resources: {…}` people write what they like. */
function valuePaths(value: unknown, of: Schema | undefined, path: string): string[] {
  const opens = of?.properties !== undefined && typeof value === 'object' && value !== null;
  if (!opens) return [path];
  return Object.entries(value).flatMap(([name, below]) => valuePaths(below, of.properties?.[name], `${path}.${name}`));
}

test('values.yaml and values.schema.json name the same values', () => {
  const described = schemaPaths(schema, '').filter((path) => path !== '.global');
  expect(valuePaths(load(text('values.yaml')), schema, '').sort()).toEqual(described.sort());
});

test('the chart has the version of the program', () => {
  const { version } = JSON.parse(text('../../package.json')) as { version: string };
  expect(load(text('Chart.yaml'))).toMatchObject({ version, appVersion: version });
});

test('the notes say to wait for the withdrawals, and lead to the page that says how', () => {
  const notes = text('templates/NOTES.txt');
  expect(notes).toMatch(/get retirements\n[\s\S]*"Removing" in\s+docs\/install\.md/u);
  expect(text('../../docs/install.md')).toContain('## Removing');
});
