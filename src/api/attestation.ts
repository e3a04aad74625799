/**
 * What an agent attests of one MX host: the leaf that its own mail server presents. It lies under `attestation.json` in
 * a ConfigMap labelled `mailseal.dev/attestation: "true"`, which only that agent and administrators may write.
 */
import { createHash } from 'node:crypto';

const attestationFormatVersion = 1;
export const attestationDataKey = 'attestation.json';
export const attestationLabel = 'mailseal.dev/attestation';
export const exchangerLabel = 'mailseal.dev/exchanger';

export interface Attestation {
  /** A-labels, lower case. */
  readonly host: string;
  /** Milliseconds since 1970, by the agent's clock. */
  readonly at: number;
  /** What port 25 presented when last asked; absent when it presented nothing. */
  readonly presents?: {
    /** Lower-case hex of SHA-256 over the SubjectPublicKeyInfo, as `3 1 1` has it. */
    readonly spkiSha256: string;
    /** Milliseconds since 1970. */
    readonly notAfter: number;
    /** Lower-case hex. */
    readonly serial: string;
  };
  /** `secretRevisionOf` the chain that the agent last read from the Secret; absent before it has read one. */
  readonly secretRevision?: string;
  /** Why the host does not present what the Secret holds, in words; absent when it does. */
  readonly error?: string;
}

/** A short name of a delivered chain, the same for the agent and for the operator that wrote the Secret. */
export function secretRevisionOf(chainPem: string): string {
  return createHash('sha256').update(chainPem).digest('hex').slice(0, 16);
}

/**
 * One name for all objects of a host's agent. An agent may write what it likes into its ConfigMap, but not rename it: what
 * lies under another name says nothing of the host.
 */
export function agentName(host: string): string {
  return `mailseal-agent-${createHash('sha256').update(host).digest('hex').slice(0, 10)}`;
}

/** The stored text. Times become RFC 3339, for people who read the ConfigMap. */
export function formatAttestation(attestation: Attestation): string {
  const { host, at, presents, secretRevision, error } = attestation;
  return JSON.stringify({
    formatVersion: attestationFormatVersion,
    host,
    at: new Date(at).toISOString(),
    presents: presents?.spkiSha256,
    notAfter: presents === undefined ? undefined : new Date(presents.notAfter).toISOString(),
    serial: presents?.serial,
    secretRevision,
    error,
  });
}

/**
 * Reads stored text. An attestation that can't be read opens no gate: the caller takes it for none.
 * @throws Error with every reason, in words.
 */
export function parseAttestation(text: string): Attestation {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error('the attestation is not JSON', { cause: error });
  }
  if (typeof value !== 'object' || value === null) throw new Error('the attestation is not an object');
  const fields = value as Record<string, unknown>;
  if (fields['formatVersion'] !== attestationFormatVersion) {
    const found = JSON.stringify(fields['formatVersion']) ?? 'nothing';
    throw new Error(`the attestation's formatVersion is ${found}; this program reads ${attestationFormatVersion}`);
  }
  const problems = problemsOf(fields);
  if (problems.length > 0) throw new Error(`the attestation is malformed: ${problems.join('; ')}`);
  const presents = fields['presents'];
  return {
    host: fields['host'] as string,
    at: Date.parse(fields['at'] as string),
    ...(typeof presents === 'string'
      ? {
          presents: {
            spkiSha256: presents,
            notAfter: Date.parse(fields['notAfter'] as string),
            serial: fields['serial'] as string,
          },
        }
      : {}),
    ...(fields['secretRevision'] === undefined ? {} : { secretRevision: fields['secretRevision'] as string }),
    ...(fields['error'] === undefined ? {} : { error: fields['error'] as string }),
  };
}

const maximumErrorLength = 2000;

function problemsOf(fields: Record<string, unknown>): readonly string[] {
  const problems: string[] = [];
  const { host, at, presents, notAfter, serial, secretRevision, error } = fields;
  if (!matches(host, /^[a-z0-9._-]{1,253}$/u)) problems.push('host is not a host name');
  if (!isTime(at)) problems.push('at is not a time');
  if (presents !== undefined) {
    if (!matches(presents, /^[0-9a-f]{64}$/u)) problems.push('presents is not a SHA-256 digest');
    if (!isTime(notAfter)) problems.push('notAfter is not a time');
    if (!matches(serial, /^[0-9a-f]{1,64}$/u)) problems.push('serial is not a hexadecimal number');
  }
  if (secretRevision !== undefined && !matches(secretRevision, /^[0-9a-f]{8,64}$/u)) {
    problems.push('secretRevision is not a revision');
  }
  if (error !== undefined && (typeof error !== 'string' || error.length > maximumErrorLength)) {
    problems.push('error is not a short text');
  }
  return problems;
}

function matches(value: unknown, pattern: RegExp): boolean {
  return typeof value === 'string' && pattern.test(value);
}

function isTime(value: unknown): boolean {
  return matches(value, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$/u) && !Number.isNaN(Date.parse(String(value)));
}
