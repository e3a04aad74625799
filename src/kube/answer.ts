import { fromStatus, isRecord, KubeError } from './error.ts';
import type { Answer } from './transport.ts';
import type { KubeObject, ListQuery } from './types.ts';

export interface Page<T extends KubeObject> {
  readonly items: readonly T[];
  /** Of the whole list: where a watch goes on. */
  readonly resourceVersion: string;
  /** Given while there is more. Expires after minutes: the call then rejects with `Expired`. */
  readonly continue: string | undefined;
}

/** The error that an answer other than 2xx stands for. */
export function failure(answer: Answer): KubeError {
  let body: unknown;
  try {
    body = JSON.parse(answer.body);
  } catch {
    body = undefined;
  }
  return fromStatus(body, answer.status, answer.headers['retry-after']);
}

/** Throws KubeError `BadAnswer`. */
export function parse(answer: Answer): unknown {
  try {
    return JSON.parse(answer.body) as unknown;
  } catch (error) {
    throw new KubeError(0, 'BadAnswer', 'the Kubernetes API sent an answer that is no JSON', {
      mayHaveActed: true,
      cause: error,
    });
  }
}

export function badAnswer(to: string): KubeError {
  return new KubeError(0, 'BadAnswer', `the Kubernetes API sent no proper answer to ${to}`, { mayHaveActed: true });
}

/** Items of a list lack apiVersion and kind: they get those of the query. */
export function pageOf<T extends KubeObject>(body: unknown, query: ListQuery): Page<T> {
  const metadata = isRecord(body) && isRecord(body['metadata']) ? body['metadata'] : undefined;
  if (!isRecord(body) || metadata === undefined || typeof metadata['resourceVersion'] !== 'string') {
    throw badAnswer('a list');
  }
  const raw = Array.isArray(body['items']) ? (body['items'] as readonly Record<string, unknown>[]) : [];
  const items = raw.map((item) => ({ apiVersion: query.apiVersion, kind: query.kind, ...item }) as unknown as T);
  const next = metadata['continue'];
  const resourceVersion = metadata['resourceVersion'];
  return { items, resourceVersion, continue: typeof next === 'string' && next !== '' ? next : undefined };
}
