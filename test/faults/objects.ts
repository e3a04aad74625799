/** What administrators and users put into a lane's cluster, and how all of it goes away again. */
import { readFileSync } from 'node:fs';
import { apiVersion, type MailDomain } from '../../src/api/types.ts';
import type { KubeObject, Ref } from '../../src/kube/types.ts';
import { operatorNamespace, tenant } from './cluster.ts';
import type { Ground, Lane } from './lane.ts';

/** Of the MailDomain, and so of its MailExchanger. */
export const objectName = 'one';
/** Of the MailDomain that refers to the other's exchanger. */
export const secondName = 'two';

/** Of the second MailDomain, beside the first: `r17b.lane0.test` for `r17.lane0.test`. */
export const secondOf = (domain: string): string => domain.replace('.', 'b.');

/**
 * The one Postfix of a lane shows what the run before had it mount, by names that nobody will miss: without a word of the
 * user's none of them would be lost.
 */
export function dropNames(domain: string): Readonly<Record<string, string>> {
  const [, run = '0', zone = ''] = /^r(\d+)\.(.*)$/u.exec(domain) ?? [];
  const before = Array.from({ length: Number(run) }, (_, index) => `r${index}.${zone}`);
  const names = before.flatMap((name) => ['mx', 'smtp', 'far'].map((host) => `${host}.${name}`));
  return { 'mailseal.dev/drop-names': names.join(' ') };
}

const quick = { ttlSeconds: 1, promotion: { immediately: true } } as const;

/** What a user applies in the beginning, or when he has `changed` his mind. */
export async function applyDomain(lane: Lane, domain: string, changed = false): Promise<void> {
  const mx = {
    hosts: [`mx.${domain}`],
    dane: { ttlSeconds: 1 },
    // Years go by in a scenario; rotations are another proof's.
    certificate: { keyRotationDays: 0, ...(changed ? { dnsNames: [`smtp.${domain}`] } : {}) },
  };
  const object: MailDomain = {
    apiVersion,
    kind: 'MailDomain',
    metadata: { name: objectName, namespace: tenant, annotations: dropNames(domain) },
    spec: {
      domain,
      mx,
      mtaSts: { ...quick, ...(changed ? { maxAgeSeconds: 1_209_600 } : {}) },
      ...(changed ? { tlsRpt: { rua: [`mailto:reports@${domain}`] } } : {}),
    },
  };
  await lane.kube.apply(object, { fieldManager: 'faults' });
}

/** A further domain with the MX hosts of the first. */
export async function applySecondDomain(lane: Lane, domain: string): Promise<void> {
  const object: MailDomain = {
    apiVersion,
    kind: 'MailDomain',
    metadata: { name: secondName, namespace: tenant },
    spec: { domain: secondOf(domain), exchangerRefs: [{ name: objectName }], mtaSts: quick },
  };
  await lane.kube.apply(object, { fieldManager: 'faults' });
}

/** What an administrator gives: the provider, the issuer and the key of the name server. */
export async function grant(ground: Ground, lane: Lane, domain: string): Promise<void> {
  const apply = (object: KubeObject & Readonly<Record<string, unknown>>): Promise<unknown> =>
    lane.kube.apply(object, { fieldManager: 'faults' });
  const metadata = { name: 'one' };
  await apply({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'dns-update-key', namespace: operatorNamespace },
    stringData: { 'tsig-secret': ground.dns.bind.tsig.secret },
  });
  await apply({
    apiVersion,
    kind: 'DNSProvider',
    metadata,
    spec: {
      zones: [domain.slice(domain.indexOf('.') + 1)],
      allowedNamespaces: { names: [tenant] },
      rfc2136: { server: lane.dnsServer, tsigKeyName: ground.dns.bind.tsig.name },
      credentialsSecretRef: { name: 'dns-update-key' },
    },
  });
  const acme = {
    server: lane.acmeServer,
    email: 'postmaster@example.test',
    caBundle: readFileSync(ground.door.caFile, 'utf8'),
  };
  await apply({ apiVersion, kind: 'CertificateIssuer', metadata, spec: { default: true, acme } });
}

/** Takes away all that an earlier run left in the cluster. */
export async function clean({ kube }: Lane): Promise<void> {
  const kinds = ['MailDomain', 'MailExchanger', 'Retirement', 'DNSProvider', 'CertificateIssuer'] as const;
  const own = await Promise.all(kinds.map((kind) => kube.list<KubeObject>({ apiVersion, kind })));
  for (const object of own.flat()) {
    if ((object.metadata.finalizers ?? []).length > 0) {
      await kube.replace({ ...object, metadata: { ...object.metadata, finalizers: [] } });
    }
    await kube.remove(refOf(object));
  }
  for (const kind of ['Secret', 'ConfigMap']) {
    for (const namespace of [operatorNamespace, tenant]) {
      const found = await kube.list<KubeObject>({ apiVersion: 'v1', kind, namespace });
      for (const object of found) await kube.remove({ ...refOf(object), apiVersion: 'v1', kind });
    }
  }
}

const refOf = ({ apiVersion, kind, metadata: { name, namespace } }: KubeObject): Ref => ({
  apiVersion,
  kind,
  name,
  ...(namespace === undefined ? {} : { namespace }),
});
