/** `mailseal uninstall-check`: whether anything still has to be withdrawn before the operator and its policy pods go. */
import { parseArgs } from 'node:util';
import { apiVersion, type MailDomain, type MailExchanger, type Retirement } from '../api/types.ts';
import { UsageError } from '../config.ts';
import { messageOf } from '../errors.ts';
import { createKube } from '../kube/client.ts';
import { loadKubeConfig } from '../kube/config.ts';
import { hasReason } from '../kube/error.ts';
import type { Kube, KubeObject, ListQuery } from '../kube/types.ts';
import type { Io } from './io.ts';

const usage = `mailseal uninstall-check: fails while objects or withdrawals need the operator (the chart runs it before helm uninstall)

  --kubeconfig FILE, --context NAME   the cluster; without them, the one that it runs in
  --namespace NAME                    that of the operator (mailseal)
`;

/** Of more a human needs no list. */
const mostNamed = 20;

/** 0: nothing is left; 1: something is, and is named on stderr. */
export async function runUninstallCheck(args: readonly string[], io: Io): Promise<number> {
  if (args.includes('--help')) {
    io.out(usage);
    return 0;
  }
  const { kubeconfig, context, namespace } = parse(args);
  const access = await loadKubeConfig(
    kubeconfig === undefined ? { from: 'cluster' } : { from: 'file', file: kubeconfig, context },
  );
  const kube = createKube(access, { userAgent: 'mailseal-uninstall-check' });
  try {
    const left = await whatIsLeft(kube, namespace);
    if (left.length === 0) {
      io.out('nothing is left that needs Mailseal\n');
      return 0;
    }
    io.err(refusal(left, namespace));
    return 1;
  } finally {
    kube.close();
  }
}

async function whatIsLeft(kube: Pick<Kube, 'list'>, namespace: string): Promise<readonly string[]> {
  const [domains, exchangers, retirements] = await Promise.all([
    listed<MailDomain>(kube, { apiVersion, kind: 'MailDomain' }),
    listed<MailExchanger>(kube, { apiVersion, kind: 'MailExchanger' }),
    listed<Retirement>(kube, { apiVersion, kind: 'Retirement', namespace }),
  ]);
  const name = ({ kind, metadata }: KubeObject): string => `${kind} ${metadata.namespace ?? ''}/${metadata.name}`;
  return [
    ...domains.map((one) => `${name(one)} (${one.spec.domain})`),
    ...exchangers.map((one) => `${name(one)} (${one.spec.hosts.join(', ')})`),
    ...retirements.map((one) => {
      const { domain, hosts = [] } = one.spec;
      const due = one.status?.due;
      return `${name(one)} (${domain ?? hosts.join(', ')}${due === undefined ? '' : `, promised until ${due}`})`;
    }),
  ];
}

/** None of a kind whose CRD is not there. */
async function listed<T extends KubeObject>(kube: Pick<Kube, 'list'>, query: ListQuery): Promise<readonly T[]> {
  try {
    return await kube.list<T>(query);
  } catch (error) {
    if (hasReason(error, 'NotFound')) return [];
    throw error;
  }
}

function refusal(left: readonly string[], namespace: string): string {
  const more = left.length > mostNamed ? [`and ${left.length - mostNamed} more`] : [];
  const lines = [...left.slice(0, mostNamed), ...more].map((line) => `  ${line}\n`).join('');
  return (
    `Mailseal is still needed: without it these would neither be withdrawn nor renewed, and deleting them would hang.\n${lines}` +
    `Delete the MailDomains and MailExchangers, and wait until this is empty: kubectl -n ${namespace} get retirements\n` +
    'To uninstall all the same, and leave everything as it stands: helm uninstall --no-hooks\n' +
    'To go on without uninstalling, so that Helm takes the release for deployed again: helm rollback RELEASE REVISION\n'
  );
}

interface Flags {
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  readonly namespace: string;
}

/** @throws UsageError */
function parse(args: readonly string[]): Flags {
  try {
    return parseArgs({
      args: [...args],
      options: {
        kubeconfig: { type: 'string' },
        context: { type: 'string' },
        namespace: { type: 'string', default: 'mailseal' },
      },
    }).values;
  } catch (error) {
    throw new UsageError(messageOf(error), { cause: error });
  }
}
