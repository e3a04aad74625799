/**
 * Server-side apply as far as Mailseal relies on it: what a field manager applied before and no longer applies goes
 * away unless another one applies it too. Lists are atomic, but for finalizers and owners (sets) and conditions (by
 * type).
 */
export type Json = string | number | boolean | null | undefined | readonly Json[] | { readonly [name: string]: Json };
type Tree = { [name: string]: Json };

/** `live` after `manager` has applied `next`; `applied` holds what each manager applied before, by its name. */
export function merge(live: Json, next: Json, before: Json, others: readonly Json[]): Json {
  return mergeAt('', live, next, before, others);
}

function mergeAt(path: string, live: Json, next: Json, before: Json, others: readonly Json[]): Json {
  if (next === undefined) return before === undefined || others.some((other) => other !== undefined) ? live : undefined;
  const key = listKey(path);
  if (key !== undefined && isList(next)) {
    const merged = mergeAt(
      `${path}[]`,
      byKey(live, key),
      byKey(next, key),
      byKey(before, key),
      others.map((o) => byKey(o, key)),
    );
    return Object.values(merged as Tree);
  }
  if (!isTree(next)) return next;
  const result: Tree = {};
  const names = new Set([...Object.keys(isTree(live) ? live : {}), ...Object.keys(next)]);
  if (isTree(before)) for (const name of Object.keys(before)) names.add(name);
  for (const name of names) {
    const at = (tree: Json): Json => (isTree(tree) ? tree[name] : undefined);
    const merged = leaf(path === '' ? name : `${path}.${name}`, at(live), at(next), at(before), others.map(at));
    if (merged !== undefined) result[name] = merged;
  }
  return result;
}

/** A tree that is no longer applied is looked into: others may have put parts of it. */
function leaf(path: string, live: Json, next: Json, before: Json, others: readonly Json[]): Json {
  const descend = next === undefined && (isTree(before) || (isList(before) && listKey(path) !== undefined));
  if (!descend) return mergeAt(path, live, next, before, others);
  const merged = mergeAt(path, live, isList(before) ? [] : {}, before, others);
  const empty = isList(merged) ? merged.length === 0 : Object.keys(merged as Tree).length === 0;
  return empty ? undefined : merged;
}

function listKey(path: string): string | undefined {
  if (path === 'metadata.finalizers') return '';
  if (path === 'metadata.ownerReferences') return 'uid';
  return path === 'status.conditions' ? 'type' : undefined;
}

function byKey(list: Json, key: string): Json {
  if (!isList(list)) return list === undefined ? undefined : {};
  const name = (item: Json): string => JSON.stringify(key === '' ? item : (item as Tree)[key]);
  return Object.fromEntries(list.map((item) => [name(item), item]));
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}

function isTree(value: Json): value is { readonly [name: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
