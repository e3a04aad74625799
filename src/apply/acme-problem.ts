/** What a CA's refusal means for us (RFC 8555 §6.7), in plain words. */
import type { Reason } from '../api/reasons.ts';
import { MailsealError } from '../errors.ts';

/** A problem document as ACME servers send it; the cause of the errors of this folder. */
export interface AcmeProblem {
  /** Without the prefix `urn:ietf:params:acme:error:`; empty where the server gave none. */
  readonly type: string;
  readonly detail: string;
  readonly status: number;
}

const prefix = 'urn:ietf:params:acme:error:';
const longest = 500;

const textOf = (value: unknown): string =>
  typeof value === 'string' ? value.replace(/[\p{Cc}\p{Cf}]/gu, '?').slice(0, longest) : '';

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return value !== null && typeof value === 'object' ? (value as Record<string, unknown>) : {};
}

/** Reads a problem document; those of single names (§6.7.1) are put behind the whole's detail. */
export function readProblem(value: unknown, status = 0): AcmeProblem {
  const fields = fieldsOf(value);
  const subproblems = Array.isArray(fields['subproblems']) ? (fields['subproblems'] as unknown[]).slice(0, 10) : [];
  const parts = subproblems.map((entry) => {
    const part = fieldsOf(entry);
    return `${textOf(fieldsOf(part['identifier'])['value'])}: ${textOf(part['detail'])}`;
  });
  const type = textOf(fields['type']);
  return {
    type: type.startsWith(prefix) ? type.slice(prefix.length) : '',
    detail: [textOf(fields['detail']), ...parts].filter((text) => text !== '').join('; ') || `HTTP status ${status}`,
    status,
  };
}

/** Seconds from a Retry-After header, a number or a date; undefined where there is none that makes sense. */
export function retryAfterSeconds(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  // A date has letters in it; Date.parse would take bare numbers for years.
  const date = /[a-z]/i.test(header) ? Date.parse(header) : Number.NaN;
  const seconds = /^\d{1,9}$/.test(header) ? Number(header) : Math.ceil((date - now) / 1000);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : undefined;
}

interface Meaning {
  readonly reason: Reason;
  readonly kind: 'Stalled' | 'Retry';
  /** The mend, as a sentence. */
  readonly mend?: string;
}

function meaningOf({ type, status }: AcmeProblem): Meaning {
  switch (type) {
    case 'rateLimited':
      return { reason: 'ACMEThrottled', kind: 'Retry' };
    case 'badNonce':
    case 'serverInternal':
      return { reason: 'ACMEUnavailable', kind: 'Retry' };
    case 'orderNotReady':
      return { reason: 'OrderPending', kind: 'Retry' };
    case 'accountDoesNotExist':
      return { reason: 'ACMERefused', kind: 'Retry', mend: 'The account is registered anew.' };
    case 'externalAccountRequired':
      return {
        reason: 'ACMERefused',
        kind: 'Stalled',
        mend: 'It binds accounts to its customers: set spec.acme.eab to the key id that it gave you, and a Secret with its key.',
      };
    case 'invalidContact':
    case 'unsupportedContact':
      return { reason: 'ACMERefused', kind: 'Stalled', mend: 'Set another email on the CertificateIssuer.' };
    case 'invalidProfile':
      return {
        reason: 'ACMERefused',
        kind: 'Stalled',
        mend: 'Set a profile that the CA offers on the CertificateIssuer.',
      };
    case 'caa':
      return { reason: 'ACMERefused', kind: 'Retry', mend: 'Allow this CA in the CAA records of the domain.' };
    default:
      if (status === 429 || status === 503) return { reason: 'ACMEThrottled', kind: 'Retry' };
      if (status >= 500) return { reason: 'ACMEUnavailable', kind: 'Retry' };
      return { reason: 'ACMERefused', kind: type === 'unauthorized' || type === '' ? 'Retry' : 'Stalled' };
  }
}

/** The error that a refused request throws; `asked` continues `The CA … refuses`: `the order for mx.example.com`. */
export function problemError(
  ca: string,
  asked: string,
  problem: AcmeProblem,
  retryAfter: number | undefined,
): MailsealError {
  const { reason, kind, mend } = meaningOf(problem);
  const verb = reason === 'ACMEThrottled' ? 'asks us to wait before' : 'refuses';
  const message = `The CA ${ca} ${verb} ${asked}: ${problem.detail.replace(/\.$/, '')}.${mend === undefined ? '' : ` ${mend}`}`;
  return new MailsealError(reason, message, { kind, retryAfterSeconds: retryAfter, cause: problem });
}

/** The ACME problem type behind an error of `acme.ts`, such as `accountDoesNotExist`; undefined where there is none. */
export function problemTypeOf(error: unknown): string | undefined {
  if (!(error instanceof MailsealError)) return undefined;
  const cause = error.cause as Partial<AcmeProblem> | undefined;
  return typeof cause?.type === 'string' && typeof cause.status === 'number' ? cause.type : undefined;
}

/** What the CA said, behind an error of `acme.ts`; undefined where it said nothing. */
export function problemDetailOf(error: unknown): string | undefined {
  const cause = error instanceof MailsealError ? (error.cause as Partial<AcmeProblem> | undefined) : undefined;
  return cause?.detail;
}
