import { MailsealError } from '../../errors.ts';

/** What only a human can mend: a field of the spec, or of the credentials Secret. */
export function stalled(
  reason: 'InvalidSpec' | 'CredentialsMissing' | 'CredentialsInvalid',
  message: string,
): MailsealError {
  return new MailsealError(reason, message, { kind: 'Stalled' });
}

/**
 * One entry of the credentials Secret, without blanks or line ends around it.
 * @throws MailsealError `CredentialsMissing`, which says what belongs there.
 */
export function credential(credentials: Readonly<Record<string, string>>, key: string, what: string): string {
  const text = credentials[key]?.trim() ?? '';
  if (text === '') throw stalled('CredentialsMissing', `the credentials Secret has no "${key}": put ${what} there`);
  return text;
}
