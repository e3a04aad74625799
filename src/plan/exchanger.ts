import type { DesiredExchanger } from '../desired/exchanger.ts';
import type { Answer } from '../dns/answer.ts';
import type { SecretObject } from '../kube/types.ts';
import type { Attestation } from '../api/attestation.ts';
import type { SmtpProbe } from '../observe/types.ts';
import type { Reason } from '../api/reasons.ts';
import { tlsaName } from '../dane/tlsa.ts';
import { assemble } from './assemble.ts';
import { type CertificateInput, type CertificatePlan, planCertificate } from './certificate.ts';
import type { Change, Wait } from './change.ts';
import { markValue, planRecords, type RecordsPlan, type RecordView, type WantedSet } from './records.ts';
import type { ExchangerState, StoredKey } from './state.ts';

/** What DNSSEC says of the zone that holds a host; `Unknown` opens no gate. */
export interface Security {
  readonly verdict: 'Secure' | 'Insecure' | 'Bogus' | 'Unknown';
  readonly detail: string;
}

export interface ObservedHost {
  readonly host: string;
  readonly security: Security;
  /** The set at `_25._tcp.HOST` as the outside view has it, whoever published it. */
  readonly liveTlsa: Answer;
  readonly probes: readonly SmtpProbe[];
  readonly attestation: Attestation | undefined;
}

/** The Secret that the MX hosts mount, as it lies in the tenant's namespace. */
export type MountedSecret =
  | { readonly is: 'Absent' }
  | { readonly is: 'Ours'; readonly object: SecretObject }
  | { readonly is: 'Foreign' | 'Forbidden'; readonly message: string };

export interface ObservedExchanger {
  readonly installationId: string;
  /** The object was looked at in vain only a few times: its next step is near. */
  readonly settling: boolean;
  readonly state: ExchangerState | undefined;
  /** Two keys, drawn for the case that there is no state yet. */
  readonly freshKeys: readonly [StoredKey, StoredKey] | undefined;
  readonly mounted: MountedSecret;
  readonly views: ReadonlyMap<string, RecordView>;
  readonly hosts: readonly ObservedHost[];
  readonly certificate: Pick<CertificateInput, 'issuer' | 'order' | 'challenges' | 'spentLive'>;
}

export interface Delivery {
  readonly status: 'Delivered' | 'Delivering' | 'Blocked' | 'NoCertificate';
  readonly reason: Reason;
  readonly message: string;
}

export interface ExchangerPlan {
  readonly changes: readonly Change[];
  readonly waits: readonly Wait[];
  readonly state: ExchangerState;
  readonly certificate: CertificatePlan;
  readonly records: RecordsPlan;
  readonly delivery: Delivery;
  /** Addresses that do not present the current key yet. */
  readonly lagging: readonly string[];
}

const markTtlSeconds = 300;
export const markName = (name: string): string => `_mailseal.${name}`;

function newState(desired: DesiredExchanger, keys: readonly [StoredKey, StoredKey]): ExchangerState {
  return {
    formatVersion: 1,
    kind: 'exchanger',
    namespace: desired.namespace,
    name: desired.name,
    issuer: desired.issuer,
    phase: 'Steady',
    keys: { current: keys[0], next: keys[1] },
    applied: [],
    spent: [],
  };
}

/**
 * Addresses that are not known to present `key`, in words. What could not be reached counts, for unknown is not yes,
 * unless the agent on the host attests the key.
 */
export function laggingAddresses(hosts: readonly ObservedHost[], key: StoredKey): readonly string[] {
  return hosts.flatMap(({ host, probes, attestation }) => {
    const attested = attestation?.presents?.spkiSha256 === key.spkiSha256 && attestation.error === undefined;
    if (probes.length === 0) return [`${host}: no address was found to probe`];
    return probes.flatMap(({ address, result }) => {
      if (result.outcome === 'Tls') {
        return result.chain[0]?.spkiSha256 === key.spkiSha256 ? [] : [`${host} [${address}] still shows another key`];
      }
      const silent = result.outcome === 'Unknown' || result.outcome === 'Blocked' || result.outcome === 'Temporary';
      return silent && attested ? [] : [`${host} [${address}]: ${result.detail}`];
    });
  });
}

function wantedRecords(
  desired: DesiredExchanger,
  observed: ObservedExchanger,
  state: ExchangerState,
  lagging: readonly string[],
): readonly WantedSet[] {
  const { current, next } = state.keys;
  const digests = [...new Set([current, next].map(({ spkiSha256 }) => `3 1 1 ${spkiSha256}`))];
  return desired.hosts.flatMap(({ host, grant }): WantedSet[] => {
    const security = observed.hosts.find((entry) => entry.host === host)?.security.verdict ?? 'Unknown';
    const name = tlsaName(host, 25);
    const stands = state.applied.some((entry) => entry.name === name && entry.since !== undefined);
    const mark = {
      ...grant,
      name: markName(host),
      type: 'TXT',
      ttl: markTtlSeconds,
      values: [markValue(observed.installationId)],
    } as const;
    const tlsa = { ...grant, name, type: 'TLSA', ttl: desired.dane.ttlSeconds, values: digests } as const;
    if (desired.dane.mode === 'Off' || (security !== 'Secure' && !stands)) return [mark];
    // RFC 7671 §8: first publication only when every host presents the key that it promises.
    const hold = lagging.length > 0 && !stands ? 'waits until every host presents the key' : undefined;
    return [mark, { ...tlsa, hold }];
  });
}

