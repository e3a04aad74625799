/** Manifests: the objects of a YAML or JSON text, whoever wrote it. */
import { CORE_SCHEMA, loadAll, mergeTag, Schema, YAMLException } from 'js-yaml';
import type { KubeObject } from '../api/object.ts';
import { quoted } from '../dns/problem.ts';
import { messageOf } from '../errors.ts';
import { isRecord } from '../kube/error.ts';

/** An object as a manifest has it: what its kind says of it is not checked yet. */
export type ManifestObject = KubeObject & { readonly spec?: unknown };

interface ManifestProblem {
  readonly code: 'MalformedYaml' | 'TooLarge' | 'NotAnObject' | 'MissingName';
  /** A sentence that names the line or the document. */
  readonly message: string;
}

export interface Manifest {
  readonly objects: readonly ManifestObject[];
  readonly problems: readonly ManifestProblem[];
}

/** UTF-16 units of one text. Kubernetes takes no object of more than about 1.5 MiB. */
const longestText = 4 * 1024 * 1024;
/** Values of one document, with what its aliases stand for: a few lines can mean billions. */
const mostValues = 200_000;
const mostAliases = 1000;
const deepest = 64;

// As kubectl reads them: `<<` merges.
const schema = new Schema([...CORE_SCHEMA.tags, mergeTag]);

/** Reads all documents; those that are empty count for nothing, lists are opened. Never throws. */
export function readManifest(text: string): Manifest {
  if (text.length > longestText)
    return { objects: [], problems: [{ code: 'TooLarge', message: 'The text is larger than 4 MiB.' }] };
  let documents: readonly unknown[];
  try {
    documents = loadAll(text, { schema, maxAliases: mostAliases, maxDepth: deepest });
  } catch (error) {
    return { objects: [], problems: [{ code: 'MalformedYaml', message: yamlWords(error) }] };
  }
  const read = documents.map((document, index) => readDocument(document, `Document ${index + 1}`));
  return { objects: read.flatMap(({ objects }) => objects), problems: read.flatMap(({ problems }) => problems) };
}

function yamlWords(error: unknown): string {
  const line = error instanceof YAMLException ? error.mark?.line : undefined;
  const reason = error instanceof YAMLException ? error.reason : messageOf(error);
  return `${line === undefined ? 'The text' : `Line ${line + 1}`} is not YAML: ${reason}.`;
}

function readDocument(document: unknown, where: string): Manifest {
  if (document === null || document === undefined) return { objects: [], problems: [] };
  if (isTooLarge(document))
    return { objects: [], problems: [{ code: 'TooLarge', message: `${where} has more than ${mostValues} values.` }] };
  // Without what aliases share, and without what is no JSON.
  return readObject(JSON.parse(JSON.stringify(document)), where);
}

function readObject(value: unknown, where: string): Manifest {
  const wrong = (code: ManifestProblem['code'], message: string): Manifest => ({
    objects: [],
    problems: [{ code, message: `${where} ${message}` }],
  });
  if (!isRecord(value) || typeof value['apiVersion'] !== 'string' || typeof value['kind'] !== 'string')
    return wrong('NotAnObject', 'is no object of Kubernetes: it lacks apiVersion and kind.');
  const { kind, items, metadata } = value;
  if (kind.endsWith('List') && Array.isArray(items)) {
    const read = items.map((item, index) => readObject(item, `${where}, item ${index + 1}`));
    return { objects: read.flatMap(({ objects }) => objects), problems: read.flatMap(({ problems }) => problems) };
  }
  const name = isRecord(metadata) ? metadata['name'] : undefined;
  const namespace = isRecord(metadata) ? metadata['namespace'] : undefined;
  if (typeof name !== 'string' || name === '' || (namespace !== undefined && typeof namespace !== 'string'))
    return wrong('MissingName', `is a ${quoted(kind)} without metadata.name.`);
  return { objects: [value as unknown as ManifestObject], problems: [] };
}

/** Counts no further than it must. */
function isTooLarge(document: unknown): boolean {
  let left = mostValues;
  const open: unknown[] = [document];
  while (open.length > 0) {
    const value = open.pop();
    if (typeof value !== 'object' || value === null) continue;
    const inner = Object.values(value);
    left -= inner.length;
    if (left < 0) return true;
    for (const one of inner) open.push(one);
  }
  return false;
}
