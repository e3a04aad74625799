import { badAnswer, failure, type Page, pageOf, parse } from './answer.ts';
import type { KubeAccess } from './config.ts';
import { aborted, hasReason, isRecord, KubeError } from './error.ts';
import type { MayWrite } from './guard.ts';
import { collectionPath, objectPath, pluralOf, queryString } from './resources.ts';
import { withRetries } from './retry.ts';
import { type Random, systemRandom, systemTimers, type Timers } from './timers.ts';
import { createTransport, type Request } from './transport.ts';
import type { Kube, KubeObject, ListQuery, Ref } from './types.ts';
import { readEvents, type WatchOptions } from './watch.ts';

/** What a reflector needs of the API. */
export interface Watching {
  readonly listPage: <T extends KubeObject>(
    query: ListQuery,
    options: { readonly limit: number; readonly continue?: string; readonly signal?: AbortSignal },
  ) => Promise<Page<T>>;
  /** Resolves when the server ends the watch; rejects with KubeError, `Expired` when a new list is due. */
  readonly watch: <T extends KubeObject>(
    query: ListQuery,
    resourceVersion: string,
    options: WatchOptions<T>,
  ) => Promise<void>;
}

export interface AccessQuestion {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly namespace?: string;
  readonly name?: string;
}

export interface KubeClient extends Kube, Watching {
  /** A bound token for a service account; `expires` in milliseconds since 1970. */
  readonly createToken: (
    account: { readonly namespace: string; readonly name: string },
    options?: { readonly expirationSeconds?: number; readonly audiences?: readonly string[] },
  ) => Promise<{ readonly token: string; readonly expires: number }>;
  /** Whether the API server would allow us that. */
  readonly mayI: (question: AccessQuestion) => Promise<boolean>;
  /** Ends every connection; calls under way reject. */
  readonly close: () => void;
}

export interface KubeClientOptions {
  readonly userAgent: string;
  /** Once per attempt; `code` is the HTTP status, 0 where no answer came. */
  readonly onRequest?: (verb: string, resource: string, code: number, seconds: number) => void;
  /** At most so many for all calls together; each watch has one of its own. */
  readonly connections?: number;
  readonly timeoutSeconds?: number;
  /** Asked right before each attempt to write is sent: it may have waited for a connection since it was made. */
  readonly mayWrite?: MayWrite;
  readonly timers?: Timers;
  readonly random?: Random;
}

const objectBytes = 8 * 1024 * 1024;
const pageBytes = 64 * 1024 * 1024;
const pageLimit = 500;

interface Call {
  readonly verb: string;
  readonly resource: string;
  readonly request: Request;
  readonly idempotent: boolean;
  readonly maximumBytes?: number;
}

