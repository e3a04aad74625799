import type { KubeObject, ListQuery } from '../../src/kube/types.ts';

/** Label selectors of `k`, `!k`, `k=v`, `k!=v`, `k in (a,b)`, `k notin (a,b)`; field selectors of dotted paths. */
export function matches(query: ListQuery, object: KubeObject): boolean {
  if (object.kind !== query.kind || object.apiVersion !== query.apiVersion) return false;
  if (query.namespace !== undefined && object.metadata.namespace !== query.namespace) return false;
  const labels = object.metadata.labels ?? {};
  const field = (path: string): unknown =>
    path.split('.').reduce<unknown>((at, name) => (at as Record<string, unknown> | undefined)?.[name], object);
  return (
    terms(query.labelSelector).every((term) => holds(term, (name) => labels[name])) &&
    terms(query.fieldSelector).every((term) => holds(term, (name) => field(name)))
  );
}

function terms(selector: string | undefined): string[] {
  return selector === undefined || selector === '' ? [] : selector.split(/,(?![^(]*\))/);
}

function holds(term: string, valueOf: (name: string) => unknown): boolean {
  const inside = /^\s*(\S+)\s+(in|notin)\s+\((.*)\)\s*$/.exec(term);
  if (inside !== null) {
    const listed = (inside[3] ?? '').split(',').some((value) => value.trim() === valueOf(inside[1] ?? ''));
    return listed === (inside[2] === 'in');
  }
  const compared = /^\s*([^=!\s]+)\s*(!=|==?)\s*(\S*)\s*$/.exec(term);
  if (compared !== null) return (valueOf(compared[1] ?? '') === compared[3]) === (compared[2] !== '!=');
  const name = term.trim();
  return name.startsWith('!') ? valueOf(name.slice(1)) === undefined : valueOf(name) !== undefined;
}
