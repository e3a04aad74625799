/** Certificates for the lab's servers, made by openssl so that nothing of ours vouches for itself. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './command.ts';

export interface Certificate {
  /** PEM file of the leaf certificate (self-signed, or signed by the lab's CA, which is a root without intermediate). */
  readonly cert: string;
  /** PEM file of the private key (PKCS #8). */
  readonly key: string;
}

export interface CertificateSpec {
  /** Path without ending; `.crt` and `.key` are added. */
  readonly path: string;
  readonly names: readonly string[];
  readonly addresses?: readonly string[];
  /** 90 when absent. */
  readonly days?: number;
  readonly algorithm?: 'EC' | 'RSA';
  /** PEM file of a key that is there already; a new one is made when absent. */
  readonly key?: string;
}

export interface Ca {
  /** PEM file of the root certificate. */
  readonly caFile: string;
  readonly pem: string;
  readonly issue: (spec: CertificateSpec) => Promise<Certificate>;
}

const tenYears = ['-days', '3650'];

function newKey(algorithm: 'EC' | 'RSA'): string[] {
  const kind = algorithm === 'RSA' ? ['rsa:2048'] : ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
  return [...kind, '-nodes'];
}

/** Makes a CA of the lab in `dir`, valid for ten years; rejects with openssl's own words. */
export async function createCa(dir: string, name = 'Lab CA'): Promise<Ca> {
  mkdirSync(dir, { recursive: true });
  const [caFile, caKey] = [join(dir, 'ca.crt'), join(dir, 'ca.key')];
  const subject = ['-subj', `/CN=${name}`, '-addext', 'keyUsage=critical,keyCertSign,cRLSign'];
  await run([
    'openssl',
    'req',
    '-x509',
    '-newkey',
    ...newKey('EC'),
    '-keyout',
    caKey,
    '-out',
    caFile,
    ...tenYears,
    ...subject,
  ]);
  const issue = (spec: CertificateSpec): Promise<Certificate> => request(spec, ['-CA', caFile, '-CAkey', caKey]);
  return { caFile, pem: readFileSync(caFile, 'utf8'), issue };
}

/** A certificate that nobody vouches for. */
export function selfSigned(spec: CertificateSpec): Promise<Certificate> {
  return request(spec, []);
}

async function request(spec: CertificateSpec, signer: readonly string[]): Promise<Certificate> {
  const [cert, key] = [`${spec.path}.crt`, spec.key ?? `${spec.path}.key`];
  const names = [...spec.names.map((name) => `DNS:${name}`), ...(spec.addresses ?? []).map((ip) => `IP:${ip}`)];
  const days = String(spec.days ?? 90);
  const subject = ['-subj', `/CN=${spec.names[0] ?? 'nameless'}`, '-addext', `subjectAltName=${names.join(',')}`];
  const by = spec.key === undefined ? ['-newkey', ...newKey(spec.algorithm ?? 'EC'), '-keyout', key] : ['-key', key];
  const made = [...by, '-out', cert, '-days', days, ...signer];
  await run(['openssl', 'req', '-x509', ...made, ...subject, '-addext', 'basicConstraints=critical,CA:FALSE']);
  return { cert, key };
}

/** Key first, then the certificates, as `smtpd_tls_chain_files` and most bundles want it. */
export function writeBundle(path: string, certificate: Certificate, chain: readonly string[] = []): void {
  const files = [certificate.key, certificate.cert, ...chain];
  writeFileSync(path, files.map((file) => readFileSync(file, 'utf8')).join(''), { mode: 0o600 });
}