/** The client of one API server. It reads no clock but for metrics and waits between retries. */
export function createKube(access: KubeAccess, options: KubeClientOptions): KubeClient {
  const { timers = systemTimers, random = systemRandom } = options;
  const transport = createTransport(access, {
    connections: options.connections ?? 6,
    userAgent: options.userAgent,
    mayWrite: options.mayWrite,
  });
  const timeoutMilliseconds = (options.timeoutSeconds ?? 15) * 1000;

  const measured = async <A>(call: Call, run: () => Promise<A>, codeOf: (answer: A) => number): Promise<A> => {
    const started = timers.monotonic();
    let code = 0;
    try {
      const answer = await run();
      code = codeOf(answer);
      return answer;
    } finally {
      options.onRequest?.(call.verb, call.resource, code, (timers.monotonic() - started) / 1000);
    }
  };

  const attempt = async (call: Call): Promise<unknown> => {
    const answer = await measured(
      call,
      () => transport.request({ timeoutMilliseconds, ...call.request }, call.maximumBytes ?? objectBytes),
      (got) => got.status,
    );
    if (answer.status === 401) access.forget();
    if (answer.status < 200 || answer.status > 299) throw failure(answer);
    return parse(answer);
  };

  const run = (call: Call): Promise<unknown> =>
    withRetries(() => attempt(call), call.idempotent, timers, random, call.request.signal);

  const write = <T>(verb: string, ref: Ref, request: Request, idempotent: boolean): Promise<T> =>
    run({ verb, resource: pluralOf(ref.apiVersion, ref.kind), request, idempotent }) as Promise<T>;

  const listPage: Watching['listPage'] = async <T extends KubeObject>(
    query: ListQuery,
    page: { readonly limit: number; readonly continue?: string; readonly signal?: AbortSignal },
  ): Promise<Page<T>> => {
    const { labelSelector, fieldSelector } = query;
    const path =
      collectionPath(query) + queryString({ labelSelector, fieldSelector, limit: page.limit, continue: page.continue });
    const signal = page.signal === undefined ? {} : { signal: page.signal };
    const body = await run({
      verb: 'LIST',
      resource: pluralOf(query.apiVersion, query.kind),
      request: { method: 'GET', path, ...signal },
      idempotent: true,
      maximumBytes: pageBytes,
    });
    return pageOf<T>(body, query);
  };

  return {
    get: (ref) => orAbsent(write('GET', ref, { method: 'GET', path: objectPath(ref) }, true)),
    list: async <T extends KubeObject>(query: ListQuery): Promise<readonly T[]> => {
      const all: T[] = [];
      let next: string | undefined;
      do {
        const page: Page<T> = await listPage<T>(query, {
          limit: Math.min(pageLimit, (query.most ?? pageLimit) + 1),
          ...(next === undefined ? {} : { continue: next }),
        });
        all.push(...page.items);
        if (all.length > (query.most ?? Infinity)) throw new KubeError(0, 'TooLarge', `more than ${query.most} match`);
        next = page.continue;
      } while (next !== undefined);
      return all;
    },
    create: (object) => write('CREATE', refOf(object), sending('POST', collectionPath(placeOf(object)), object), false),
    replace: async (object) => {
      if (object.metadata.resourceVersion === undefined) {
        throw new KubeError(
          0,
          'Invalid',
          `${object.kind} ${object.metadata.name} can't be replaced: no resourceVersion`,
        );
      }
      const ref = refOf(object);
      return write('UPDATE', ref, sending('PUT', objectPath(ref), object), true);
    },
    apply: (object, { fieldManager, subresource }) => {
      const ref = refOf(object);
      const path = objectPath(ref, subresource) + queryString({ fieldManager, force: true });
      return write('APPLY', ref, sending('PATCH', path, object, 'application/apply-patch+yaml'), true);
    },
    annotate: (ref, annotations) => {
      const patch = { metadata: { annotations } };
      return orAbsent(
        write('PATCH', ref, sending('PATCH', objectPath(ref), patch, 'application/merge-patch+json'), true),
      );
    },
    remove: async (ref, precondition) => {
      const body = {
        kind: 'DeleteOptions',
        apiVersion: 'v1',
        propagationPolicy: 'Background',
        ...(precondition === undefined ? {} : { preconditions: precondition }),
      };
      await orAbsent(write('DELETE', ref, sending('DELETE', objectPath(ref), body), true));
    },
    listPage,
    watch: async (query, resourceVersion, watching) => {
      const { labelSelector, fieldSelector } = query;
      const { signal, timeoutSeconds } = watching;
      const path =
        collectionPath(query) +
        queryString({
          labelSelector,
          fieldSelector,
          watch: true,
          allowWatchBookmarks: true,
          resourceVersion,
          timeoutSeconds,
        });
      const request: Request = { method: 'GET', path, signal };
      const call: Call = { verb: 'WATCH', resource: pluralOf(query.apiVersion, query.kind), request, idempotent: true };
      const message = await measured(
        call,
        () => transport.stream(request),
        (got) => got.statusCode ?? 0,
      );
      if (message.statusCode !== 200) {
        if (message.statusCode === 401) access.forget();
        throw failure(await transport.bodyOf(message, objectBytes));
      }
      watching.onOpen?.();
      await readEvents(message, watching.onEvent).catch((error: unknown) => {
        throw signal.aborted ? aborted() : error;
      });
    },
    createToken: async (account, { expirationSeconds = 3600, audiences } = {}) => {
      const ref: Ref = { apiVersion: 'v1', kind: 'ServiceAccount', ...account };
      const spec = { expirationSeconds, ...(audiences === undefined ? {} : { audiences }) };
      const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec };
      const answer = await write<unknown>('CREATE', ref, sending('POST', objectPath(ref, 'token'), body), true);
      const status = isRecord(answer) && isRecord(answer['status']) ? answer['status'] : {};
      const { token, expirationTimestamp } = status;
      if (typeof token !== 'string' || typeof expirationTimestamp !== 'string') throw badAnswer('a token request');
      return { token, expires: Date.parse(expirationTimestamp) };
    },
    mayI: async (question) => {
      const place = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview' };
      const body = { ...place, spec: { resourceAttributes: question } };
      const request = sending('POST', collectionPath(place), body);
      const answer = await write<unknown>('CREATE', { ...place, name: '-' }, request, true);
      const status = isRecord(answer) ? answer['status'] : undefined;
      if (!isRecord(status)) throw badAnswer('an access review');
      return status['allowed'] === true;
    },
    close: transport.close,
  };
}

function sending(method: Request['method'], path: string, body: unknown, contentType = 'application/json'): Request {
  return { method, path, body: JSON.stringify(body), contentType };
}

function placeOf(object: KubeObject): Omit<Ref, 'name'> {
  const { namespace } = object.metadata;
  return { apiVersion: object.apiVersion, kind: object.kind, ...(namespace === undefined ? {} : { namespace }) };
}

/** What names the object given. */
export function refOf(object: KubeObject): Ref {
  return { ...placeOf(object), name: object.metadata.name };
}

async function orAbsent<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (hasReason(error, 'NotFound')) return undefined;
    throw error;
  }
}
