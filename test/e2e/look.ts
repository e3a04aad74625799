/** What a test looks at: objects and their conditions, records as the primary shows them, the operator's own figures. */
import type { Condition, MailDomain, MailExchanger } from '../../src/api/types.ts';
import { run } from '../lab/command.ts';
import { readWrites, type Write } from '../lab/counts.ts';
import { operatorNamespace, operatorUser } from '../lab/demo/install.ts';
import { places } from '../lab/lab.ts';
import { waitFor } from '../lab/process.ts';
import { ask, type Reply } from '../lab/dns-ask.ts';
import type { Answer } from 'dns-packet';
import type { World } from './world.ts';

interface Kinds {
  readonly maildomain: MailDomain;
  readonly mailexchanger: MailExchanger;
}
type Kind = keyof Kinds;
type Seen = Kinds[Kind];

/** `name`, or `namespace/name`; namespace `mail` when absent. */
export async function get<K extends Kind>(world: World, kind: K, object: string): Promise<Kinds[K]> {
  const [name = '', namespace = 'mail'] = object.split('/').reverse();
  return JSON.parse(await world.kubectl('-n', namespace, 'get', kind, name, '-o', 'json')) as Kinds[K];
}

export const conditionIn = (object: Seen, type: string): Condition | undefined =>
  object.status?.conditions?.find((condition) => condition.type === type);

const inWords = (object: Seen | undefined): string =>
  (object?.status?.conditions ?? [])
    .map(({ type, status, reason, message }) => `${type}=${status} ${reason}: ${message}`)
    .join('\n');

/** Resolves with the object once `wanted` holds for it; rejects with what its conditions say instead. */
export async function until<K extends Kind>(
  world: World,
  kind: K,
  name: string,
  wanted: (object: Kinds[K]) => boolean,
  timeoutMs = 60_000,
): Promise<Kinds[K]> {
  let last: Kinds[K] | undefined;
  try {
    return await waitFor(
      `${kind} ${name}`,
      async () => {
        last = await get(world, kind, name);
        return wanted(last) ? last : undefined;
      },
      { timeoutMs, everyMs: 300 },
    );
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${inWords(last)}`, { cause: error });
  }
}

/** Ready, and that said of what the spec says now. */
export const isReady = (object: Seen): boolean => {
  const ready = conditionIn(object, 'Ready');
  return ready?.status === 'True' && ready.observedGeneration === object.metadata.generation;
};

/** Has a condition with this reason. */
export const says =
  (type: string, reason: string) =>
  (object: Seen): boolean =>
    conditionIn(object, type)?.reason === reason;

export type Asked = 'TXT' | 'A' | 'TLSA';

/** Values as the primary shows them, sorted, in the form that zone files have. */
export async function dig(name: string, type: Asked): Promise<readonly string[]> {
  return valuesIn(await ask({ server: places.primary.v4, name, type }), type);
}

/** What the validating resolver outside says, and whether it vouches for that. */
export async function askOutside(
  name: string,
  type: Asked,
): Promise<{ values: readonly string[]; authentic: boolean }> {
  const reply = await ask({ server: places.outside, name, type, timeoutMs: 5000 });
  return { values: valuesIn(reply, type), authentic: reply.authentic };
}

function valuesIn({ answers }: Reply, type: Asked): readonly string[] {
  return answers.flatMap((answer) => (answer.type === type ? [valueOf(answer)] : [])).sort();
}

function valueOf(answer: Answer): string {
  if (answer.type === 'TXT') return [answer.data].flat().map(String).join('');
  if (answer.type === 'A') return answer.data;
  if (answer.type !== 'TLSA') throw new Error(`nobody asked for ${answer.type}`);
  const { usage, selector, matchingType, certificate } = answer.data;
  return [usage, selector, matchingType, certificate.toString('hex')].join(' ');
}

/** The policy over HTTPS, with a certificate that the lab's CA vouches for. */
export function policyOf(world: World, domain: string): Promise<string> {
  const host = `mta-sts.${domain}`;
  const where = ['--cacert', world.rootsFile, '--resolve', `${host}:443:${places.policy}`];
  return run(['curl', '-sS', '--fail', '--max-time', '10', ...where, `https://${host}/.well-known/mta-sts.txt`]);
}

/** Writes of the operator that succeeded, without those of the Lease. */
export function operatorWrites({ lab }: World): readonly Write[] {
  return readWrites(lab.controlPlane.auditLogPath).filter(
    ({ user, resource, code }) => user === operatorUser && resource !== 'leases' && code < 300,
  );
}

export interface OperatorPod {
  readonly name: string;
  readonly ip: string;
}

/** Operator pods that are not on their way out. */
export async function operatorPods(world: World): Promise<readonly OperatorPod[]> {
  const selector = 'app.kubernetes.io/component=operator';
  const text = await world.kubectl('-n', operatorNamespace, 'get', 'pods', '-l', selector, '-o', 'json');
  const { items } = JSON.parse(text) as {
    items: { metadata: { name: string; deletionTimestamp?: string }; status: { podIP?: string } }[];
  };
  return items
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .map(({ metadata, status }) => ({ name: metadata.name, ip: status.podIP ?? '' }));
}

/** The name of the pod that holds the Lease. */
export async function leader(world: World): Promise<string> {
  const path = 'jsonpath={.spec.holderIdentity}';
  const holder = await world.kubectl('-n', operatorNamespace, 'get', 'lease', 'mailseal-operator', '-o', path);
  return holder.slice(0, holder.lastIndexOf('-'));
}

/** How often the leading operator has looked at objects of a kind since it started. */
export async function looks(world: World): Promise<Readonly<Record<'domain' | 'exchanger', number>>> {
  const name = await leader(world);
  const pod = (await operatorPods(world)).find((one) => one.name === name);
  if (pod === undefined || pod.ip === '') throw new Error(`the Lease is held by ${name}, and no such pod runs`);
  const metrics = await run(['curl', '-sS', '--fail', '--max-time', '5', `http://${pod.ip}:9090/metrics`]);
  const sum = (kind: string): number =>
    [...metrics.matchAll(/^controller_runtime_reconcile_total\{([^}]*)\} (\d+)$/gm)]
      .filter(([, labels]) => labels?.includes(`controller="${kind}"`))
      .reduce((total, [, , count]) => total + Number(count), 0);
  return { domain: sum('domain'), exchanger: sum('exchanger') };
}

/** Resolves when the operator has nothing more to do: two counts of its looks, two seconds apart, are the same. */
export async function quiet(world: World): Promise<void> {
  let last = '';
  await waitFor(
    'the operator has nothing more to do',
    async () => {
      const now = JSON.stringify([await looks(world), operatorWrites(world).length]);
      const same = now === last;
      last = now;
      return same;
    },
    { timeoutMs: 90_000, everyMs: 2000 },
  );
}
