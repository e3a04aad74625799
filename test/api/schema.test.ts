import { describe, expect, test } from 'vitest';
import { defaults } from '../../src/api/defaults.ts';
import { kinds } from '../../src/api/kinds.ts';
import { mailDomain } from '../../src/api/maildomain.ts';
import type { AnySchema, ObjectSchema, SchemaOf } from '../../src/api/schema.ts';

interface Sample {
  readonly mode: 'on' | 'off';
  readonly names?: readonly string[];
}

const mode: SchemaOf<'on' | 'off'> = { type: 'string', description: 'd', maxLength: 3, enum: { on: 'a', off: 'b' } };
const names: SchemaOf<readonly string[]> = {
  type: 'array',
  description: 'd',
  list: 'set',
  maxItems: 1,
  items: { type: 'string', description: 'd', maxLength: 1 },
};

describe('a schema compiles only if it says what the type says', () => {
  test('the right one', () => {
    const right: ObjectSchema<Sample> = {
      type: 'object',
      description: 'd',
      properties: { mode: { ...mode, required: true }, names },
    };
    expect(right.properties.names).toBe(names);
  });

  test('drift is an error of the compiler', () => {
    const wrong: readonly ObjectSchema<Sample>['properties'][] = [
      // @ts-expect-error a property that the type does not have
      { mode: { ...mode, required: true }, names, more: names },
      // @ts-expect-error a property is missing
      { mode: { ...mode, required: true } },
      // @ts-expect-error the type requires it
      { mode, names },
      // @ts-expect-error the type does not require it
      { mode: { ...mode, required: true }, names: { ...names, required: true } },
      // @ts-expect-error a word of the union is missing
      { mode: { type: 'string', description: 'd', maxLength: 3, enum: { on: 'a' }, required: true }, names },
      // @ts-expect-error the words are not listed
      { mode: { type: 'string', description: 'd', maxLength: 3, required: true }, names },
      // @ts-expect-error another type
      { mode: { ...mode, required: true }, names: { type: 'boolean', description: 'd' } },
    ];
    expect(wrong).toHaveLength(7);
  });
});

function fields(schema: AnySchema, path: string): [string, AnySchema][] {
  const below = (): [string, AnySchema][] => {
    if (schema.type === 'array') return fields(schema.items, `${path}[]`);
    if (schema.type !== 'object') return [];
    return Object.entries(schema.properties).flatMap(([name, property]) => fields(property, `${path}.${name}`));
  };
  return [[path, schema], ...below()];
}

const all = Object.values(kinds).flatMap((kind) => [
  ...fields(kind.spec, `${kind.kind}.spec`),
  ...fields(kind.status, `${kind.kind}.status`),
]);

test.each(all)('%s is described in a sentence', (_path, schema) => {
  expect(schema.description).toMatch(/^\S.*\.$/u);
});

test.each(all.filter(([path, schema]) => path.includes('.spec') && schema.type !== 'object' && !path.endsWith('[]')))(
  '%s is required, a list or has a default',
  (_path, schema) => {
    const required = 'required' in schema;
    expect(required || schema.type === 'array' || schema.defaultsTo !== undefined).toBe(true);
  },
);

test('a list that may be atomic is never one that people merge', () => {
  const merged = all.filter(
    ([path, schema]) => path.includes('.spec') && schema.type === 'array' && schema.list === 'atomic',
  );
  expect(merged.map(([path]) => path)).toEqual(['MailDomain.spec.exchangerRefs']);
});

test('defaults lie within the bounds of their fields', () => {
  for (const [path, schema] of all) {
    const { defaultsTo } = schema;
    if (schema.type === 'integer' && typeof defaultsTo === 'number') {
      expect([path, defaultsTo >= schema.minimum && defaultsTo <= schema.maximum]).toEqual([path, true]);
    }
    if (schema.type === 'string' && schema.enum !== undefined && defaultsTo !== undefined) {
      expect(Object.keys(schema.enum)).toContain(defaultsTo);
    }
  }
  expect(mailDomain.spec.properties.mtaSts.properties.mode.defaultsTo).toBe(defaults.mtaSts.mode);
});
