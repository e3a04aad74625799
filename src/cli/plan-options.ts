import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import ipaddr from 'ipaddr.js';
import { type OperatorConfig, operatorConfig, UsageError } from '../config.ts';
import { messageOf } from '../errors.ts';

export interface PlanOptions {
  /** What the operator would be told, as far as a plan asks. */
  readonly config: OperatorConfig;
  readonly files: readonly string[];
  /** A kubeconfig was given. */
  readonly cluster: boolean;
  readonly policyAddresses: readonly string[];
  readonly json: boolean;
  readonly probe: boolean;
}

export const planUsage: string = `mailseal plan: shows what Mailseal would do about manifests, and writes nothing

  -f, --file PATH        a file, a folder with all below it, or - for standard input; may be repeated
  --kubeconfig FILE, --context NAME
                         a cluster, over which the files are laid; without it the files are all that there is, the
                         Secrets with credentials among them
  --namespace NAME       where the operator runs (mailseal-system)
  --json                 for programs: the form is in docs/gitops.md
  --no-probe             connects to no MX host and to no policy host
  --policy-address IP    where the policy Service will be reached; may be repeated; without it the Service is asked
  --installation-id ID   by which the installation marks its records, where the cluster does not tell
and as the operator has them: --outside-resolver URL, --inside-resolver URL, --resolver-ca FILE, --secure-name NAME,
  --bogus-name NAME, --allow-addresses CIDR,CIDR, --policy-service NAME, --policy-selector LABELS, --policy-port PORT,
  --challenge-port PORT, --shards N, --shard-secret-prefix P, --ehlo-name NAME

Exit codes: 0 nothing to do, 2 changes (now, later or by hand), 1 an error, of the command line too.
`;

const options = {
  file: { type: 'string', short: 'f', multiple: true, default: [] },
  json: { type: 'boolean', default: false },
  'no-probe': { type: 'boolean', default: false },
  'policy-address': { type: 'string', multiple: true, default: [] },
  // The operator's own, with its defaults where there are none here.
  kubeconfig: { type: 'string' },
  context: { type: 'string' },
  namespace: { type: 'string', default: 'mailseal-system' },
  'outside-resolver': { type: 'string', multiple: true },
  'inside-resolver': { type: 'string', multiple: true },
  'resolver-ca': { type: 'string' },
  'secure-name': { type: 'string' },
  'bogus-name': { type: 'string' },
  'allow-addresses': { type: 'string' },
  'policy-service': { type: 'string' },
  'policy-selector': { type: 'string' },
  'policy-port': { type: 'string' },
  'challenge-port': { type: 'string' },
  shards: { type: 'string' },
  'shard-secret-prefix': { type: 'string' },
  'installation-id': { type: 'string' },
  'ehlo-name': { type: 'string' },
} as const satisfies ParseArgsOptionsConfig;

/** @throws UsageError */
export function planOptions(args: readonly string[]): PlanOptions {
  const options = lookOptions(args);
  if (options.files.length === 0)
    throw new UsageError('--file says what to plan: a file, a folder, or - for standard input');
  return options;
}

/**
 * Of any program that looks as the operator would and writes nothing; there may be no files.
 * @throws UsageError
 */
export function lookOptions(args: readonly string[]): PlanOptions {
  const { values } = parse(args);
  const { file: files, json, 'no-probe': quiet, 'policy-address': policyAddresses, ...flags } = values;
  const { kubeconfig, context } = flags;
  if (context !== undefined && kubeconfig === undefined) throw new UsageError('--context needs --kubeconfig');
  const wrong = policyAddresses.find((text) => !ipaddr.isValid(text));
  if (wrong !== undefined) throw new UsageError(`--policy-address must be an IP address, not "${wrong}"`);
  // The operator reads its own flags: what they mean is said in one place.
  const given = Object.entries(flags).flatMap(([name, value]) => [value].flat().map((one) => `--${name}=${one}`));
  return {
    config: operatorConfig(given),
    files,
    cluster: kubeconfig !== undefined,
    policyAddresses: policyAddresses.map((text) => ipaddr.parse(text).toString()),
    json,
    probe: !quiet,
  };
}

type Parsed = ReturnType<typeof parseArgs<{ options: typeof options; strict: true; allowPositionals: false }>>;

function parse(args: readonly string[]): Parsed {
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: false });
  } catch (error) {
    throw new UsageError(messageOf(error), { cause: error });
  }
}
