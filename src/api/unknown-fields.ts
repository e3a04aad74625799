/** Fields of a spec that its kind does not have: what they were to say would be lost without a word. */
import { quoted } from '../dns/problem.ts';
import { type KindName, kinds } from './kinds.ts';
import type { AnySchema } from './schema.ts';

/** Their paths, such as `spec.mtaSts."Mode"`. */
export const unknownFields = (kind: KindName, spec: unknown): readonly string[] =>
  pathsIn(kinds[kind].spec, spec, 'spec');

export const unknownFieldWords = (path: string): string =>
  `${path} is a field that this version does not know: kubectl refuses it, others drop it`;

function pathsIn(schema: AnySchema, value: unknown, path: string): readonly string[] {
  if (schema.type === 'array')
    return Array.isArray(value) ? value.flatMap((item, index) => pathsIn(schema.items, item, `${path}[${index}]`)) : [];
  if (schema.type !== 'object' || typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => {
    const property = Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined;
    return property === undefined ? [`${path}.${quoted(name)}`] : pathsIn(property, inner, `${path}.${name}`);
  });
}
