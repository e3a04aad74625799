import { expect, test } from 'vitest';
import { kinds } from '../../src/api/kinds.ts';
import type { AnySchema } from '../../src/api/schema.ts';
import { crdOf } from '../../src/api/generate/crd.ts';
import { validate } from '../../src/api/validate.ts';
import { fieldCases, largest, wholeFields, wholes } from './field-cases.ts';

const object = (spec: unknown): unknown => ({ metadata: { name: 'a', namespace: 'mail' }, spec });

function below(schema: AnySchema): readonly AnySchema[] {
  if (schema.type === 'array') return [schema, ...below(schema.items)];
  return schema.type === 'object' ? [schema, ...Object.values(schema.properties).flatMap(below)] : [schema];
}

test.each(Object.values(kinds))('the wrong values of $kind reach every field of its spec', ({ kind, spec }) => {
  const tried = new Set(
    wholes.flatMap(([of, whole]) => (of === kind ? wholeFields(of, whole).map((one) => one[1]) : [])),
  );
  expect(below(spec).filter((schema) => !tried.has(schema))).toEqual([]);
});

test.each([...wholes, ...largest])(
  'a %s that holds everything, once or as often as it may, is right',
  (kind, whole) => {
    expect(validate(kind, object(whole))).toEqual([]);
  },
);

/** Where a rule of the whole spec speaks first, it names the fields in its words. */
test('every wrong value of every field is refused, by a message that names the field and is safe to show', () => {
  const wrong = fieldCases().flatMap(({ sentence, kind, path, spec }) => {
    const problems = validate(kind, object(spec));
    const named = problems.some((problem) => problem.path.startsWith(path) || path.startsWith(`${problem.path}[`));
    const safe = problems.every(({ message }) => /^[^\p{C}\p{Zl}\p{Zp}]{12,600}$/u.test(message));
    return named && safe ? [] : [{ sentence, problems }];
  });
  expect(wrong).toEqual([]);
});

test('what the API server walks is bounded: it refuses a CRD whose rules might cost too much', () => {
  const unbounded: string[] = [];
  const walk = (schema: Record<string, unknown>, path: string): void => {
    if (schema['type'] === 'array' && schema['maxItems'] === undefined) unbounded.push(path);
    if (schema['type'] === 'string' && schema['maxLength'] === undefined) unbounded.push(path);
    if (schema['items'] !== undefined) walk(schema['items'] as Record<string, unknown>, `${path}[]`);
    for (const [name, inner] of Object.entries(schema['properties'] ?? {})) {
      walk(inner as Record<string, unknown>, `${path}.${name}`);
    }
  };
  for (const kind of Object.values(kinds)) {
    const { spec } = crdOf(kind) as { spec: { versions: { schema: { openAPIV3Schema: Record<string, object> } }[] } };
    const root = spec.versions[0]?.schema.openAPIV3Schema['properties'] as Record<string, Record<string, unknown>>;
    for (const part of ['spec', 'status']) walk(root[part] ?? {}, `${kind.kind}.${part}`);
  }
  expect(unbounded).toEqual([]);
});
