/** The one file that an MX host gets: whom to ask, with which token, and where the mail server keeps its key. */
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { isAbsolute, join } from 'node:path';
import { messageOf } from '../errors.ts';
import type { KubeAccess } from '../kube/config.ts';
import { writeAtomically } from './atomic-file.ts';

export const agentFileVersion = 1;

/** `chain`: key and chain in one file, which alone is swapped atomically (Postfix ≥ 3.4, smtpd_tls_chain_files). */
export type TlsFiles = { readonly chain: string } | { readonly certificate: string; readonly key: string };

export interface AgentFile {
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
  readonly host: string;
  readonly postfixDir: string;
  readonly files: TlsFiles;
  /** IP address and port at which our own mail server answers; asked of Postfix when absent. */
  readonly smtp?: { readonly address: string; readonly port: number };
}

export function defaultFiles(postfixDir: string): TlsFiles {
  return { chain: join(postfixDir, 'mailseal', 'chain.pem') };
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
  const raw = value as Record<string, unknown>;
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

function problemsOf(raw: Record<string, unknown>): readonly string[] {
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
  if (!isPath(raw['postfixDir'])) problems.push('postfixDir is not an absolute path');
  if (!isFiles(raw['files'])) problems.push('files names neither chain, nor certificate and key, by absolute paths');
  if (raw['smtp'] !== undefined && !isSmtp(raw['smtp'])) problems.push('smtp is not an IP address with a port');
  return problems;
}

function isPath(value: unknown): value is string {
  return typeof value === 'string' && isAbsolute(value);
}

function isFiles(value: unknown): value is TlsFiles {
  if (typeof value !== 'object' || value === null) return false;
  const { chain, certificate, key } = value as Record<string, unknown>;
  return isPath(chain) ? certificate === undefined && key === undefined : isPath(certificate) && isPath(key);
}

function isSmtp(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { address, port } = value as Record<string, unknown>;
  return typeof address === 'string' && isIP(address) !== 0 && Number.isInteger(port);
}
