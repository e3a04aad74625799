/** What a sender sees of a domain by a validating resolver of its own, and what the objects say. */
import { createHash, type X509Certificate } from 'node:crypto';
import { conditionOf } from '../../../src/api/conditions.ts';
import type { Condition, ConditionType } from '../../../src/api/types.ts';
import { valueOf } from '../../../src/observe/dns/read.ts';
import type { WireRecord } from '../../../src/observe/dns/wire.ts';
import { ask } from '../../lab/dns-ask.ts';
import { places } from '../../lab/lab.ts';
import { waitFor } from '../../lab/process.ts';
import { presentedChain, servedPolicy } from '../../observer/looks.ts';
import { type Ground, type Objects, objectsOf } from './ground.ts';
import { domains, mxAddress, mxHost, ownZone, policyServers, type WayName } from './names.ts';
import { requestLook } from './robot.ts';

export interface Sight {
  readonly policy: string | undefined;
  readonly policyHost: readonly string[];
  readonly reports: string | undefined;
  readonly tlsa: readonly string[];
}

/** Throws where the resolver does not vouch for an answer: all zones of the lab are signed. */
async function look(name: string, type: 'TXT' | 'A' | 'TLSA'): Promise<readonly string[]> {
  const { authentic, rcode, answers } = await ask({ server: places.outside, name, type, timeoutMs: 5000 });
  if (!authentic) throw new Error(`${name} ${type}: the resolver does not vouch for its answer (${rcode})`);
  const found = answers.filter((answer) => answer.type === type);
  return found.flatMap((answer) => valueOf(answer as WireRecord) ?? []).sort();
}

export async function sightOf(way: WayName): Promise<Sight> {
  const domain = domains[way];
  const [[policy], policyHost, [reports], tlsa] = await Promise.all([
    look(`_mta-sts.${domain}`, 'TXT'),
    look(`mta-sts.${domain}`, 'A'),
    look(`_smtp._tls.${domain}`, 'TXT'),
    look(`_25._tcp.${mxHost(way)}`, 'TLSA'),
  ]);
  return { policy, policyHost, reports, tlsa };
}

/** The names with a TXT record that nobody but a CA or Mailseal itself looks at: proofs, and marks. */
export async function leftoversOf(way: WayName): Promise<readonly string[]> {
  const hosts = [domains[way], mxHost(way)];
  const marked = hosts.flatMap((host) => (way === 'delegated' ? [`${host}.${ownZone}`] : [host]));
  const marks = marked.map((name) => `_mailseal.${name}`);
  const names = [...marks, ...[`mta-sts.${domains[way]}`, mxHost(way)].map((name) => `_acme-challenge.${name}`)];
  const standing = await Promise.all(names.map(async (name) => ((await look(name, 'TXT')).length > 0 ? [name] : [])));
  return standing.flat();
}

/** Milliseconds since 1970 from which the certificates hold that a sender meets: of the MX host, and of the policy host. */
export async function certifiedFrom(way: WayName): Promise<readonly number[]> {
  const served = await Promise.all(policyServers.map((address) => servedPolicy(address, domains[way])));
  const leaves = [await presentedLeaf(way), ...served.map(({ chain }) => chain[0])];
  return leaves.map((leaf) => leaf?.validFromDate.getTime() ?? 0);
}

async function presentedLeaf(way: WayName): Promise<X509Certificate> {
  const [leaf] = (await presentedChain(mxAddress(way), mxHost(way))) ?? [];
  if (leaf === undefined) throw new Error(`${mxHost(way)} presents no certificate`);
  return leaf;
}

/** The TLSA record of the key that the MX host of a way presents: `3 1 1` and its SHA-256 (RFC 6698 §2.1). */
export async function presentedTlsa(way: WayName): Promise<string> {
  const spki = (await presentedLeaf(way)).publicKey.export({ type: 'spki', format: 'der' });
  return `3 1 1 ${createHash('sha256').update(spki).digest('hex')}`;
}

/** For the object as it stands now. */
const condition = (object: Objects['domain'] | Objects['exchanger'], type: ConditionType): Condition | undefined => {
  const found = conditionOf(object?.status?.conditions, type);
  return found?.observedGeneration === object?.metadata.generation ? found : undefined;
};

export async function daneOf(ground: Ground, way: WayName): Promise<Condition | undefined> {
  return condition((await objectsOf(ground, way)).exchanger, 'DANEReady');
}

export const isReady = ({ domain, exchanger }: Objects): boolean =>
  [domain, exchanger].every((object) => condition(object, 'Ready')?.status === 'True');

/** Why it is not Ready, as whoever looks at the objects reads it. */
const wordsOf = ({ domain, exchanger }: Objects): string =>
  [domain, exchanger]
    .flatMap((object) => object?.status?.conditions ?? [])
    .filter(({ status }) => status !== 'True')
    .map(({ type, status, reason, message }) => `${type}=${status} ${reason}: ${message}`)
    .join('\n  ');

/** Resolves when `holds` is true of all these ways; else rejects with what the objects of the others say. */
export async function untilAll(
  ground: Ground,
  what: string,
  ways: readonly WayName[],
  holds: (way: WayName) => Promise<boolean>,
  /** Before each look. */
  first: () => Promise<void> = async () => undefined,
): Promise<void> {
  const open = new Set(ways);
  const why = new Map<WayName, string>();
  const check = async (way: WayName): Promise<void> => {
    try {
      if (await holds(way)) open.delete(way);
    } catch (error) {
      why.set(way, String(error));
    }
  };
  try {
    const all = async (): Promise<boolean> => {
      await first();
      await Promise.all([...open].map(check));
      return open.size === 0;
    };
    await waitFor(what, all, { timeoutMs: 90_000, everyMs: 250, part: ground.operator() });
  } catch (error) {
    const left = [...open].map(
      async (way) => `${way} ${why.get(way) ?? ''}\n  ${wordsOf(await objectsOf(ground, way))}`,
    );
    throw new Error(`${what}, but for:\n${(await Promise.all(left)).join('\n')}`, { cause: error });
  }
}

/** Has both objects of a way looked at afresh, past all that is remembered; resolves when both were. */
export async function lookAfresh(ground: Ground, ways: readonly WayName[]): Promise<void> {
  const asked = new Map<string, string>();
  for (const way of ways) {
    for (const object of Object.values(await objectsOf(ground, way))) {
      if (object === undefined) throw new Error(`${way} has no objects`);
      const { apiVersion, kind, metadata } = object;
      asked.set(`${kind} ${way}`, await requestLook(ground.kube, { apiVersion, kind, ...nameOf(metadata) }));
    }
  }
  await untilAll(ground, 'all were looked at afresh', ways, async (way) => {
    const objects = Object.values(await objectsOf(ground, way));
    return objects.every((object) => object.status?.requestedAt === asked.get(`${object.kind} ${way}`));
  });
}

const nameOf = ({ name, namespace = '' }: { readonly name: string; readonly namespace?: string }) => ({
  name,
  namespace,
});
