/** Reads what a CA answers into the few fields that are used (RFC 8555 §7.1.3, §7.1.4). */
import { MailsealError } from '../errors.ts';

export interface AcmeOrder {
  readonly status: 'pending' | 'ready' | 'processing' | 'valid' | 'invalid';
  readonly authorizations: readonly string[];
  readonly finalize: string;
  readonly expires: string | undefined;
  readonly certificate: string | undefined;
  readonly error: unknown;
}

export interface AcmeAuthorization {
  /** With its `*.` where the authorization is for a wildcard. */
  readonly name: string;
  readonly url: string;
  readonly status: string;
  readonly challengeUrl: string;
  readonly token: string;
  readonly txtName: string;
  /** The problem document of the dns-01 challenge that failed. */
  readonly problem?: unknown;
}

const orderStates = ['pending', 'ready', 'processing', 'valid', 'invalid'] as const;

function malformed(what: string): MailsealError {
  return new MailsealError('ACMEUnavailable', `The CA's answer is not what ACME says: ${what}.`);
}

function fieldsOf(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (value === null || typeof value !== 'object') throw malformed(`${what} is no object`);
  return value as Record<string, unknown>;
}

function text(fields: Readonly<Record<string, unknown>>, name: string): string {
  const value = fields[name];
  if (typeof value !== 'string' || value === '') throw malformed(`${name} is missing`);
  return value;
}

const optional = (fields: Readonly<Record<string, unknown>>, name: string): string | undefined =>
  fields[name] === undefined ? undefined : text(fields, name);

/** @throws MailsealError ACMEUnavailable where the answer is malformed. */
export function readOrder(value: unknown): AcmeOrder {
  const fields = fieldsOf(value, 'the order');
  const status = orderStates.find((state) => state === fields['status']);
  const authorizations = fields['authorizations'];
  if (status === undefined) throw malformed(`the order has the status ${JSON.stringify(fields['status'])}`);
  if (!Array.isArray(authorizations) || !authorizations.every((url) => typeof url === 'string')) {
    throw malformed('the order lists no authorizations');
  }
  return {
    status,
    authorizations,
    finalize: text(fields, 'finalize'),
    expires: optional(fields, 'expires'),
    certificate: optional(fields, 'certificate'),
    error: fields['error'],
  };
}

/** @throws MailsealError ACMERefused where the CA offers no dns-01 challenge, ACMEUnavailable where it is malformed. */
export function readAuthorization(url: string, value: unknown): AcmeAuthorization {
  const fields = fieldsOf(value, 'the authorization');
  const name = text(fieldsOf(fields['identifier'], 'the identifier'), 'value');
  const challenges = Array.isArray(fields['challenges']) ? (fields['challenges'] as unknown[]) : [];
  const dns = challenges.map((entry) => fieldsOf(entry, 'a challenge')).find((entry) => entry['type'] === 'dns-01');
  if (dns === undefined) {
    throw new MailsealError('ACMERefused', `The CA offers no dns-01 challenge for ${name}.`, { kind: 'Stalled' });
  }
  return {
    name: fields['wildcard'] === true ? `*.${name}` : name,
    url,
    status: text(fields, 'status'),
    challengeUrl: text(dns, 'url'),
    token: text(dns, 'token'),
    // RFC 8555 §8.4: a wildcard is proven at the name without its asterisk.
    txtName: `_acme-challenge.${name}`,
    ...(dns['error'] === undefined ? {} : { problem: dns['error'] }),
  };
}
