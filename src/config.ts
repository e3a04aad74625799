import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import ipaddr from 'ipaddr.js';
import { messageOf } from './errors.ts';
import type { KubeSource } from './kube/config.ts';
import type { Level } from './log.ts';
import { parseEndpoint } from './observe/dns/endpoint.ts';

/** The operator's settings. The chart passes all of them; by hand only `--namespace` is needed. */
export interface OperatorConfig {
  readonly kube: KubeSource;
  readonly namespace: string;
  /** Namespaces in which the chart lets us keep Secrets and read what agents attest. */
  readonly tenantNamespaces: readonly string[];
  readonly policyService: string;
  readonly policySelector: string;
  readonly policyPort: number;
  /** Where the policy pods answer HTTP-01 challenges; undefined where the installation does not let them. */
  readonly challengePort: number | undefined;
  readonly shards: number;
  readonly shardSecretPrefix: string;
  readonly outsideResolvers: readonly string[];
  /** Empty where nobody inside sees the DNS otherwise than the world does. */
  readonly insideResolvers: readonly string[];
  readonly resolverCaFile: string | undefined;
  readonly secureName: string;
  readonly bogusName: string;
  readonly allowAddresses: readonly string[];
  readonly installationId: string | undefined;
  readonly ehloName: string;
  readonly httpAddress: { readonly host: string; readonly port: number };
  readonly logLevel: Level;
  readonly leaderElection: boolean;
}

/** The command line could not be read; the message names the flag. */
export class UsageError extends Error {}

const options = {
  kubeconfig: { type: 'string' },
  context: { type: 'string' },
  namespace: { type: 'string', default: 'mailseal' },
  'tenant-namespaces': { type: 'string', default: '' },
  'policy-service': { type: 'string', default: 'mailseal-policy' },
  'policy-selector': { type: 'string', default: 'app.kubernetes.io/component=policy' },
  'policy-port': { type: 'string', default: '8443' },
  'challenge-port': { type: 'string' },
  shards: { type: 'string', default: '8' },
  'shard-secret-prefix': { type: 'string', default: 'mailseal-policy-shard-' },
  'outside-resolver': { type: 'string', multiple: true, default: ['tls://9.9.9.9:853#dns.quad9.net'] },
  'inside-resolver': { type: 'string', multiple: true, default: [] },
  'resolver-ca': { type: 'string' },
  'secure-name': { type: 'string', default: '.' },
  'bogus-name': { type: 'string', default: 'dnssec-failed.org' },
  'allow-addresses': { type: 'string', default: '' },
  'installation-id': { type: 'string' },
  'ehlo-name': { type: 'string', default: 'mailseal.invalid' },
  'http-address': { type: 'string', default: '127.0.0.1:9090' },
  'log-level': { type: 'string', default: 'info' },
  'no-leader-election': { type: 'boolean', default: false },
} as const satisfies ParseArgsOptionsConfig;

export const operatorUsage: string = `mailseal operator: reconciles every kind of mailseal.dev (the chart runs it)

  --kubeconfig FILE, --context NAME   the cluster; without them, the one that it runs in
  --namespace NAME                    where its durable state, credentials and policy pods are (mailseal)
  --tenant-namespaces A,B             where it may keep the Secrets that MX hosts mount
  --policy-service NAME, --policy-selector LABELS, --policy-port PORT
                                      the policy pods and the way to them
  --challenge-port PORT               where they answer HTTP-01 challenges; without it they answer none
  --shards N, --shard-secret-prefix P the Secrets that they mount
  --outside-resolver URL              tls://ADDRESS:853#NAME or udp://ADDRESS:53; may be repeated
  --inside-resolver URL               the view from inside, where it may differ; may be repeated
  --resolver-ca FILE                  whom to trust for tls:// beside the public CAs
  --secure-name NAME, --bogus-name NAME
                                      what the start-up test asks, to see whether a resolver validates
  --allow-addresses CIDR,CIDR         private networks that may be probed; for labs
  --installation-id ID                takes over the records of a lost installation
  --ehlo-name NAME                    what probes say in EHLO
  --http-address HOST:PORT            /metrics, /healthz, /readyz (127.0.0.1:9090)
  --log-level debug|info|warn|error
  --no-leader-election                for a single operator outside a cluster
`;

const list = (text: string): readonly string[] =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');

function whole(flag: string, text: string, least: number, most: number): number {
  const value = /^\d+$/u.test(text) ? Number(text) : Number.NaN;
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new UsageError(`--${flag} must be a whole number from ${least} to ${most}, not "${text}"`);
  }
  return value;
}

function networks(flag: string, text: string): readonly string[] {
  const all = list(text);
  const wrong = all.find((cidr) => !ipaddr.isValidCIDR(cidr));
  if (wrong === undefined) return all;
  throw new UsageError(`--${flag} must be networks such as 192.0.2.0/24 or 2001:db8::/32, not "${wrong}"`);
}

function resolvers(flag: string, all: readonly string[]): readonly string[] {
  for (const text of all) {
    try {
      parseEndpoint(text);
    } catch (error) {
      throw new UsageError(`--${flag}: ${messageOf(error)}`, { cause: error });
    }
  }
  return all;
}

/** `127.0.0.1:9090`, `[::]:9090`, `:9090`. */
export function hostAndPort(flag: string, text: string): { readonly host: string; readonly port: number } {
  const at = text.lastIndexOf(':');
  if (at < 0) throw new UsageError(`--${flag} must be HOST:PORT, not "${text}"`);
  const host = text.slice(0, at).replace(/^\[|\]$/gu, '');
  return { host: host === '' ? '::' : host, port: whole(flag, text.slice(at + 1), 0, 65_535) };
}

/** @throws UsageError */
export function operatorConfig(args: readonly string[]): OperatorConfig {
  const { values } = parse(args);
  const level = values['log-level'];
  if (level !== 'debug' && level !== 'info' && level !== 'warn' && level !== 'error') {
    throw new UsageError(`--log-level must be debug, info, warn or error, not "${level}"`);
  }
  const { kubeconfig, context } = values;
  return {
    kube: kubeconfig === undefined ? { from: 'cluster' } : { from: 'file', file: kubeconfig, context },
    namespace: values.namespace,
    tenantNamespaces: list(values['tenant-namespaces']),
    policyService: values['policy-service'],
    policySelector: values['policy-selector'],
    policyPort: whole('policy-port', values['policy-port'], 1, 65_535),
    challengePort:
      values['challenge-port'] === undefined ? undefined : whole('challenge-port', values['challenge-port'], 1, 65_535),
    shards: whole('shards', values.shards, 1, 256),
    shardSecretPrefix: values['shard-secret-prefix'],
    outsideResolvers: resolvers('outside-resolver', values['outside-resolver']),
    insideResolvers: resolvers('inside-resolver', values['inside-resolver']),
    resolverCaFile: values['resolver-ca'],
    secureName: values['secure-name'],
    bogusName: values['bogus-name'],
    allowAddresses: networks('allow-addresses', values['allow-addresses']),
    installationId: values['installation-id'],
    ehloName: values['ehlo-name'],
    httpAddress: hostAndPort('http-address', values['http-address']),
    logLevel: level,
    leaderElection: !values['no-leader-election'],
  };
}

type Parsed = ReturnType<typeof parseArgs<{ options: typeof options; strict: true; allowPositionals: false }>>;

function parse(args: readonly string[]): Parsed {
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: false });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}
