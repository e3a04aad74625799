/** Reads what a CA answers into the few fields that are used (RFC 8555 §7.1.3, §7.1.4). */
import type { AcmeMethod } from '../dns/caa.ts';
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
  /** The problem document of the challenge, where it failed. */
  readonly problem?: unknown;
}

/** Each is asked for: no CA takes more names in one order. */
const mostAuthorizations = 100;
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
  if (authorizations.length > mostAuthorizations)
    throw malformed(`the order lists ${authorizations.length} authorizations`);
  return {
    status,
    authorizations,
    finalize: text(fields, 'finalize'),
    expires: optional(fields, 'expires'),
    certificate: optional(fields, 'certificate'),
    error: fields['error'],
  };
}

/** @throws MailsealError ACMERefused where the CA offers no challenge of the method, ACMEUnavailable where it is malformed. */
export function readAuthorization(url: string, value: unknown, method: AcmeMethod = 'dns-01'): AcmeAuthorization {
  const fields = fieldsOf(value, 'the authorization');
  const name = text(fieldsOf(fields['identifier'], 'the identifier'), 'value');
  const listed = Array.isArray(fields['challenges']) ? (fields['challenges'] as unknown[]) : [];
  const challenges = listed.map((entry) => fieldsOf(entry, 'a challenge'));
  const status = text(fields, 'status');
  // RFC 8555 §7.1.4: one that is valid lists only the challenge that made it so, which may be of another method.
  const proven = status === 'valid' ? challenges[0] : undefined;
  const challenge = challenges.find((entry) => entry['type'] === method) ?? proven;
  if (challenge === undefined) {
    throw new MailsealError('ACMERefused', `The CA offers no ${method} challenge for ${name}.`, { kind: 'Stalled' });
  }
  const token = text(challenge, 'token');
  // RFC 8555 §8.3: it becomes part of a path.
  if (!/^[A-Za-z0-9_-]{1,128}$/u.test(token)) throw malformed('the token of a challenge is not base64url');
  return {
    name: fields['wildcard'] === true ? `*.${name}` : name,
    url,
    status,
    challengeUrl: text(challenge, 'url'),
    token,
    // RFC 8555 §8.4: a wildcard is proven at the name without its asterisk.
    txtName: `_acme-challenge.${name}`,
    ...(challenge['error'] === undefined ? {} : { problem: challenge['error'] }),
  };
}

const mostIdentities = 100;
const longestName = 253;

/** The names that a CA takes for its own in CAA records; empty where it gives none that can be read. */
export function readIdentities(value: unknown): readonly string[] {
  if (!Array.isArray(value)) return [];
  const names = value.slice(0, mostIdentities) as unknown[];
  return names.filter((name) => typeof name === 'string' && name !== '' && name.length <= longestName) as string[];
}
