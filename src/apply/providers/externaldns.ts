/**
 * An external-dns in the cluster that reads DNSEndpoint objects (`--source=crd`). Each name has an object of its own: it
 * stays small, many domains share none, and what is removed goes without a look at anything else. It is wholly ours, and
 * belongs to whichever DNSProvider publishes the name now: one that takes a zone over takes its objects over, too.
 */
import { capabilitiesOf } from '../../api/capabilities.ts';
import type { KubeObject } from '../../api/object.ts';
import type { DNSProviderSpec } from '../../api/types.ts';
import { equalSets, type RecordSet } from '../../dns/rrset.ts';
import { MailsealError } from '../../errors.ts';
import { hasReason, KubeError } from '../../kube/error.ts';
import type { Ref } from '../../kube/types.ts';
import { createTurns } from '../../observe/dns/turns.ts';
import { hashedName } from '../store.ts';
import { listByServers } from './byservers.ts';
import { stillStands } from './compare.ts';
import { type Endpoint, endpointOf, placeOf, readEndpoint } from './endpoints.ts';
import type { Credentials, ProviderParts } from './index.ts';
import type { Provider, RecordChange } from './provider.ts';

export interface DNSEndpoint extends KubeObject {
  readonly spec?: { readonly endpoints?: readonly Endpoint[] };
  /** external-dns has read this generation, and may have published it. */
  readonly status?: { readonly observedGeneration?: number };
}

const apiVersion = 'externaldns.k8s.io/v1alpha1';
const kind = 'DNSEndpoint';

/** The object's fields that we write, in one form that can be compared. */
const formOf = ({ metadata, spec }: DNSEndpoint): string => {
  const sorted = (map: Readonly<Record<string, string>> = {}) =>
    Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1));
  const endpoints = (spec?.endpoints ?? []).map((one) => [one.dnsName, one.recordType, one.recordTTL, one.targets]);
  return JSON.stringify([sorted(metadata.labels), sorted(metadata.annotations), endpoints]);
};

/** What the API server says, as a provider says it. The loss of the Lease is not the provider's. */
function providerError(error: unknown): unknown {
  if (!(error instanceof KubeError) || error.reason === 'NotLeader' || error.reason === 'Deleted') return error;
  const stalled = { kind: 'Stalled', cause: error } as const;
  const { status, message, retryAfterSeconds } = error;
  if (status === 404)
    return new MailsealError(
      'ProviderUnavailable',
      "the cluster has no DNSEndpoint objects: install external-dns's CRDs, and run it with --source=crd",
      stalled,
    );
  if (status === 401 || status === 403)
    return new MailsealError(
      'ProviderUnauthorized',
      `the operator may not write DNSEndpoint objects: set externalDns.enabled in the chart's values (${message})`,
      stalled,
    );
  if (status === 400 || status === 413 || status === 422)
    return new MailsealError('ProviderRefused', `the cluster refuses a DNSEndpoint object: ${message}`, stalled);
  const options = { retryAfterSeconds, cause: error };
  if (status === 429) return new MailsealError('ProviderThrottled', message, options);
  const doubt = error.mayHaveActed ? '; the change may or may not have been made' : '';
  return new MailsealError(
    'ProviderUnavailable',
    `the DNSEndpoint objects can't be reached: ${message}${doubt}`,
    options,
  );
}

async function said<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw providerError(error);
  }
}

