/** What Route 53 refuses or fails with, as what the caller acts on. */
import { MailsealError, messageOf } from '../../errors.ts';
import { LaneThrottled } from './limiter.ts';
import { nothingWritten } from './refusal.ts';

/** A call of the API, as a policy of IAM names it. */
export type Action = 'ListHostedZonesByName' | 'ListResourceRecordSets' | 'ChangeResourceRecordSets';

/** What we read of whatever the SDK throws. */
interface Failure {
  readonly name?: unknown;
  readonly messages?: unknown;
  readonly Messages?: { readonly Message?: unknown };
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $response?: { readonly headers?: Readonly<Record<string, string>> };
}

/** Seconds, where it does not say how long to wait. */
const pauseSeconds = 5;
const longestPauseSeconds = 300;

const stalled = (reason: 'ProviderUnauthorized' | 'ProviderRefused' | 'ZoneNotFound', message: string): MailsealError =>
  new MailsealError(reason, message, { kind: 'Stalled' });

/** What a refused batch is refused for, sentence by sentence. */
function sentencesOf(error: unknown): readonly string[] {
  const { messages, Messages } = failureOf(error);
  // The SDK reads only one of the two forms of this answer; of the other it leaves what stands in the XML.
  const given = [messages, Messages?.Message].flat().filter((one) => typeof one === 'string');
  if (given.length > 0) return given;
  // In the other form all of them are one text: [Tried to …, RRSet of …].
  return messageOf(error)
    .replace(/^\[|\]$/g, '')
    .split(/, (?=[A-Z])/);
}

/** A stranger's words in a message: one line, not too long. */
function said(text: string): string {
  const line = text
    .replace(/\s*Deserialization error: to see the raw response.*$/s, '')
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim();
  return line.length > 300 ? `${line.slice(0, 300)}…` : line;
}

const failureOf = (error: unknown): Failure => (typeof error === 'object' && error !== null ? error : {});

/** The connection ended without an answer, as a kept one does that the other side closed just then. */
export const isCutOff = (error: unknown): boolean => {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  return failureOf(error).$metadata?.httpStatusCode === undefined && (code === 'ECONNRESET' || code === 'EPIPE');
};

export function zoneNotFound(zone: string, cause?: unknown): MailsealError {
  const message = `Route 53 has no public hosted zone ${zone} in the account of these credentials: correct the DNSProvider's zones or its credentials`;
  return new MailsealError('ZoneNotFound', message, { kind: 'Stalled', cause });
}

export function changedMeanwhile(zone: string, what: string): MailsealError {
  return new MailsealError(
    'RecordChanged',
    `in the zone ${zone} something else stands than was seen before (${what})${nothingWritten}`,
  );
}

/**
 * The sentences with which a batch is refused for what stands, and not for what it asks for: a set to be made is there,
 * one to be deleted is another or gone, or a CNAME or its opposite is in the way.
 */
const standsElse = [
  /but it already exists/i,
  /but it was not found/i,
  /do not match the current values/i,
  /conflicts with other records/i,
  /conflicting RRSet/i,
  /other RRSets exist with the same name/i,
  /RRSet exists with the same name/i,
];

/** What a batch is refused for is all of it about what stands: then observing again helps. */
function refusedBatch(error: unknown, zone: string): MailsealError {
  const sentences = sentencesOf(error);
  const text = said(sentences.join('; '));
  const isStanding = sentences.every((one) => standsElse.some((pattern) => pattern.test(one)));
  return isStanding
    ? changedMeanwhile(zone, text)
    : stalled('ProviderRefused', `Route 53 refused the change in ${zone}: ${text}`);
}

function pauseOf(error: unknown): number {
  const header = failureOf(error).$response?.headers?.['retry-after'] ?? '';
  const asked = /^[0-9]{1,6}$/.test(header) ? Number(header) : pauseSeconds;
  return Math.min(longestPauseSeconds, Math.max(1, asked));
}

const leftAlone = (seconds: number, why: string): string =>
  `Route 53 wants to be left alone for ${seconds} seconds: ${why}`;

