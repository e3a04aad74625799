/** What objects of a cluster tell a reconcile, and the one form in which it asks for them: see `Cache`. */
import ipaddr from 'ipaddr.js';
import {
  type Attestation,
  agentName,
  attestationDataKey,
  exchangerLabel,
  parseAttestation,
} from '../api/attestation.ts';
import type { MailDomain } from '../api/types.ts';
import { messageOf } from '../errors.ts';
import type { ConfigMapObject, KubeObject } from '../kube/types.ts';
import type { Log } from '../log.ts';
import type { Cache, PolicyPod } from '../world.ts';

export interface PodObject extends KubeObject {
  readonly status?: { readonly phase?: string; readonly podIP?: string };
}

/** A pod that was evicted or has ended stays listed for long, with an address that may be another's by now. */
const endedPhases: readonly (string | undefined)[] = ['Failed', 'Succeeded'];

export interface ServiceObject extends KubeObject {
  readonly spec?: { readonly externalIPs?: readonly string[] };
  readonly status?: { readonly loadBalancer?: { readonly ingress?: readonly { readonly ip?: string }[] } };
}

/** What an agent says of a host of an exchanger. */
export interface Attested {
  readonly namespace: string;
  readonly exchanger: string;
  readonly attestation: Attestation;
}

interface Kept<T> {
  readonly get: (key: string) => T | undefined;
  readonly all: () => readonly T[];
}

type Objects<K extends 'domains' | 'exchangers' | 'retirements'> = Kept<ReturnType<Cache[K]>[number]>;

/** Where the objects are; keys are `namespace/name`. */
export interface CacheSources extends Pick<Cache, 'providers' | 'issuers' | 'policyPods'> {
  readonly domains: Objects<'domains'>;
  readonly exchangers: Objects<'exchangers'>;
  readonly retirements: Objects<'retirements'>;
  readonly policyAddresses: () => readonly string[];
  readonly attestations: () => readonly Attested[];
  /** The operator's own. */
  readonly namespace: string;
}

export function cacheOf(sources: CacheSources): Cache {
  const { domains, exchangers, retirements, providers, issuers, policyPods, namespace } = sources;
  return {
    domain: (at, name) => domains.get(`${at}/${name}`),
    exchanger: (at, name) => exchangers.get(`${at}/${name}`),
    retirement: (name) => retirements.get(`${namespace}/${name}`),
    retirements: retirements.all,
    domains: domains.all,
    exchangers: exchangers.all,
    providers,
    issuers,
    policyPods,
    policyAddresses: () => {
      const all = sources.policyAddresses();
      return {
        ipv4: all.filter((text) => ipaddr.IPv4.isValid(text)),
        ipv6: all.filter((text) => ipaddr.IPv6.isValid(text)),
      };
    },
    attestation: (at, exchanger, host) =>
      sources
        .attestations()
        .find((entry) => entry.namespace === at && entry.exchanger === exchanger && entry.attestation.host === host)
        ?.attestation,
  };
}

/** Undefined for one that has ended. */
export const policyPodOf = ({ metadata, status }: PodObject): PolicyPod | undefined =>
  endedPhases.includes(status?.phase) ? undefined : { name: metadata.name, uid: metadata.uid ?? '', ip: status?.podIP };

/** Canonical addresses under which the Service is reached from outside. */
export function policyAddressesOf({ spec, status }: ServiceObject): readonly string[] {
  const balanced = (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? []);
  const all = [...balanced, ...(spec?.externalIPs ?? [])].filter((text) => ipaddr.isValid(text));
  return [...new Set(all.map((text) => canonicalAddress(text)))].sort();
}

function canonicalAddress(text: string): string {
  const address = ipaddr.parse(text);
  return address instanceof ipaddr.IPv6 ? address.toRFC5952String() : address.toString();
}

/** Undefined where it is none, or can't be read, which is logged. */
export function readAttestation(object: ConfigMapObject, log: Log): Attested | undefined {
  const { labels, name, namespace = '' } = object.metadata;
  const exchanger = labels?.[exchangerLabel];
  const text = object.data?.[attestationDataKey];
  if (exchanger === undefined || text === undefined) return undefined;
  try {
    const attestation = parseAttestation(text);
    if (name !== agentName(attestation.host))
      throw new Error(`it speaks of ${attestation.host}, whose agent is another`);
    return { namespace, exchanger, attestation };
  } catch (error) {
    log.warn('an attestation can not be read and counts for nothing', {
      object: `ConfigMap ${namespace}/${name}`,
      problem: messageOf(error),
    });
    return undefined;
  }
}

/** Whether a domain lives by the exchanger of this key, `namespace/name`. */
export function refersTo({ metadata, spec }: MailDomain, exchanger: string): boolean {
  const own = metadata.namespace ?? '';
  if (spec.exchangerRefs === undefined) return `${own}/${metadata.name}` === exchanger;
  return spec.exchangerRefs.some(({ name, namespace }) => `${namespace ?? own}/${name}` === exchanger);
}
