import type { Reason } from './api/reasons.ts';

/**
 * Every failure that Mailseal names itself. `reason` is one of the documented constants and ends up on a condition;
 * `message` is a sentence for a mail administrator that says the cause and the mend, never a secret.
 */
export class MailsealError extends Error {
  readonly reason: Reason;
  /** `Stalled`: only a human can mend it; `Retry`: it may pass by itself, the caller requeues. */
  readonly kind: 'Stalled' | 'Retry';
  /** Seconds the peer asked us to wait; the caller must not try earlier. */
  readonly retryAfterSeconds: number | undefined;

  constructor(
    reason: Reason,
    message: string,
    options: {
      readonly kind?: 'Stalled' | 'Retry';
      readonly retryAfterSeconds?: number | undefined;
      readonly cause?: unknown;
    } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = 'MailsealError';
    this.reason = reason;
    this.kind = options.kind ?? 'Retry';
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

/**
 * The message of anything that can be thrown, without a stack, and without what a parser could not read: that may be a
 * credential, and parsers quote it.
 */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof SyntaxError) {
    return error.message.replace(/,? ?(\.\.\.)?".*"(\.\.\.)? is not valid JSON/su, ' in what is not JSON');
  }
  if (error.name === 'YAMLException' && 'reason' in error) return `it is not YAML: ${String(error.reason)}`;
  return error.message;
}

/** Where an unexpected error comes from, for the log: its kind and the places, without its message. */
export function stackOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || error.stack === undefined) return undefined;
  const places = error.stack.split('\n').filter((line) => /^ +at /u.test(line));
  return [error.name, ...places].join('\n');
}
