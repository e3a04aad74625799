/** Keys and certificates for tests, made by the openssl program: a root, and leaves that it signed. */
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Pair {
  /** PEM. */
  readonly certificate: string;
  /** PKCS #8 PEM. */
  readonly key: string;
}

export interface Authority extends Pair {
  /** A leaf for these names; `days` may be negative for one that has expired. */
  readonly issue: (names: readonly string[], options?: { readonly days?: number; readonly key?: string }) => Pair;
}

export function newKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

export function createAuthority(commonName = 'Test Root'): Authority {
  const key = newKey();
  const root = openssl((folder) => {
    writeFileSync(join(folder, 'key.pem'), key);
    const usage = '-addext keyUsage=critical,keyCertSign,cRLSign';
    return [...words(`req -x509 -new -key key.pem -days 3650 -out out.pem ${usage}`), '-subj', `/CN=${commonName}`];
  });
  return {
    certificate: root,
    key,
    issue: (names, { days = 90, key: leafKey = newKey() } = {}) => ({
      key: leafKey,
      certificate: openssl((folder) => issueArguments(folder, { names, days, leafKey, root, rootKey: key })),
    }),
  };
}

interface Issue {
  readonly names: readonly string[];
  readonly days: number;
  readonly leafKey: string;
  readonly root: string;
  readonly rootKey: string;
}

function issueArguments(folder: string, issue: Issue): readonly string[] {
  writeFileSync(join(folder, 'key.pem'), issue.leafKey);
  writeFileSync(join(folder, 'root.pem'), issue.root);
  writeFileSync(join(folder, 'root.key'), issue.rootKey);
  const end = Date.now() + issue.days * 86_400_000;
  const start = Math.min(Date.now() - 3_600_000, end - 86_400_000);
  const names = issue.names.map((name) => `DNS:${name}`).join(',');
  // `openssl ca` alone lets a certificate end in the past.
  writeFileSync(
    join(folder, 'ca.cnf'),
    `[ca]
default_ca=d
[d]
database=index
new_certs_dir=.
default_md=sha256
policy=p
rand_serial=yes
unique_subject=no
email_in_dn=no
x509_extensions=x
[p]
commonName=optional
[x]
subjectAltName=${names}
basicConstraints=CA:FALSE
extendedKeyUsage=serverAuth
`,
  );
  writeFileSync(join(folder, 'index'), '');
  const subject = `/CN=${(issue.names[0] ?? 'none').slice(0, 60)}`;
  execFileSync('openssl', ['req', '-new', '-key', 'key.pem', '-subj', subject, '-out', 'csr.pem'], { cwd: folder });
  const dates = `-startdate ${asn1Time(start)} -enddate ${asn1Time(end)}`;
  return words(`ca -batch -notext -config ca.cnf -cert root.pem -keyfile root.key -in csr.pem -out out.pem ${dates}`);
}

function words(line: string): readonly string[] {
  return line.split(' ');
}

function asn1Time(at: number): string {
  return new Date(at).toISOString().replaceAll(/[-:T]|\.\d+/gu, '');
}

function openssl(argumentsIn: (folder: string) => readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'mailseal-openssl-'));
  try {
    execFileSync('openssl', argumentsIn(folder), { cwd: folder, stdio: 'pipe' });
    return readFileSync(join(folder, 'out.pem'), 'utf8');
  } finally {
    rmSync(folder, { recursive: true });
  }
}