/** The provider that a spec describes; throws as `createProvider` does. */
export function fromSpec(
  { labels = [] }: NonNullable<DNSProviderSpec['externalDns']>,
  _credentials: Credentials,
  { name: provider, namespace, kube, authorities, mayWrite }: ProviderParts,
): Provider {
  const turns = createTurns(1);
  const ourLabels: Readonly<Record<string, string>> = {
    ...Object.fromEntries(labels.map(({ name, value }) => [name, value])),
    'app.kubernetes.io/managed-by': 'mailseal',
  };
  const refOf = (zone: string, name: string): Ref => ({
    apiVersion,
    kind,
    namespace,
    name: hashedName('mailseal-dns', `${zone} ${name}`),
  });
  /** Whether external-dns, which may read only what has them, is told of it. */
  const hasOurLabels = ({ metadata: { labels: present = {} } }: DNSEndpoint): boolean =>
    Object.entries(ourLabels).every(([label, value]) => present[label] === value);
  const setsOf = (object: DNSEndpoint | undefined): readonly RecordSet[] =>
    (object?.spec?.endpoints ?? []).flatMap((endpoint) => readEndpoint(endpoint) ?? []);

  /**
   * What the DNS shows; and where it shows nothing yet, what external-dns is told to publish there: that stands as far as we
   * can tell, and could never be taken back if it were taken for absent. An object without our labels tells it nothing,
   * and is to be written anew.
   */
  const list: Provider['list'] = async (zone, sought) => {
    const standing = await listByServers(authorities, zone, sought);
    const names = [...new Set(sought.map(({ name }) => name))];
    const objects = await Promise.all(
      names.map(async (name) => [name, await said(kube.get<DNSEndpoint>(refOf(zone, name)))] as const),
    );
    const found = new Map(standing.map((set) => [`${set.name} ${set.type}`, set]));
    for (const [name, object] of objects) {
      const { generation } = object?.metadata ?? {};
      const isRead = generation !== undefined && object?.status?.observedGeneration === generation;
      for (const set of setsOf(object).filter((one) => one.name === name)) {
        const live = found.get(`${name} ${set.type}`);
        // external-dns knows which TTLs its DNS provider takes: one that it made of ours is not asked for again.
        const isOurs = live !== undefined && isRead && equalSets(live, set);
        const isAsked = sought.some((one) => one.name === name && (one.type === set.type || set.type === 'CNAME'));
        const isTold = object !== undefined && hasOurLabels(object);
        const isDue = live === undefined && isTold && isAsked && !found.has(`${name} CNAME`);
        if (isOurs || isDue) found.set(`${name} ${set.type}`, set);
      }
    }
    return [...found.values()];
  };

  /** What stays in the object beside the changes. With our labels it would be published: what was counted absent is not kept. */
  const keptOf = async (
    object: DNSEndpoint | undefined,
    zone: string,
    changes: readonly RecordChange[],
  ): Promise<readonly Endpoint[]> => {
    const changed = new Set<string>(changes.map(({ type }) => type));
    const others = (object?.spec?.endpoints ?? []).filter(({ recordType }) => !changed.has(recordType));
    if (object === undefined || hasOurLabels(object)) return others;
    const places = others.flatMap((endpoint) => placeOf(endpoint) ?? []);
    const shown = await listByServers(authorities, zone, places);
    return others.filter((one) => placeOf(one) === undefined || shown.some(({ type }) => type === one.recordType));
  };

  const next = (
    object: DNSEndpoint | undefined,
    zone: string,
    name: string,
    kept: readonly Endpoint[],
    changes: readonly RecordChange[],
  ): DNSEndpoint | undefined => {
    const made = changes.flatMap(({ after }) => (after === undefined ? [] : [endpointOf(after)]));
    const endpoints = [...kept, ...made].sort((a, b) => (a.recordType < b.recordType ? -1 : 1));
    if (endpoints.length === 0) return undefined;
    const { resourceVersion, annotations } = object?.metadata ?? {};
    return {
      apiVersion,
      kind,
      metadata: {
        ...refMeta(refOf(zone, name)),
        ...(resourceVersion === undefined ? {} : { resourceVersion }),
        labels: ourLabels,
        annotations: { ...annotations, 'mailseal.dev/dns-provider': provider, 'mailseal.dev/zone': zone },
      },
      spec: { endpoints },
    };
  };

  const writeOnce = async (zone: string, name: string, changes: readonly RecordChange[]): Promise<void> => {
    const ref = refOf(zone, name);
    const object = await kube.get<DNSEndpoint>(ref);
    const wanted = next(object, zone, name, await keptOf(object, zone, changes), changes);
    if (wanted === undefined && object === undefined) return;
    if (wanted !== undefined && object !== undefined && formOf(wanted) === formOf(object)) return;
    mayWrite?.();
    if (wanted === undefined) {
      const { resourceVersion, uid } = object?.metadata ?? {};
      await kube.remove(ref, {
        ...(resourceVersion === undefined ? {} : { resourceVersion }),
        ...(uid === undefined ? {} : { uid }),
      });
    } else if (object === undefined) await kube.create(wanted);
    else await kube.replace(wanted);
  };

  const write = async (zone: string, name: string, changes: readonly RecordChange[]): Promise<void> => {
    try {
      await said(writeOnce(zone, name, changes));
    } catch (error) {
      const cause = error instanceof MailsealError ? error.cause : error;
      if (!hasReason(cause, 'Conflict', 'AlreadyExists')) throw error;
      // Perhaps a successor of ours: what it wrote is seen before anything is written over it.
      throw new MailsealError('RecordChanged', `someone else has just written the DNSEndpoint of ${name}`);
    }
  };

  const apply: Provider['apply'] = (zone, changes) =>
    turns.take(zone, async () => {
      await stillStands(list, zone, changes);
      for (const [name, group] of Map.groupBy(changes, (change) => change.name)) await write(zone, name, group);
    });

  return { capabilities: capabilitiesOf.externalDns, share: () => 1 / changesPerCall, list, apply };
}

/** Each is a call to the API server; what waits behind them waits longer. */
const changesPerCall = 50;

const refMeta = ({ name, namespace }: Ref): Pick<Ref, 'name' | 'namespace'> => ({
  name,
  ...(namespace === undefined ? {} : { namespace }),
});
