import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** The operator's metrics, under the names that controller-runtime's dashboards know, and Mailseal's own. */
export interface Metrics {
  readonly registry: Registry;
  readonly kubeRequests: Counter<'method' | 'code' | 'resource'>;
  readonly reconciles: Counter<'controller' | 'result'>;
  readonly reconcileSeconds: Histogram<'controller'>;
  readonly queueDepth: Gauge<'name'>;
  readonly queueSeconds: Histogram<'name'>;
  readonly leader: Gauge<'name'>;
  readonly acmeRequests: Counter<'method' | 'resource'>;
  readonly dnsCalls: Counter<'provider' | 'call'>;
  readonly recordSets: Counter<'provider'>;
  readonly objects: Gauge<'kind' | 'ready'>;
}

export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const buckets = [0.01, 0.05, 0.1, 0.5, 1, 5, 30];
  return {
    registry,
    kubeRequests: new Counter({
      name: 'rest_client_requests_total',
      help: 'Requests to the Kubernetes API, by method, status code and resource.',
      labelNames: ['method', 'code', 'resource'],
      registers,
    }),
    reconciles: new Counter({
      name: 'controller_runtime_reconcile_total',
      help: 'Looks at an object, by kind and result.',
      labelNames: ['controller', 'result'],
      registers,
    }),
    reconcileSeconds: new Histogram({
      name: 'controller_runtime_reconcile_time_seconds',
      help: 'How long one look took.',
      labelNames: ['controller'],
      buckets,
      registers,
    }),
    queueDepth: new Gauge({
      name: 'workqueue_depth',
      help: 'Objects that wait for a look.',
      labelNames: ['name'],
      registers,
    }),
    queueSeconds: new Histogram({
      name: 'workqueue_queue_duration_seconds',
      help: 'How long an object waited for a worker.',
      labelNames: ['name'],
      buckets,
      registers,
    }),
    leader: new Gauge({
      name: 'leader_election_master_status',
      help: '1 while this operator leads.',
      labelNames: ['name'],
      registers,
    }),
    acmeRequests: new Counter({
      name: 'mailseal_acme_requests_total',
      help: 'Requests to ACME servers, by method and resource.',
      labelNames: ['method', 'resource'],
      registers,
    }),
    dnsCalls: new Counter({
      name: 'mailseal_dns_calls_total',
      help: 'Calls of DNS providers, by provider and call.',
      labelNames: ['provider', 'call'],
      registers,
    }),
    recordSets: new Counter({
      name: 'mailseal_dns_record_sets_changed_total',
      help: 'Record sets that calls of a DNS provider set out to change.',
      labelNames: ['provider'],
      registers,
    }),
    objects: new Gauge({
      name: 'mailseal_objects',
      help: 'Objects by kind and by the status of their Ready condition.',
      labelNames: ['kind', 'ready'],
      registers,
    }),
  };
}
