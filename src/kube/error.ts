/**
 * What every call to the Kubernetes API rejects with. `status` is the HTTP status, 0 where there was no answer.
 * `Conflict`: read again and plan anew; `Forbidden`: a right is missing, the message names it; status 0, 429 and 5xx
 * have been retried where that is safe: requeue, not before `retryAfterSeconds`. `reason` is the API server's
 * (`NotFound`, `AlreadyExists`, …) or one of ours: `Unreachable`, `Timeout`, `TooLarge`, `BadAnswer`, `NotLeader`,
 * `Deleted`, `Aborted`, `Invalid`.
 */
export class KubeError extends Error {
  readonly status: number;
  readonly reason: string;
  /** Seconds that the server asked us to wait. */
  readonly retryAfterSeconds: number | undefined;
  /** False when the server can't have acted on the request: it never left, or was turned away before any work. */
  readonly mayHaveActed: boolean;

  constructor(
    status: number,
    reason: string,
    message: string,
    options: {
      readonly retryAfterSeconds?: number | undefined;
      readonly mayHaveActed?: boolean;
      readonly cause?: unknown;
    } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = 'KubeError';
    this.status = status;
    this.reason = reason;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.mayHaveActed = options.mayHaveActed ?? false;
  }
}

/** Whether something thrown is a KubeError with one of these reasons. */
export function hasReason(error: unknown, ...reasons: readonly string[]): error is KubeError {
  return error instanceof KubeError && reasons.includes(error.reason);
}

/** The error of a request that we ended ourselves. */
export function aborted(): KubeError {
  return new KubeError(0, 'Aborted', 'the request to the Kubernetes API was ended by us');
}

/** The error that a `Status` object of the API server stands for. */
export function fromStatus(body: unknown, httpStatus: number, retryAfterHeader?: string): KubeError {
  const status = isRecord(body) && body['kind'] === 'Status' ? body : {};
  const code = typeof status['code'] === 'number' ? status['code'] : httpStatus;
  const told = typeof status['reason'] === 'string' && status['reason'] !== '' ? status['reason'] : reasonOf(code);
  const reason = told === 'Invalid' && isOfAnother(status['details']) ? 'Conflict' : told;
  const said = typeof status['message'] === 'string' && status['message'] !== '' ? status['message'] : undefined;
  const details = isRecord(status['details']) ? status['details']['retryAfterSeconds'] : undefined;
  return new KubeError(code, reason, said ?? `the Kubernetes API answered ${code} (${reason})`, {
    retryAfterSeconds: seconds(retryAfterHeader) ?? (typeof details === 'number' && details > 0 ? details : undefined),
    mayHaveActed: code >= 500,
  });
}

/** The uid that was given is not that of the object: it went, and another one has its name. */
function isOfAnother(details: unknown): boolean {
  const causes = isRecord(details) && Array.isArray(details['causes']) ? details['causes'] : [];
  return causes.some((cause) => isRecord(cause) && cause['field'] === 'metadata.uid');
}

function reasonOf(code: number): string {
  switch (code) {
    case 400:
      return 'BadRequest';
    case 401:
      return 'Unauthorized';
    case 403:
      return 'Forbidden';
    case 404:
      return 'NotFound';
    case 409:
      return 'Conflict';
    case 410:
      return 'Expired';
    case 429:
      return 'TooManyRequests';
    case 503:
      return 'ServiceUnavailable';
    case 504:
      return 'Timeout';
    default:
      return code >= 500 ? 'InternalError' : 'Unknown';
  }
}

/** RFC 9110 §10.2.3 allows a date too; the Kubernetes API sends seconds only. */
function seconds(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,6}$/.test(header) ? Number(header) : undefined;
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