function throttled(error: unknown, why: string): MailsealError {
  const retryAfterSeconds = pauseOf(error);
  return new MailsealError('ProviderThrottled', leftAlone(retryAfterSeconds, why), { retryAfterSeconds, cause: error });
}

/** Other zones are as free as they were. */
function busy(error: unknown, zone: string): MailsealError {
  const retryAfterSeconds = pauseOf(error);
  const why = `it still works on an earlier change of ${zone}`;
  return new LaneThrottled(leftAlone(retryAfterSeconds, why), { retryAfterSeconds, cause: error });
}

const tooMany = 'it allows five calls a second for the whole account, whoever makes them';

/** Turns what the SDK threw into what the caller acts on. */
export function errorOf(error: unknown, action: Action, zone: string): MailsealError {
  const failure = failureOf(error);
  const status = failure.$metadata?.httpStatusCode;
  const name = typeof failure.name === 'string' ? failure.name : 'Error';
  switch (name) {
    case 'InvalidClientTokenId':
    case 'UnrecognizedClientException':
    case 'InvalidAccessKeyId':
      return stalled(
        'ProviderUnauthorized',
        `AWS does not know the access key (${name}): correct "access-key-id" of the credentials Secret`,
      );
    case 'SignatureDoesNotMatch':
    case 'IncompleteSignature':
      return stalled(
        'ProviderUnauthorized',
        `AWS did not accept the signature (${name}): "secret-access-key" of the credentials Secret is not that of the access key, or this machine's clock is wrong`,
      );
    case 'ExpiredToken':
    case 'ExpiredTokenException':
    case 'RequestExpired':
      return stalled(
        'ProviderUnauthorized',
        `the credentials have expired (${name}): renew "session-token" and the keys of the credentials Secret, or use keys that do not expire`,
      );
    case 'InvalidIdentityToken':
    case 'InvalidIdentityTokenException':
    case 'IDPRejectedClaim':
    case 'IDPRejectedClaimException':
      return stalled(
        'ProviderUnauthorized',
        `AWS does not accept the token of the operator's ServiceAccount (${name}): see the trust policy of the role, for the cluster's OIDC provider, and for the namespace and name of the account`,
      );
    case 'AccessDenied':
    case 'AccessDeniedException':
    case 'NotAuthorizedException': {
      const asked = /to perform: ([a-z0-9-]{1,40}:[A-Za-z0-9]{1,80})/.exec(messageOf(error))?.[1];
      const what = asked ?? `route53:${action}`;
      const where = what.startsWith('sts:') ? '' : ` for the zone ${zone}`;
      return stalled('ProviderUnauthorized', `AWS denies ${what}${where}: allow it in the policy of the user or role`);
    }
    case 'CredentialsProviderError':
    case 'TokenProviderError':
      return stalled(
        'ProviderUnauthorized',
        'no credentials for AWS were found: name a credentials Secret, or give the operator an identity (IRSA, EKS Pod Identity, or that of the machine)',
      );
    case 'NoSuchHostedZone':
      return zoneNotFound(zone, error);
    case 'PriorRequestNotComplete':
      return busy(error, zone);
    case 'Throttling':
    case 'ThrottlingException':
    case 'RequestLimitExceeded':
    case 'TooManyRequestsException':
      return throttled(error, `${tooMany} (${name})`);
    case 'InvalidChangeBatch':
      return refusedBatch(error, zone);
    default:
      if (status === 400 && failure.Messages !== undefined) return refusedBatch(error, zone);
      if (status === 429 || status === 503) return throttled(error, `${tooMany} (HTTP ${status})`);
      if (status !== undefined && status >= 400 && status < 500)
        return stalled(
          'ProviderRefused',
          `Route 53 refused ${action} for ${zone} (${name}): ${said(messageOf(error))}`,
        );
      return unavailable(error, action);
  }
}

/** No answer, or none that can be read. */
function unavailable(error: unknown, action: Action): MailsealError {
  const doubt = action === 'ChangeResourceRecordSets' ? '; a change may or may not have been made' : '';
  return new MailsealError('ProviderUnavailable', `Route 53: ${said(messageOf(error))}${doubt}`, { cause: error });
}
