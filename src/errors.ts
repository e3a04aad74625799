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

/** The message of anything that can be thrown, without a stack. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
