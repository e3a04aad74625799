/**
 * The reconciler's own look at an object: the API server's rules once more (an object may be older than the CRD, or
 * come from a file), and those that CEL can't express. It collects every problem, so that one edit mends them all.
 */
import { quoted } from '../dns/problem.ts';
import { formats } from './formats.ts';
import { type KindName, kinds } from './kinds.ts';
import type { Reason } from './reasons.ts';
import type { AnyObject, AnySchema } from './schema.ts';
import { semanticProblems } from './semantics.ts';

/** One thing that is wrong in a spec. */
export interface Problem {
  /** `spec.mx.hosts[0]`. */
  readonly path: string;
  /** Stable name of the rule: `Type`, `Required`, `MaxItems`, a format such as `host`, or a rule of the kind. */
  readonly rule: string;
  /** A sentence that begins with the path and says the rule and the mend. */
  readonly message: string;
  readonly reason: Reason;
}

type Report = (path: string, rule: string, rest: string, reason?: Reason) => void;

/** Beyond these a reader is not helped and a hostile object only costs. */
const mostProblems = 64;

/**
 * Every problem of an object's spec; none means that code may rely on the types of types.ts. Fields that the schema
 * does not know are passed over: a newer CRD may have them. Never throws.
 */
export function validate(kind: KindName, object: unknown): readonly Problem[] {
  const problems: Problem[] = [];
  const report: Report = (path, rule, rest, reason = 'InvalidSpec') => {
    if (problems.length < mostProblems) problems.push({ path, rule, message: `${path} ${rest}`, reason });
  };
  const spec = isObject(object) ? object['spec'] : undefined;
  if (spec === undefined) {
    report('spec', 'Required', 'is missing; see `kubectl explain`');
    return problems;
  }
  if (check(kinds[kind].spec, spec, 'spec', report)) {
    checkName(kind, object, report);
    semanticProblems(kind, object, report);
  }
  return problems;
}

/** An object from a file may have no name yet. */
function checkName(kind: KindName, object: unknown, report: Report): void {
  const metadata = isObject(object) ? object['metadata'] : undefined;
  if (!isObject(metadata) || typeof metadata['name'] !== 'string') return;
  for (const rule of kinds[kind].nameRules ?? []) {
    // The spec's shape was just checked: the object is what the rule takes.
    if (rule.holds !== undefined && !rule.holds(object as never)) report('metadata.name', rule.name, rule.message);
  }
}

/** The reason that a condition carries for these problems: the most particular of them. */
export function reasonOf(problems: readonly Problem[]): Reason | undefined {
  return (problems.find(({ reason }) => reason !== 'InvalidSpec') ?? problems[0])?.reason;
}

/** Returns whether the value has the shape that the rules of its parents need; a breach of bounds is no shape. */
function check(schema: AnySchema, value: unknown, path: string, report: Report): boolean {
  const shaped = checkShape(schema, value, path, report);
  if (shaped) {
    for (const rule of schema.rules ?? []) {
      // The shape was just checked: the value is what the rule takes.
      const at = rule.field === undefined ? path : `${path}.${rule.field}`;
      if (rule.holds !== undefined && !rule.holds(value as never)) report(at, rule.name, rule.message);
    }
  }
  return shaped;
}

function checkShape(schema: AnySchema, value: unknown, path: string, report: Report): boolean {
  const wrongType = (wanted: string): false => {
    report(path, 'Type', `must be ${wanted}, it is ${describe(value)}`);
    return false;
  };
  switch (schema.type) {
    case 'string':
      if (typeof value !== 'string') return wrongType('a string');
      checkString(schema, value, path, report);
      return true;
    case 'integer':
      if (typeof value !== 'number' || !Number.isInteger(value)) return wrongType('a whole number');
      if (value < schema.minimum || value > schema.maximum) {
        report(path, 'Range', `is ${value}; it must be ${schema.minimum} to ${schema.maximum}`);
      }
      return true;
    case 'boolean':
      return typeof value === 'boolean' || wrongType('true or false');
    case 'array':
      if (!Array.isArray(value)) return wrongType('a list');
      checkLength(schema, value, path, report);
      // No shortcut at the first bad item: all of them are reported.
      return value
        .slice(0, schema.maxItems)
        .map((item, index) => check(schema.items, item, `${path}[${index}]`, report))
        .every(Boolean);
    case 'object':
      return isObject(value) ? checkProperties(schema, value, path, report) : wrongType('an object');
  }
}

function checkString(schema: AnySchema & { type: 'string' }, value: string, path: string, report: Report): void {
  const words = schema.enum === undefined ? undefined : Object.keys(schema.enum);
  if (words !== undefined && !words.includes(value)) {
    report(path, 'Enum', `is ${quoted(value)}; it must be one of ${words.join(', ')}`);
    return;
  }
  if (Array.from(value).length > schema.maxLength) {
    report(path, 'MaxLength', `is longer than ${schema.maxLength} characters`);
    return;
  }
  if (value.length < (schema.minLength ?? 0)) report(path, 'MinLength', 'is empty; leave it out or fill it in');
  else if (schema.format !== undefined) {
    const format = formats[schema.format];
    const problem = format.problem(value);
    if (problem !== undefined) report(path, schema.format, problem, format.reason);
  }
}

function checkLength(
  schema: AnySchema & { type: 'array' },
  value: readonly unknown[],
  path: string,
  report: Report,
): void {
  const { minItems = 0, maxItems } = schema;
  if (value.length > maxItems) report(path, 'MaxItems', `has ${value.length} items; at most ${maxItems} are allowed`);
  if (value.length < minItems) report(path, 'MinItems', 'is empty; list at least one item');
  if (schema.list !== 'set') return;
  const twice = value.find((item, index) => value.indexOf(item) !== index);
  if (twice !== undefined) report(path, 'Duplicate', `lists ${describe(twice)} twice; remove one of the two`);
}

function checkProperties(
  schema: AnyObject,
  value: Readonly<Record<string, unknown>>,
  path: string,
  report: Report,
): boolean {
  const shaped = Object.entries(schema.properties).map(([name, property]) => {
    const child = Object.hasOwn(value, name) ? value[name] : undefined;
    if (child !== undefined) return check(property, child, `${path}.${name}`, report);
    if (property.required !== true) return true;
    report(`${path}.${name}`, 'Required', `is missing: ${property.description}`);
    return false;
  });
  return shaped.every(Boolean);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function describe(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object'
    ? 'an object'
    : quoted(typeof value === 'string' ? value : (JSON.stringify(value) ?? typeof value));
}
