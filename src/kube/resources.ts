import { KubeError } from './error.ts';
import type { ListQuery, Ref } from './types.ts';

interface Resource {
  readonly plural: string;
  readonly namespaced: boolean;
}

const core = 'v1';
const mailseal = 'mailseal.dev/v1alpha1';

/** Every kind that any program of Mailseal reads or writes, by apiVersion and kind. */
const table: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  [core]: {
    ConfigMap: 'configmaps',
    Endpoints: 'endpoints',
    Event: 'events',
    Namespace: '/namespaces',
    Node: '/nodes',
    Pod: 'pods',
    Secret: 'secrets',
    Service: 'services',
    ServiceAccount: 'serviceaccounts',
  },
  'apps/v1': { DaemonSet: 'daemonsets', Deployment: 'deployments', StatefulSet: 'statefulsets' },
  'apiextensions.k8s.io/v1': { CustomResourceDefinition: '/customresourcedefinitions' },
  'authorization.k8s.io/v1': { SelfSubjectAccessReview: '/selfsubjectaccessreviews' },
  'coordination.k8s.io/v1': { Lease: 'leases' },
  'discovery.k8s.io/v1': { EndpointSlice: 'endpointslices' },
  'events.k8s.io/v1': { Event: 'events' },
  'externaldns.k8s.io/v1alpha1': { DNSEndpoint: 'dnsendpoints' },
  'rbac.authorization.k8s.io/v1': {
    ClusterRole: '/clusterroles',
    ClusterRoleBinding: '/clusterrolebindings',
    Role: 'roles',
    RoleBinding: 'rolebindings',
  },
  [mailseal]: {
    CertificateIssuer: '/certificateissuers',
    DNSProvider: '/dnsproviders',
    MailDomain: 'maildomains',
    MailExchanger: 'mailexchangers',
    Retirement: 'retirements',
  },
};

/** A leading slash in the table marks a cluster-scoped kind. */
function resourceOf(apiVersion: string, kind: string): Resource {
  const entry = table[apiVersion]?.[kind];
  if (entry === undefined) throw new KubeError(0, 'Invalid', `no resource is known for ${apiVersion} ${kind}`);
  return entry.startsWith('/') ? { plural: entry.slice(1), namespaced: false } : { plural: entry, namespaced: true };
}

/** The resource's name as metrics and RBAC rules say it: `maildomains`. */
export function pluralOf(apiVersion: string, kind: string): string {
  return resourceOf(apiVersion, kind).plural;
}

/** The path of a collection; of all namespaces where the query names none. */
export function collectionPath(query: Pick<ListQuery, 'apiVersion' | 'kind' | 'namespace'>): string {
  const { plural, namespaced } = resourceOf(query.apiVersion, query.kind);
  const root = query.apiVersion === core ? '/api/v1' : `/apis/${query.apiVersion}`;
  if (!namespaced && query.namespace !== undefined) {
    throw new KubeError(0, 'Invalid', `${query.kind} is cluster-scoped, but a namespace was given`);
  }
  return query.namespace === undefined
    ? `${root}/${plural}`
    : `${root}/namespaces/${segment(query.namespace)}/${plural}`;
}

/** The path of one object, or of its subresource. */
export function objectPath(ref: Ref, subresource?: string): string {
  if (resourceOf(ref.apiVersion, ref.kind).namespaced && ref.namespace === undefined) {
    throw new KubeError(0, 'Invalid', `${ref.kind} ${ref.name} is namespaced, but no namespace was given`);
  }
  const path = `${collectionPath(ref)}/${segment(ref.name)}`;
  return subresource === undefined ? path : `${path}/${subresource}`;
}

function segment(name: string): string {
  if (name === '' || name === '.' || name === '..') {
    throw new KubeError(0, 'Invalid', `${JSON.stringify(name)} can't name an object`);
  }
  return encodeURIComponent(name);
}

/** `?a=b&c=d` of the parameters that are there, else nothing. */
export function queryString(parameters: Readonly<Record<string, string | number | boolean | undefined>>): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) given.set(name, String(value));
  const text = given.toString();
  return text === '' ? '' : `?${text}`;
}

/** How caches and queues name an object: `namespace/name`, or `name` for cluster-scoped kinds. */
export function keyOf(ref: { readonly namespace?: string; readonly name: string }): string {
  return ref.namespace === undefined ? ref.name : `${ref.namespace}/${ref.name}`;
}
