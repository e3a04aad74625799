/**
 * One shard: the policies, certificates and keys of some policy hosts, as the operator writes them into one Secret and
 * every policy pod reads them from a volume. Text in, text out; compression belongs to src/server/shard-file.ts.
 */
import { createHash } from 'node:crypto';

const formatVersion = 1;

/** What a policy pod serves for one `mta-sts.DOMAIN`. */
export interface HostEntry {
  /** The policy's text; null answers 404: the certificate stands, nothing is published yet. */
  readonly policy: string | null;
  /** `revisionOf` what is here, and of its publication: what the pods say in `mailseal-revision`. */
  readonly revision: string;
  /** PEM, leaf first, without the root; null before the first was issued: only challenges are answered. */
  readonly certificate: string | null;
  /** PKCS #8 PEM; null where there is no certificate. */
  readonly key: string | null;
  /** ACME HTTP-01 answers: token → key authorization (RFC 8555 §8.3). */
  readonly http01?: Readonly<Record<string, string>>;
}

export interface Shard {
  readonly formatVersion: typeof formatVersion;
  /** By host name: A-labels, lower case, without the last dot. */
  readonly hosts: Readonly<Record<string, HostEntry>>;
}

export interface ShardProblem {
  /** Absent where the whole shard can't be read. */
  readonly host?: string;
  readonly message: string;
}

/** `shard` is absent where nothing of the text can be used; a broken entry is left out and named, the others stand. */
export interface ParsedShard {
  readonly shard?: Shard;
  readonly problems: readonly ShardProblem[];
}

export const emptyShard: Shard = { formatVersion, hosts: {} };

/** Bytes: what one Secret may hold in all (Kubernetes' MaxSecretSize). */
export const maximumSecretBytes = 1_048_576;

const hostPattern = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+$/u;
const revisionPattern = /^[0-9a-f]{8,64}$/u;
const tokenPattern = /^[A-Za-z0-9_-]{1,128}$/u;
const certificatePattern = /-----BEGIN CERTIFICATE-----[\s\S]+-----END CERTIFICATE-----/u;
// RFC 8555 §8.1: the token and the account key's thumbprint.
const answerPattern = /^[A-Za-z0-9_-]{1,128}\.[A-Za-z0-9_-]{43}$/u;
const keyPattern = /-----BEGIN (?:EC |RSA )?PRIVATE KEY-----[\s\S]+-----END (?:EC |RSA )?PRIVATE KEY-----/u;
// RFC 8461 §3.3: senders refuse a longer body.
const maximumPolicyLength = 64 * 1024;

const half = 12;
const digest = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, half);

/** The first half of a revision: of a publication's body and its id, which tells two of the same body apart. */
const publicationOf = (body: string | null, id: string): string =>
  digest(body === null ? 'none' : `policy ${id}\n${body}`);

/** A short name of what is served; it changes whenever the publication or the certificate does. */
export const revisionOf = (body: string | null, certificate: string | null, id: string = ''): string =>
  publicationOf(body, id) + digest(certificate ?? 'none');

/** The revision of the same publication with another certificate. */
export const recertified = (revision: string, certificate: string): string =>
  revision.slice(0, half) + digest(certificate);

/** Whether a revision is of this publication, whatever the certificate. */
export const isOfPublication = (revision: string, body: string, id: string): boolean =>
  revision.startsWith(publicationOf(body, id));

/** The shard, from 0 to `count` − 1, in which a domain lies; it never changes while `count` does not. */
export function shardOf(domain: string, count: number): number {
  if (!Number.isInteger(count) || count < 1) throw new RangeError(`a number of shards must be 1 or more, not ${count}`);
  return createHash('sha256').update(domain.toLowerCase()).digest().readUInt32BE(0) % count;
}

