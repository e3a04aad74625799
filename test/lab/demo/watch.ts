/** Follows the objects of the demo and says what turns. */
import type { Condition, MailDomain, MailExchanger } from '../../../src/api/types.ts';
import { kubectl } from '../kubectl.ts';
import { waitFor } from '../process.ts';
import { messageOf, type Steps } from './steps.ts';

type Watched = MailDomain | MailExchanger;

export interface Converged {
  readonly domain: MailDomain;
  readonly objects: readonly Watched[];
}

const line = ({ type, status, reason, message }: Condition): string =>
  `${type}=${status} ${reason}${message === '' ? '' : `: ${message.length > 140 ? `${message.slice(0, 139)}…` : message}`}`;

/** Resolves when the domain is Ready; every condition that turns on the way is said, and every record that appears. */
export async function watchUntilReady(
  kubeconfig: readonly string[],
  target: { readonly namespace: string; readonly name: string },
  steps: Steps,
  timeoutMs: number,
  seen: (domain: MailDomain) => void,
): Promise<Converged> {
  const started = performance.now();
  const said = new Set<string>();
  const say = (key: string, text: string): void => {
    if (said.has(key)) return;
    said.add(key);
    steps.say(`    ${((performance.now() - started) / 1000).toFixed(1).padStart(5)} s  ${text}`);
  };
  let last: readonly Watched[] = [];
  const look = async (): Promise<Converged | undefined> => {
    last = await list(kubeconfig, target.namespace);
    for (const object of last) tell(object, say);
    const domain = last.find(
      (object): object is MailDomain => object.kind === 'MailDomain' && object.metadata.name === target.name,
    );
    if (domain !== undefined) seen(domain);
    const ready = domain?.status?.conditions?.find(({ type }) => type === 'Ready');
    return domain !== undefined && ready?.status === 'True' && ready.observedGeneration === domain.metadata.generation
      ? { domain, objects: last }
      : undefined;
  };
  try {
    return await waitFor(`MailDomain ${target.name} Ready`, look, { timeoutMs, everyMs: 250 });
  } catch (error) {
    for (const object of last) {
      for (const condition of object.status?.conditions ?? []) steps.say(`    ${object.kind} ${line(condition)}`);
    }
    const ready = last.flatMap(({ kind, status }) => (kind === 'MailDomain' ? (status?.conditions ?? []) : []));
    const why = ready.filter(({ type }) => type === 'Ready').map(line);
    throw new Error([messageOf(error), ...why].join('; '), { cause: error });
  }
}

function tell(object: Watched, say: (key: string, text: string) => void): void {
  for (const condition of object.status?.conditions ?? []) {
    const { type, status, reason } = condition;
    say(`${object.kind} ${type} ${status} ${reason}`, `${object.kind} ${line(condition)}`);
  }
  for (const { name, type, values, since } of object.status?.records ?? []) {
    if (since !== undefined) say(`${name} ${type} ${values.join()}`, `record  ${name} ${type} ${values.join(' | ')}`);
  }
}

async function list(kubeconfig: readonly string[], namespace: string): Promise<readonly Watched[]> {
  const [file = '', ...flags] = kubeconfig;
  const text = await kubectl(file, ...flags, '-n', namespace, 'get', 'maildomains,mailexchangers', '-o', 'json');
  return (JSON.parse(text) as { items: Watched[] }).items;
}
