/** Certificates for tests: a root, an intermediate, and leaves of any names and dates; made in memory. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

x509.cryptoProvider.set(webcrypto as never);

export interface Issued {
  readonly cert: string;
  readonly key: string;
}

export interface LeafSpec {
  readonly names: readonly string[];
  /** Milliseconds since 1970. */
  readonly notBefore?: number;
  readonly notAfter?: number;
  /** PEM; a new key where absent. */
  readonly key?: string;
  readonly serial?: string;
  /** OIDs of what it is for; says nothing of that where absent. */
  readonly uses?: readonly string[];
  /** A name like `CN=…`; the first DNS name where absent. */
  readonly subject?: string;
}

export interface TestCa {
  readonly root: Issued;
  readonly intermediate: Issued;
  /** A leaf of the intermediate. */
  readonly issue: (spec: LeafSpec) => Promise<Issued>;
}

const dayMs = 86_400_000;
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

export function newKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

async function keyPair(pem: string): Promise<{ privateKey: webcrypto.CryptoKey; publicKey: webcrypto.CryptoKey }> {
  const key = createPrivateKey(pem);
  const { subtle } = webcrypto;
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
  return {
    privateKey: await subtle.importKey('pkcs8', key.export({ type: 'pkcs8', format: 'der' }), algorithm, true, [
      'sign',
    ]),
    publicKey: await subtle.importKey('spki', spki, algorithm, true, ['verify']),
  };
}

let serials = 1000;

async function sign(
  subject: string,
  spec: Omit<LeafSpec, 'names' | 'subject' | 'uses'>,
  issuer: { name: string; key: string },
  extensions: x509.Extension[],
): Promise<Issued> {
  const key = spec.key ?? newKey();
  const [own, theirs] = [await keyPair(key), await keyPair(issuer.key)];
  const certificate = await x509.X509CertificateGenerator.create({
    subject,
    issuer: issuer.name,
    serialNumber: spec.serial ?? (++serials).toString(16).padStart(4, '0'),
    notBefore: new Date(spec.notBefore ?? Date.now() - dayMs),
    notAfter: new Date(spec.notAfter ?? Date.now() + 30 * dayMs),
    signingAlgorithm: algorithm,
    signingKey: theirs.privateKey,
    publicKey: own.publicKey,
    extensions: [
      ...extensions,
      await x509.AuthorityKeyIdentifierExtension.create(theirs.publicKey),
      await x509.SubjectKeyIdentifierExtension.create(own.publicKey),
    ],
  });
  return { cert: `${certificate.toString('pem')}\n`, key };
}

/** A CA of its own, with one intermediate, whose names begin with `label`. */
export async function makeCa(label = 'Test'): Promise<TestCa> {
  const authority = (): x509.Extension[] => [
    new x509.BasicConstraintsExtension(true, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
  ];
  const rootKey = newKey();
  const root = await sign(
    `CN=${label} root`,
    { key: rootKey },
    { name: `CN=${label} root`, key: rootKey },
    authority(),
  );
  const intermediate = await sign(
    `CN=${label} intermediate`,
    {},
    { name: `CN=${label} root`, key: rootKey },
    authority(),
  );
  const issue = (spec: LeafSpec): Promise<Issued> => {
    const names = spec.names.map((value) => ({ type: 'dns', value }) as const);
    const alternative = names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)];
    const uses = spec.uses === undefined ? [] : [new x509.ExtendedKeyUsageExtension([...spec.uses])];
    const issuer = { name: `CN=${label} intermediate`, key: intermediate.key };
    return sign(spec.subject ?? `CN=${spec.names[0] ?? 'nameless'}`, spec, issuer, [...alternative, ...uses]);
  };
  return { root, intermediate, issue };
}
