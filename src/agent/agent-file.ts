/** The one file that an MX host gets: whom to ask, with which token, and where the mail server keeps its key. */
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { isAbsolute } from 'node:path';
import { messageOf } from '../errors.ts';
import type { KubeAccess } from '../kube/config.ts';
import { writeAtomically } from './atomic-file.ts';
import { withFormerNames } from './former-file.ts';
import { type MailServerKind, mailServerKinds, type Port, type TlsFiles } from './servers/server.ts';

export const agentFileVersion = 1;

/** Validating resolvers, as the operator is told of its own. */
export interface ResolverSettings {
  /** `tls://ADDRESS:853#NAME` or `udp://ADDRESS:53`, in the order of preference. */
  readonly servers: readonly string[];
  /** PEM: whom to trust for `tls://` beside the public CAs. */
  readonly ca?: string;
  /** What shows whether a resolver validates. */
  readonly secureName: string;
  readonly bogusName: string;
}

/** One mail server of one host, and where it keeps its key. */
export interface Installation {
  /** A-labels, lower case. */
  readonly host: string;
  readonly mailServer: MailServerKind;
  /** As `openServer` takes it. */
  readonly mailConfig: string;
  readonly files: TlsFiles;
  /** Where the mail server answers; asked of its configuration when absent. */
  readonly port?: Port;
  /** Who is asked whether live TLSA records match a new key; `off` where an administrator said that nobody is. */
  readonly resolvers: ResolverSettings | 'off';
}

export interface AgentFile extends Installation {
  readonly formatVersion: typeof agentFileVersion;
  readonly server: string;
  /** PEM; absent where the system's roots vouch for the API server. */
  readonly ca?: string;
  readonly token: string;
  /** Milliseconds since 1970. */
  readonly tokenIssued: number;
  readonly tokenExpires: number;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly secretName: string;
  readonly configMapName: string;
}

export function formatAgentFile(file: AgentFile): string {
  const { ca, tokenIssued, tokenExpires, ...rest } = file;
  const stored = {
    ...rest,
    caData: ca === undefined ? undefined : Buffer.from(ca).toString('base64'),
    tokenIssued: new Date(tokenIssued).toISOString(),
    tokenExpires: new Date(tokenExpires).toISOString(),
  };
  return `${JSON.stringify(stored, undefined, 2)}\n`;
}

/** @throws Error with every reason, never with the token. */
export function parseAgentFile(text: string): AgentFile {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error('the agent file is not JSON');
  }
  if (typeof value !== 'object' || value === null) throw new Error('the agent file is not an object');
  const raw = withFormerNames(value as Record<string, unknown>);
  if (raw['formatVersion'] !== agentFileVersion) {
    const found = JSON.stringify(raw['formatVersion']) ?? 'nothing';
    throw new Error(`the agent file's formatVersion is ${found}; this program reads ${agentFileVersion}`);
  }
  const problems = problemsOf(raw);
  if (problems.length > 0) throw new Error(`the agent file is malformed: ${problems.join('; ')}`);
  const { caData, tokenIssued, tokenExpires, ...rest } = raw;
  const file = {
    ...rest,
    tokenIssued: Date.parse(tokenIssued as string),
    tokenExpires: Date.parse(tokenExpires as string),
  } as unknown as AgentFile;
  return typeof caData === 'string' ? { ...file, ca: Buffer.from(caData, 'base64').toString('utf8') } : file;
}

/** @throws Error that names the file and what is wrong with it. */
export async function readAgentFile(path: string): Promise<AgentFile> {
  try {
    return parseAgentFile(await readFile(path, 'utf8'));
  } catch (error) {
    throw new Error(`${path}: ${messageOf(error)}`, { cause: error });
  }
}

export function writeAgentFile(path: string, file: AgentFile): Promise<void> {
  return writeAtomically(path, formatAgentFile(file));
}

/** The way to the API with the token that `current` holds at the moment of each call. */
export function accessOf(current: () => AgentFile): KubeAccess {
  return {
    server: new URL(current().server),
    namespace: current().namespace,
    credentials: () => {
      const { token, ca } = current();
      const headers = { Authorization: `Bearer ${token}` };
      return Promise.resolve({ headers, tls: ca === undefined ? {} : { ca }, fingerprint: 'agent' });
    },
    forget: () => {},
  };
}

const texts = ['token', 'namespace', 'serviceAccount', 'secretName', 'configMapName', 'host'] as const;

function problemsOf(raw: Readonly<Record<string, unknown>>): readonly string[] {
  const problems: string[] = [];
  for (const name of texts) {
    if (typeof raw[name] !== 'string' || raw[name] === '') problems.push(`${name} is not a text`);
  }
  if (typeof raw['server'] !== 'string' || !raw['server'].startsWith('https://') || !URL.canParse(raw['server'])) {
    problems.push('server is not an https URL');
  }
  for (const name of ['tokenIssued', 'tokenExpires']) {
    if (Number.isNaN(Date.parse(String(raw[name])))) problems.push(`${name} is not a time`);
  }
  if (raw['caData'] !== undefined && typeof raw['caData'] !== 'string') problems.push('caData is not a text');
  if (!mailServerKinds.some((kind) => kind === raw['mailServer'])) {
    problems.push(`mailServer is not one of ${mailServerKinds.join(', ')}`);
  }
  if (!isPath(raw['mailConfig'])) problems.push('mailConfig is not an absolute path');
  if (!isFiles(raw['files'])) problems.push('files names neither chain, nor certificate and key, by absolute paths');
  if (raw['port'] !== undefined && !isPort(raw['port'])) {
    problems.push('port is not an IP address with a port and StartTls or Direct');
  }
  if (!isResolvers(raw['resolvers'])) problems.push('resolvers is neither off nor servers with names to test them by');
  return problems;
}

function isResolvers(value: unknown): boolean {
  if (value === 'off') return true;
  if (typeof value !== 'object' || value === null) return false;
  const { servers, ca = '', secureName, bogusName } = value as Record<string, unknown>;
  const texts = [ca, secureName, bogusName, ...(Array.isArray(servers) ? servers : [undefined])];
  return texts.length > 3 && texts.every((text) => typeof text === 'string');
}

function isPath(value: unknown): value is string {
  return typeof value === 'string' && isAbsolute(value);
}

function isFiles(value: unknown): value is TlsFiles {
  if (typeof value !== 'object' || value === null) return false;
  const { chain, certificate, key } = value as Record<string, unknown>;
  return isPath(chain) ? certificate === undefined && key === undefined : isPath(certificate) && isPath(key);
}

function isPort(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { address, port, tls } = value as Record<string, unknown>;
  return (
    typeof address === 'string' &&
    isIP(address) !== 0 &&
    Number.isInteger(port) &&
    (tls === 'StartTls' || tls === 'Direct')
  );
}
