/**
 * Time that passes while nobody looks: what is stored is put back by as much, with no operator at work. Senders and
 * resolvers have forgotten by then what they knew.
 */
import { createPrivateKey, createPublicKey, randomBytes, webcrypto, X509Certificate } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import type { KubeClient } from '../../src/kube/client.ts';
import type { SecretObject } from '../../src/kube/types.ts';
import { renewalTime } from '../../src/pki/renewal.ts';
import type { State } from '../../src/plan/state.ts';
import { recertified, type Shard } from '../../src/policyshard/shard.ts';
import { operatorNamespace } from './cluster.ts';
import type { Ground } from './lane.ts';

const dayMs = 86_400_000;
const stateKey = 'state.json';
const shardKey = 'shard.json';

type Edited = (key: string, text: string) => string | Promise<string>;

/** Replaces texts in the data of Secrets of one namespace and type. */
async function edit(kube: KubeClient, namespace: string, type: string, change: Edited): Promise<void> {
  for (const secret of await kube.list<SecretObject>({ apiVersion: 'v1', kind: 'Secret', namespace })) {
    if (secret.type !== type) continue;
    const data: Record<string, string> = {};
    for (const [key, value] of Object.entries(secret.data ?? {})) {
      const text = await change(key, Buffer.from(value, 'base64').toString('utf8'));
      data[key] = Buffer.from(text, 'utf8').toString('base64');
    }
    await kube.replace({ ...secret, apiVersion: 'v1', kind: 'Secret', data });
  }
}

/** Since when senders know something, or know it no longer. */
const moments = new Set(['mintedAt', 'shownSince', 'goneSince', 'since', 'testingSince', 'leftMxAt']);

/** All that senders were ever promised lies this many days further back. */
export function passDays(kube: KubeClient, days: number): Promise<void> {
  const earlier = (name: string, value: unknown): unknown =>
    typeof value === 'number' && moments.has(name) ? value - days * dayMs : value;
  return edit(kube, operatorNamespace, 'mailseal.dev/state', (key, text) =>
    key === stateKey ? JSON.stringify(JSON.parse(text, earlier)) : text,
  );
}

/** Certificates of 90 days with the same keys and names, which the CA made 70 days ago: all are due for renewal. */
export async function ageCertificates(
  ground: Pick<Ground, 'acme'>,
  kube: KubeClient,
  tenants: readonly string[],
): Promise<void> {
  const issuer = await issuerOf(ground);
  const aged = new Map<string, string>();
  const age = async (chain: string): Promise<string> => {
    const made = aged.get(chain) ?? (await agedChain(chain, issuer));
    aged.set(chain, made);
    return made;
  };
  await edit(kube, operatorNamespace, 'mailseal.dev/state', async (key, text) => {
    if (key !== stateKey) return text;
    const state = JSON.parse(text) as State;
    if (state.certificate === undefined) return text;
    const chain = await age(state.certificate.chain);
    const leaf = new X509Certificate(chain);
    const [notBefore, notAfter] = [leaf.validFromDate.getTime(), leaf.validToDate.getTime()];
    const certificate = { ...state.certificate, chain, notBefore, notAfter, renewAt: renewalTime(chain) };
    return JSON.stringify({ ...state, certificate });
  });
  await edit(kube, operatorNamespace, 'mailseal.dev/policy-shard', async (key, text) => {
    if (key !== shardKey) return text;
    const shard = JSON.parse(text) as Shard;
    const hosts: Record<string, Shard['hosts'][string]> = {};
    for (const [host, entry] of Object.entries(shard.hosts)) {
      if (entry.certificate === null) throw new Error(`${host} has no certificate yet`);
      const certificate = await age(entry.certificate);
      hosts[host] = { ...entry, certificate, revision: recertified(entry.revision, certificate) };
    }
    return JSON.stringify({ ...shard, hosts });
  });
  for (const namespace of tenants) {
    await edit(kube, namespace, 'kubernetes.io/tls', (key, text) => (key === 'tls.crt' ? age(text) : text));
  }
}

interface Issuer {
  readonly name: string;
  readonly key: webcrypto.CryptoKey;
  readonly pem: string;
}

const rsa = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } as const;
const ecdsa = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** The lab's CA gives its key to whoever asks its management interface. */
async function issuerOf({ acme }: Pick<Ground, 'acme'>): Promise<Issuer> {
  const [pem, keyPem] = await Promise.all([acme.intermediatePem(), acme.intermediateKeyPem()]);
  const der = createPrivateKey(keyPem).export({ type: 'pkcs8', format: 'der' });
  const key = await webcrypto.subtle.importKey('pkcs8', der, rsa, false, ['sign']);
  return { name: new x509.X509Certificate(pem).subject, key, pem };
}

async function agedChain(chain: string, issuer: Issuer): Promise<string> {
  const now = Date.now();
  const before = new X509Certificate(chain);
  const names = (before.subjectAltName ?? '').split(', ').map((name) => name.replace('DNS:', ''));
  const spki = createPublicKey(before.publicKey.export({ type: 'spki', format: 'pem' }));
  const der = spki.export({ type: 'spki', format: 'der' });
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  const leaf = await x509.X509CertificateGenerator.create(
    {
      subject: `CN=${names[0] ?? ''}`,
      issuer: issuer.name,
      serialNumber: serial.toString('hex'),
      notBefore: new Date(now - 70 * dayMs),
      notAfter: new Date(now + 20 * dayMs),
      signingAlgorithm: rsa,
      signingKey: issuer.key,
      publicKey: await webcrypto.subtle.importKey('spki', der, ecdsa, true, ['verify']),
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns', value }))),
      ],
    },
    webcrypto,
  );
  return `${leaf.toString('pem')}\n${issuer.pem}`;
}
