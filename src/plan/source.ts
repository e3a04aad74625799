/** The Secret that an external issuer's certificates come in: filled by someone else, judged here, never written by us. */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import type { SecretObject } from '../api/object.ts';
import type { Reason } from '../api/reasons.ts';
import { algorithmOfKey, checkCertificate, describeCertificate, splitChain } from '../pki/certificate.ts';
import { renewalTime } from '../pki/renewal.ts';
import { humanMs, type Wait } from './change.ts';
import { importableKey } from './import.ts';
import type { StoredCertificate, StoredKey } from './state.ts';

/** As it lies in the namespace of the exchanger. */
export type FoundSource =
  | { readonly is: 'Absent' | 'Forbidden' }
  | { readonly is: 'Found'; readonly object: SecretObject };

/** What may be given to the hosts once its key's TLSA record has stood, or the field and the rule that forbid it. */
export type ObservedSource =
  | { readonly is: 'Fit'; readonly key: StoredKey; readonly certificate: StoredCertificate }
  | { readonly is: 'Unfit'; readonly reason: Reason; readonly message: string };

/** Where it lies, and what its certificate is for. */
export interface SourceWish {
  readonly namespace: string;
  readonly secretName: string;
  readonly names: readonly string[];
  /** The CertificateIssuer. */
  readonly issuer: string;
  readonly now: number;
}

const decode = ({ data }: SecretObject, field: string): string | undefined => {
  const text = data?.[field];
  return text === undefined || text === '' ? undefined : Buffer.from(text, 'base64').toString('utf8');
};

/** A certificate as it is kept. @throws Error if the chain holds none that can be read. */
export function certificateFrom(text: string, issuer: string, spkiSha256: string): StoredCertificate {
  const certificates = splitChain(text);
  const [leaf] = certificates;
  if (leaf === undefined) throw new Error('there is no certificate in the text');
  // Nothing of the text but its certificates is kept: what stands between them may be anything.
  const chain = certificates.map((certificate) => certificate.toString()).join('');
  const { names, notBefore, notAfter } = describeCertificate(leaf);
  return { chain, issuer, spkiSha256, names, notBefore, notAfter, renewAt: renewalTime(chain) };
}

/** Says how the right is given. */
const sourceForbidden = (namespace: string, name: string): string =>
  `Mailseal may not read Secret ${namespace}/${name} of spec.certificate.sourceSecretName: set "tenantNamespaces: [${namespace}]" in the values of the chart, or bind its ServiceAccount to a Role of that namespace with "rules: [{apiGroups: [''], resources: [secrets], resourceNames: [${name}], verbs: [get]}]"`;

const unfit = (reason: Reason, message: string): ObservedSource => ({ is: 'Unfit', reason, message });

/** What is in the Secret, judged by what the hosts need of it. */
export function judgeSource(found: FoundSource, wish: SourceWish): ObservedSource {
  const { namespace, secretName } = wish;
  const which = `Secret ${namespace}/${secretName} of spec.certificate.sourceSecretName`;
  switch (found.is) {
    case 'Forbidden':
      return unfit('SecretForbidden', sourceForbidden(namespace, secretName));
    case 'Absent':
      return unfit('SourceMissing', `${which} does not exist: have the certificate and its key put there`);
    case 'Found': {
      const flaw = flawOf(found.object, wish);
      if (flaw !== undefined) return unfit('SourceRefused', `${which} is refused: ${flaw}`);
      return fit(found.object, wish);
    }
  }
}

/** The field that is wrong, and its rule; the first that there is. */
function flawOf(object: SecretObject, { names, now }: SourceWish): string | undefined {
  const owner = object.metadata.labels?.['mailseal.dev/exchanger'];
  if (owner !== undefined) return `it is what Mailseal gives to the hosts of MailExchanger ${owner}, and no source`;
  if (object.type !== 'kubernetes.io/tls') return 'type must be kubernetes.io/tls';
  const [chain, key] = [decode(object, 'tls.crt'), decode(object, 'tls.key')];
  if (chain === undefined) return 'tls.crt must hold the certificate and its chain in PEM; it is empty';
  if (key === undefined) return 'tls.key must hold the private key in PEM; it is empty';
  const keyFlaw = flawOfKey(key);
  if (keyFlaw !== undefined) return `tls.key ${keyFlaw}`;
  const problems = checkCertificate({ chain, key, names, now });
  return problems.length === 0 ? undefined : `tls.crt: ${problems.map(({ message }) => message).join('; ')}`;
}

function flawOfKey(pem: string): string | undefined {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    return 'must be a private key in PEM, without a passphrase';
  }
  if (algorithmOfKey(pem) !== undefined) return undefined;
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  const size = details?.namedCurve ?? details?.modulusLength;
  const is = size === undefined ? type : `${type} ${size}`;
  return `must be a key of ECDSA P-256 or RSA 2048, and is ${is}: in a Certificate of cert-manager write "privateKey: {algorithm: ECDSA, size: 256}"`;
}

function fit(object: SecretObject, { issuer }: SourceWish): ObservedSource {
  // Others write EC keys in a form of their own; ours is one and the same for a key, whoever wrote it.
  const key = importableKey(decode(object, 'tls.key') ?? '');
  if (key === undefined) throw new Error('tls.key was refused, and is not to be taken');
  const certificate = certificateFrom(decode(object, 'tls.crt') ?? '', issuer, key.spkiSha256);
  return { is: 'Fit', key, certificate };
}

/** What is to be done about the certificate itself: nothing; it is there, or its field is to be mended. */
export function planSource(source: ObservedSource | undefined): {
  readonly changes: readonly [];
  readonly waits: readonly Wait[];
  readonly problem: { readonly reason: Reason; readonly message: string } | undefined;
} {
  if (source?.is !== 'Unfit') return { changes: [], waits: [], problem: undefined };
  const { reason, message } = source;
  return { changes: [], waits: [{ why: message, forMs: humanMs }], problem: { reason, message } };
}
