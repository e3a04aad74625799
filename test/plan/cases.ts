/** Builders: each makes something that is right, and takes what is to be different. */
import type { DesiredDomain } from '../../src/desired/domain.ts';
import type { Answer, QueryType } from '../../src/dns/answer.ts';
import type { RecordSet } from '../../src/dns/rrset.ts';
import type { Publication } from '../../src/mtasts/lifecycle.ts';
import type { SecretObject } from '../../src/kube/types.ts';
import type { SentCertificate, SmtpProbe } from '../../src/pki/observed.ts';
import type { ObservedHost } from '../../src/plan/exchanger.ts';
import type { RecordView, WantedSet } from '../../src/plan/record-view.ts';
import type {
  AppliedSet,
  DomainState,
  ExchangerState,
  OpenOrder,
  StoredCertificate,
  StoredKey,
} from '../../src/plan/state.ts';

export const second = 1000;
export const minute: number = 60 * second;
export const hour: number = 60 * minute;
export const day: number = 24 * hour;
export const now: number = Date.UTC(2026, 10, 22);
export const installationId = 'cluster-1-test';
export const grant = { provider: 'main', zone: 'example.com', settleSeconds: 0 } as const;

export const digest = (letter: string): string => letter.repeat(64);
export const key = (letter: string): StoredKey => ({
  algorithm: 'ECDSA-P256',
  pem: `key ${letter}`,
  spkiSha256: digest(letter),
});

export function answer(name: string, type: QueryType, change: Partial<Answer> = {}): Answer {
  return {
    name,
    type,
    outcome: change.values === undefined ? 'NoData' : 'Found',
    authentic: true,
    canonicalName: name,
    values: [],
    ttl: 300,
    wildcard: false,
    detail: undefined,
    ...change,
  };
}

export function txt(name: string, ...values: readonly string[]): RecordSet {
  return { name, type: 'TXT', ttl: 300, values };
}

export function wanted(set: RecordSet, change: Partial<WantedSet> = {}): WantedSet {
  return { ...set, ...grant, ...change };
}

export function applied(set: RecordSet, change: Partial<AppliedSet> = {}): AppliedSet {
  return {
    ...set,
    provider: 'main',
    zone: 'example.com',
    standing: 'Ours',
    since: now - day,
    previousTtl: 300,
    ...change,
  };
}

/** A set as it stands, shown everywhere. */
export function seen(live: RecordSet | undefined, change: Partial<RecordView> = {}): RecordView {
  return {
    live,
    servers: live === undefined ? undefined : { ok: true },
    outside: live === undefined ? undefined : answer(live.name, live.type, { values: live.values }),
    inside: undefined,
    synthesised: false,
    negativeTtl: 0,
    ...change,
  };
}

export function certificate(change: Partial<StoredCertificate> = {}): StoredCertificate {
  return {
    chain: '-----BEGIN CERTIFICATE-----\none\n-----END CERTIFICATE-----\n',
    issuer: 'ca',
    spkiSha256: digest('c'),
    names: ['mx1.example.com'],
    notBefore: now - 30 * day,
    notAfter: now + 60 * day,
    renewAt: now + 30 * day,
    ...change,
  };
}

export function sent(spkiSha256: string): SentCertificate {
  return {
    pem: 'pem',
    names: ['mx1.example.com'],
    spkiSha256,
    notBefore: now - day,
    notAfter: now + day,
    issuer: 'CN=ca',
    subject: 'CN=mx1.example.com',
  };
}

export function order(change: Partial<OpenOrder> = {}): OpenOrder {
  return {
    url: 'https://ca.example/order/1',
    names: ['mx1.example.com'],
    issuer: 'ca',
    spkiSha256: digest('c'),
    authorizations: [
      {
        name: 'mx1.example.com',
        url: 'https://ca.example/authz/1',
        challengeUrl: 'https://ca.example/challenge/1',
        txtName: '_acme-challenge.mx1.example.com',
        txtValue: 'proof-1',
        status: 'pending',
      },
    ],
    ...change,
  };
}

export function exchangerState(change: Partial<ExchangerState> = {}): ExchangerState {
  return {
    formatVersion: 1,
    kind: 'exchanger',
    namespace: 'mail',
    name: 'mx',
    issuer: 'ca',
    secretName: 'mx-tls',
    rollover: { phase: 'Steady', current: digest('c'), next: digest('d'), published: true },
    rotation: { since: Date.UTC(2026, 10, 21) },
    keys: [key('c'), key('d')],
    certificate: certificate(),
    applied: [],
    spent: [],
    ...change,
  };
}

export function domainState(change: Partial<DomainState> = {}): DomainState {
  return {
    formatVersion: 1,
    kind: 'domain',
    namespace: 'mail',
    name: 'example',
    domain: 'example.com',
    issuer: 'ca',
    key: key('c'),
    certificate: certificate({ names: ['mta-sts.example.com'] }),
    applied: [],
    spent: [],
    publications: [],
    listedHosts: ['mx1.example.com'],
    removedHosts: [],
    ...change,
  };
}

export function publication(change: Partial<Publication> = {}): Publication {
  return {
    id: '20261101000000aaaaaaaa',
    body: 'version: STSv1\nmode: testing\nmx: mx1.example.com\nmax_age: 86400\n',
    mode: 'testing',
    maxAgeSeconds: 86_400,
    mxs: ['mx1.example.com'],
    mintedAt: now - 20 * day,
    shownSince: now - 20 * day,
    ...change,
  };
}

/** Views by `recordKey`. */
export function views(...all: readonly (readonly [string, RecordView])[]): ReadonlyMap<string, RecordView> {
  return new Map(all);
}

/** What is wanted of a domain. */
export const desired: DesiredDomain = {
  namespace: 'mail',
  name: 'example',
  domain: 'example.com',
  policyHost: 'mta-sts.example.com',
  grant,
  issuer: 'ca',
  hosts: ['mx1.example.com'],
  mtaSts: { mode: 'enforce', maxAgeSeconds: 2_419_200, ttlSeconds: 300, afterDays: 14, immediately: false },
  rua: [],
  suspended: false,
  adopt: new Set(),
};

export function tlsProbe(address = '192.0.2.1', spkiSha256: string = digest('c')): SmtpProbe {
  const result = {
    outcome: 'Tls',
    protocol: 'TLSv1.3',
    chain: [sent(spkiSha256)],
    pkix: { verdict: 'Verified' },
  } as const;
  return { host: 'mx1.example.com', address, port: 25, at: now, result };
}

/** A host that presents the current key in a signed zone without TLSA records. */
export function host(change: Partial<ObservedHost> = {}): ObservedHost {
  return {
    host: 'mx1.example.com',
    security: { verdict: 'Secure', detail: 'validated' },
    liveTlsa: answer('_25._tcp.mx1.example.com', 'TLSA'),
    aliasTlsa: undefined,
    probes: [tlsProbe()],
    attestation: undefined,
    ...change,
  };
}

/** The Secret that the MX hosts mount, as we wrote it. */
export function mountedSecret(change: { readonly chain?: string; readonly letter?: string } = {}): SecretObject {
  const encode = (text: string): string => Buffer.from(text).toString('base64');
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'mx-tls', namespace: 'mail', resourceVersion: '7', labels: { 'mailseal.dev/exchanger': 'mx' } },
    data: { 'tls.crt': encode(change.chain ?? certificate().chain), 'tls.key': encode(key(change.letter ?? 'c').pem) },
  };
}
