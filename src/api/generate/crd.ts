/** A kind's CustomResourceDefinition. */
import { formats } from '../formats.ts';
import type { AnyKind, AnySchema, Column } from '../schema.ts';
import { group } from '../types.ts';

/** JSON as Kubernetes manifests hold it; properties with `undefined` are left out when written. */
export type Json = string | number | boolean | readonly Json[] | { readonly [key: string]: Json | undefined };

interface Validation {
  readonly [key: string]: string;
  readonly rule: string;
  readonly message: string;
}

/** The manifest, with keys in the order in which people read it. */
export function crdOf(kind: AnyKind): Json {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${kind.plural}.${group}` },
    spec: {
      group,
      scope: kind.scope,
      names: {
        kind: kind.kind,
        listKind: `${kind.kind}List`,
        plural: kind.plural,
        singular: kind.singular,
        shortNames: [...kind.shortNames],
        categories: ['mail'],
      },
      versions: [
        {
          name: 'v1alpha1',
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: kind.columns.map(columnOf),
          selectableFields: kind.selectableFields.map((jsonPath) => ({ jsonPath })),
          schema: { openAPIV3Schema: rootOf(kind) },
        },
      ],
    },
  };
}

function rootOf(kind: AnyKind): Json {
  return {
    type: 'object',
    description: kind.description,
    required: ['spec'],
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { type: 'object' },
      spec: openApi(kind.spec),
      status: openApi(kind.status),
    },
    'x-kubernetes-validations': kind.nameRules?.map(({ cel, message }) => ({
      rule: cel,
      message: `metadata.name ${message}`,
    })),
  };
}

function columnOf({ name, type, jsonPath, description, wide }: Column): Json {
  return { name, type, jsonPath, description, priority: wide === true ? 1 : undefined };
}

function openApi(schema: AnySchema): Json {
  const { type, description } = schema;
  const rules = validationsOf(schema);
  return { type, description, ...boundsOf(schema), 'x-kubernetes-validations': rules.length > 0 ? rules : undefined };
}

function boundsOf(schema: AnySchema): { readonly [key: string]: Json | undefined } {
  switch (schema.type) {
    case 'boolean':
      return {};
    case 'integer':
      return { format: 'int64', minimum: schema.minimum, maximum: schema.maximum };
    case 'string':
      return {
        minLength: schema.minLength,
        maxLength: schema.maxLength,
        enum: schema.enum === undefined ? undefined : Object.keys(schema.enum),
      };
    case 'array':
      return {
        minItems: schema.minItems,
        maxItems: schema.maxItems,
        ...listType(schema.list),
        items: openApi(schema.items),
      };
    case 'object': {
      const entries = Object.entries(schema.properties);
      const required = entries.filter(([, property]) => property.required === true).map(([name]) => name);
      return {
        required: required.length > 0 ? required : undefined,
        properties: Object.fromEntries(entries.map(([name, property]) => [name, openApi(property)])),
      };
    }
  }
}

function listType(list: (AnySchema & { type: 'array' })['list']): { readonly [key: string]: Json } {
  return typeof list === 'string'
    ? { 'x-kubernetes-list-type': list }
    : { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': list.keys };
}

/** A field's format first: what is malformed needs no further rules. */
function validationsOf(schema: AnySchema): Validation[] {
  const format = schema.type === 'string' && schema.format !== undefined ? formats[schema.format] : undefined;
  const own = (schema.rules ?? []).map(({ cel, message, field }) => ({
    rule: cel,
    message,
    ...(field === undefined ? {} : { fieldPath: `.${field}` }),
  }));
  return format === undefined ? own : [{ rule: format.cel, message: format.message }, ...own];
}
