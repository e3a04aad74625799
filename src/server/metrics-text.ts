/** The few numbers of a policy pod, in the text format that Prometheus reads. */

export interface PolicyMetrics {
  readonly countRequest: (code: number) => void;
  readonly countHandshake: (outcome: HandshakeOutcome) => void;
  readonly countReload: (outcome: 'ok' | 'failed') => void;
  readonly countRefused: () => void;
  readonly text: (gauges: PolicyGauges) => string;
}

type HandshakeOutcome = 'ok' | 'unknown-name' | 'failed';

/** What is asked for at the moment of the scrape. */
interface PolicyGauges {
  readonly contexts: number;
  readonly shards: number;
  readonly hosts: number;
  readonly problems: number;
  readonly connections: number;
  readonly ready: boolean;
}

export function createPolicyMetrics(): PolicyMetrics {
  const requests = new Map<string, number>();
  const handshakes = new Map<string, number>();
  const reloads = new Map<string, number>();
  let refused = 0;
  const add = (counts: Map<string, number>, label: string): void => {
    counts.set(label, (counts.get(label) ?? 0) + 1);
  };
  return {
    countRequest: (code) => add(requests, String(code)),
    countHandshake: (outcome) => add(handshakes, outcome),
    countReload: (outcome) => add(reloads, outcome),
    countRefused: () => {
      refused += 1;
    },
    text: (gauges) =>
      [
        counter('mailseal_policy_requests_total', 'HTTPS requests by status code.', 'code', requests),
        counter('mailseal_policy_handshakes_total', 'TLS handshakes by outcome.', 'outcome', handshakes),
        counter('mailseal_policy_reloads_total', 'Shards that were read anew.', 'outcome', reloads),
        single('counter', 'mailseal_policy_connections_refused_total', 'Connections beyond a cap.', refused),
        single('gauge', 'mailseal_policy_connections', 'Open HTTPS connections.', gauges.connections),
        single('gauge', 'mailseal_policy_tls_contexts', 'TLS contexts held in memory.', gauges.contexts),
        single('gauge', 'mailseal_policy_shards', 'Shards that were found.', gauges.shards),
        single('gauge', 'mailseal_policy_hosts', 'Policy hosts that are served.', gauges.hosts),
        single(
          'gauge',
          'mailseal_policy_entry_problems',
          'Entries and shards that could not be used.',
          gauges.problems,
        ),
        single('gauge', 'mailseal_policy_ready', 'Whether all shards were read once.', gauges.ready ? 1 : 0),
      ].join(''),
  };
}

function counter(name: string, meaning: string, label: string, counts: ReadonlyMap<string, number>): string {
  const lines = [...counts].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([l, n]) => `${name}{${label}="${l}"} ${n}\n`);
  return `# HELP ${name} ${meaning}\n# TYPE ${name} counter\n${lines.join('')}`;
}

function single(type: 'counter' | 'gauge', name: string, meaning: string, value: number): string {
  return `# HELP ${name} ${meaning}\n# TYPE ${name} ${type}\n${name} ${value}\n`;
}
