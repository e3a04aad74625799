/**
 * The language in which a kind is described once: field by field, with bounds, rules and the words of the docs.
 * From it come the CRD, the validation of the reconciler and the page in docs/. `SchemaOf<T>` ties a description to
 * the TypeScript type: a property that is missing, surplus, of another type or wrongly required does not compile.
 */
import type { Format } from './formats.ts';

/**
 * A rule between fields. `cel` is checked by the API server at `kubectl apply`, `holds` by the reconciler (absent for
 * rules about a change, which only the API server sees); a live test shows that the two agree.
 */
interface Rule<T> {
  /** Stable PascalCase name. */
  readonly name: string;
  readonly cel: string;
  /** The field below that is wrong; absent: the whole. */
  readonly field?: string;
  /** Says the rule and the mend, without the field's path. */
  readonly message: string;
  /** A method and not a property, so that a schema of T is also an AnySchema. */
  holds?(self: T): boolean;
}

interface Described<T> {
  readonly description: string;
  /** What an absent field means, as the docs say it. Never written into objects: resolved in code. */
  readonly defaultsTo?: string | number | boolean;
  readonly rules?: readonly Rule<T>[];
}

interface AnyString<T extends string = string> extends Described<T> {
  readonly type: 'string';
  readonly maxLength: number;
  readonly minLength?: number;
  readonly format?: Format;
  /** Every word and what it means. */
  readonly enum?: Readonly<Record<T, string>>;
  /** The words are ours but the API server does not insist on them: a later version may add some. */
  readonly open?: true;
}

/** A union of words must be listed, or said to be open. */
export type StringSchema<T extends string = string> = string extends T
  ? AnyString<T> & { readonly enum?: never; readonly open?: never }
  : AnyString<T> & ({ readonly enum: Readonly<Record<T, string>> } | { readonly open: true });

export interface IntegerSchema extends Described<number> {
  readonly type: 'integer';
  readonly minimum: number;
  readonly maximum: number;
}

export interface BooleanSchema extends Described<boolean> {
  readonly type: 'boolean';
}

interface ArrayOf<Item, Items> extends Described<readonly Item[]> {
  readonly type: 'array';
  readonly items: Items;
  readonly minItems?: number;
  readonly maxItems: number;
  /** `set`: no value twice, in no order. `map`: by `keys`. `atomic`: as a whole. */
  readonly list: 'set' | 'atomic' | { readonly keys: readonly string[] };
}

export type ArraySchema<Item> = ArrayOf<Item, SchemaOf<Item>>;

type PropertyOf<T, K extends keyof T> = SchemaOf<NonNullable<T[K]>> &
  (undefined extends T[K] ? { readonly required?: never } : { readonly required: true });

export interface ObjectSchema<T> extends Described<T> {
  readonly type: 'object';
  readonly properties: { readonly [K in keyof T]-?: PropertyOf<T, K> };
}

export type SchemaOf<T> = [T] extends [string]
  ? StringSchema<T>
  : [T] extends [number]
    ? IntegerSchema
    : [T] extends [boolean]
      ? BooleanSchema
      : T extends readonly (infer Item)[]
        ? ArraySchema<Item>
        : ObjectSchema<T>;

/** Any schema, for code that walks one. */
export type AnySchema = AnyString | IntegerSchema | BooleanSchema | AnyArray | AnyObject;
type AnyArray = ArrayOf<unknown, AnySchema>;
type AnyProperty = AnySchema & { readonly required?: true };
export interface AnyObject extends Described<object> {
  readonly type: 'object';
  readonly properties: Readonly<Record<string, AnyProperty>>;
}

/** A column of `kubectl get`. */
export interface Column {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'boolean' | 'date';
  readonly jsonPath: string;
  readonly description: string;
  /** Only shown by `-o wide`. */
  readonly wide?: true;
}

interface Named<Spec> {
  readonly metadata: { readonly name: string };
  readonly spec: Spec;
}

/** One kind of ours: all that its CRD and its docs page say. */
export interface KindDefinition<Spec = object, Status = object> {
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly scope: 'Namespaced' | 'Cluster';
  /** One sentence for `kubectl explain`, the first of the docs page. */
  readonly description: string;
  /** What the docs page says beside the fields; Markdown. */
  readonly notes: string;
  readonly example: string;
  readonly spec: ObjectSchema<Spec>;
  /** Rules about the object's name, which the CRD puts at its root. */
  readonly nameRules?: readonly Rule<Named<Spec>>[];
  readonly status: ObjectSchema<Status>;
  readonly columns: readonly Column[];
  readonly selectableFields: readonly string[];
}

/** A definition for code that walks it. */
export type AnyKind = Omit<KindDefinition, 'spec' | 'status' | 'nameRules'> & {
  readonly spec: AnyObject;
  readonly nameRules?: readonly Rule<Named<never>>[];
  readonly status: AnyObject;
};
