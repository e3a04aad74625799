/**
 * Whether `one` is an older resourceVersion than `other`. Kubernetes 1.35 promises that versions of a kind are decimal
 * numbers that grow; of anything else nothing is known, and neither is older.
 */
export function isOlder(one: string | undefined, other: string | undefined): boolean {
  if (one === undefined || other === undefined || !isNumber(one) || !isNumber(other)) return false;
  return one.length === other.length ? one < other : one.length < other.length;
}

function isNumber(version: string): boolean {
  return /^(?:0|[1-9]\d*)$/.test(version);
}