/** Reads a shard and collects what is wrong with it, host by host. */
export function parseShard(text: string): ParsedShard {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { problems: [{ message: 'the shard is not JSON' }] };
  }
  if (!isRecord(value)) return { problems: [{ message: 'the shard is not an object' }] };
  if (value['formatVersion'] !== formatVersion) {
    const found = JSON.stringify(value['formatVersion']) ?? 'nothing';
    return { problems: [{ message: `the shard's formatVersion is ${found}; this program reads ${formatVersion}` }] };
  }
  if (!isRecord(value['hosts'])) return { problems: [{ message: 'the shard has no hosts' }] };
  const hosts: [string, HostEntry][] = [];
  const problems: ShardProblem[] = [];
  for (const [host, entry] of Object.entries(value['hosts'])) {
    const messages = entryProblems(host, entry);
    if (messages.length === 0) hosts.push([host, entryOf(entry as HostEntry)]);
    else problems.push(...messages.map((message) => ({ host, message })));
  }
  return { shard: { formatVersion, hosts: Object.fromEntries(hosts) }, problems };
}

/** The stored text: equal shards give equal bytes, whatever the order in which hosts were set. */
export function formatShard(shard: Shard): string {
  const hosts = Object.entries(shard.hosts).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const sorted = Object.fromEntries(hosts.map(([host, entry]) => [host, entryOf(entry)]));
  return JSON.stringify({ formatVersion, hosts: sorted });
}

export function setHost(shard: Shard, host: string, entry: HostEntry): Shard {
  return { formatVersion, hosts: { ...shard.hosts, [host]: entry } };
}

export function removeHost(shard: Shard, host: string): Shard {
  return { formatVersion, hosts: Object.fromEntries(Object.entries(shard.hosts).filter(([name]) => name !== host)) };
}

/**
 * A sentence when a shard comes near the most that a Secret holds, or is beyond it.
 * @param bytes of the stored value, compressed if it is.
 */
export function sizeWarning(bytes: number): string | undefined {
  if (bytes < maximumSecretBytes * 0.8) return undefined;
  const percent = Math.round((bytes / maximumSecretBytes) * 100);
  return `a policy shard fills ${percent} % of the ${maximumSecretBytes} bytes that a Secret may hold: raise the number of shards`;
}

function entryProblems(host: string, entry: unknown): readonly string[] {
  if (!hostPattern.test(host)) return ['the host is not a name in lower-case A-labels'];
  if (!isRecord(entry)) return ['the entry is not an object'];
  const problems: string[] = [];
  const { policy, revision, certificate, key, http01 } = entry;
  if (policy !== null && typeof policy !== 'string') problems.push('policy is neither a text nor null');
  else if (policy !== null && Buffer.byteLength(policy) > maximumPolicyLength) {
    problems.push(`the policy is longer than ${maximumPolicyLength} bytes`);
  }
  if (!matches(revision, revisionPattern)) problems.push('revision is not 8 to 64 hexadecimal digits');
  if (certificate === null && key === null) {
    if (policy !== null) problems.push('there is a policy and no certificate');
  } else {
    if (!matches(certificate, certificatePattern)) problems.push('certificate is not a PEM chain');
    if (!matches(key, keyPattern)) problems.push('key is not a PEM private key');
  }
  if (http01 !== undefined && !isAnswers(http01)) problems.push('http01 is not a map of tokens to answers');
  return problems;
}

function entryOf(entry: HostEntry): HostEntry {
  const { policy, revision, certificate, key, http01 } = entry;
  if (http01 === undefined) return { policy, revision, certificate, key };
  const answers = Object.entries(http01).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return { policy, revision, certificate, key, http01: Object.fromEntries(answers) };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function matches(value: unknown, pattern: RegExp): boolean {
  return typeof value === 'string' && pattern.test(value);
}

function isAnswers(value: unknown): boolean {
  return (
    isRecord(value) &&
    Object.entries(value).every(([token, answer]) => tokenPattern.test(token) && matches(answer, answerPattern))
  );
}
