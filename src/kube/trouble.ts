/** What a failed list or watch says about the kind that was asked for. */
import { hasReason, KubeError } from './error.ts';

/** 410, a version that the server doesn't know yet (504 `Timeout`: it has been set back), or a kind that has gone. */
export function isGone(error: unknown): boolean {
  return error instanceof KubeError && ([404, 410, 504].includes(error.status) || hasReason(error, 'BadAnswer'));
}

/** There is no such resource: its CRD was removed, or has not been applied yet. */
export const isUnknownKind = (error: unknown): boolean => error instanceof KubeError && error.status === 404;

/**
 * Why a cache of `plural` may be old, as a sentence. `listed`: a list stands, and the watch was to go on from there;
 * `denied`: the list was allowed, and the watch was not.
 */
export function troubleOf(
  plural: string,
  error: unknown,
  { listed, denied }: { readonly listed: boolean; readonly denied: boolean },
): string {
  if (hasReason(error, 'Forbidden')) {
    return denied
      ? `${plural} may be listed but not watched, so changes are seen late: grant the verb watch (${error.message})`
      : `${plural} may not be listed: ${error.message}`;
  }
  const why = error instanceof Error ? error.message : String(error);
  if (isUnknownKind(error)) return `there are no ${plural}: apply the CRD of their kind (${why})`;
  return listed ? `${plural} can't be watched: ${why}` : `${plural} can't be listed: ${why}`;
}