/** Whether the certificate in hand may go to the hosts now. */
function planDelivery(desired: DesiredExchanger, observed: ObservedExchanger, state: ExchangerState): Delivery {
  const { certificate } = state;
  if (certificate === undefined)
    return { status: 'NoCertificate', reason: 'OrderPending', message: 'there is no certificate yet' };
  const { mounted } = observed;
  switch (mounted.is) {
    case 'Foreign':
      return { status: 'Blocked', reason: 'SecretForeign', message: mounted.message };
    case 'Forbidden':
      return { status: 'Blocked', reason: 'SecretForbidden', message: mounted.message };
    case 'Ours': {
      const chain = Buffer.from(mounted.object.data?.['tls.crt'] ?? '', 'base64').toString('utf8');
      const key = Buffer.from(mounted.object.data?.['tls.key'] ?? '', 'base64').toString('utf8');
      if (chain === certificate.chain && key === state.keys.current.pem) {
        return {
          status: 'Delivered',
          reason: 'AwaitingDelivery',
          message: `Secret ${desired.secretName} holds the certificate`,
        };
      }
      break;
    }
    case 'Absent':
      break;
  }
  return (
    vetoByTlsa(observed, certificate.spkiSha256) ?? {
      status: 'Delivering',
      reason: 'AwaitingDelivery',
      message: `the certificate goes to Secret ${desired.secretName}`,
    }
  );
}

/** RFC 7671 §8.1: no key reaches a host that the live secure TLSA set does not match, whoever published it. */
function vetoByTlsa(observed: ObservedExchanger, spkiSha256: string): Delivery | undefined {
  for (const { host, liveTlsa, security } of observed.hosts) {
    const { outcome, authentic, values, detail } = liveTlsa;
    if (outcome === 'Found' && authentic && !values.includes(`3 1 1 ${spkiSha256}`)) {
      const stands = values.join(' | ');
      return {
        status: 'Blocked',
        reason: 'TLSAMismatch',
        message: `${tlsaName(host, 25)} pins another key (${stands}): delivering ours would make DANE senders defer mail to ${host}. Remove that record, wait for its TTL, and the certificate is delivered`,
      };
    }
    const unknown = outcome === 'ServFail' || outcome === 'Unreachable' || outcome === 'Bogus';
    if (!unknown && security.verdict !== 'Unknown') continue;
    return {
      status: 'Blocked',
      reason: 'DNSUnknown',
      message: `can't tell whether TLSA records pin another key for ${host}: ${detail ?? security.detail}. The certificate waits`,
    };
  }
  return undefined;
}

function secretFor(
  desired: DesiredExchanger,
  observed: ObservedExchanger,
  state: ExchangerState,
  chain: string,
): SecretObject {
  const encode = (text: string): string => Buffer.from(text, 'utf8').toString('base64');
  const found = observed.mounted.is === 'Ours' ? observed.mounted.object.metadata.resourceVersion : undefined;
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: desired.secretName,
      namespace: desired.namespace,
      labels: { 'app.kubernetes.io/managed-by': 'mailseal', 'mailseal.dev/exchanger': desired.name },
      ...(found === undefined ? {} : { resourceVersion: found }),
    },
    type: 'kubernetes.io/tls',
    data: { 'tls.crt': encode(chain), 'tls.key': encode(state.keys.current.pem) },
  };
}

/**
 * The ordered changes that bring an exchanger nearer to what is desired, and the waits for what may not happen yet.
 * @returns undefined where there is neither stored state nor keys to begin with.
 */
export function planExchanger(
  desired: DesiredExchanger,
  observed: ObservedExchanger,
  now: number,
): ExchangerPlan | undefined {
  const stored = observed.state ?? (observed.freshKeys && newState(desired, observed.freshKeys));
  if (stored === undefined) return undefined;
  const lagging = laggingAddresses(observed.hosts, stored.keys.current);
  const records = planRecords({
    wanted: wantedRecords(desired, observed, stored, lagging),
    applied: stored.applied,
    views: observed.views,
    marked: (name) => isMarked(observed, desired, name),
    now,
  });
  const certificate = planCertificate({
    ...observed.certificate,
    state: { ...stored, issuer: desired.issuer, applied: records.applied },
    key: stored.keys.current,
    names: desired.certificateNames,
    now,
  });
  const state = certificate.state as ExchangerState;
  const delivery = planDelivery(desired, observed, state);
  const chain = state.certificate?.chain;
  const deliver: Change[] =
    delivery.status === 'Delivering' && chain !== undefined
      ? [
          {
            do: 'Deliver',
            why: 'the certificate is ready and no live TLSA contradicts it',
            secret: secretFor(desired, observed, state, chain),
          },
        ]
      : [];
  const { changes, waits } = assemble({
    stored: observed.state,
    state,
    certificate,
    records,
    steps: deliver,
    suspended: desired.suspended,
    settling: observed.settling,
  });
  return { changes, waits, state, certificate, records, delivery, lagging };
}

function isMarked(observed: ObservedExchanger, desired: DesiredExchanger, name: string): boolean {
  const host = desired.hosts.find((entry) => name === markName(entry.host) || name === tlsaName(entry.host, 25))?.host;
  if (host === undefined) return false;
  return (
    observed.views.get(`${markName(host)} TXT`)?.live?.values.includes(markValue(observed.installationId)) ?? false
  );
}
