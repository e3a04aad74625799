/**
 * The life of a domain, from the first apply to the last record: each scenario begins where the one before it ended,
 * and says when it has come to its end.
 */
import { conditionOf } from '../../src/api/conditions.ts';
import { apiVersion, type Condition, type Retirement } from '../../src/api/types.ts';
import type { ConfigMapObject, KubeObject, SecretObject } from '../../src/kube/types.ts';
import type { State } from '../../src/plan/state.ts';
import type { Shard } from '../../src/policyshard/shard.ts';
import { ageCertificates } from './aging.ts';
import { operatorNamespace, tenant } from './cluster.ts';
import type { Ground, Lane } from './lane.ts';
import { applyDomain, applySecondDomain, objectName, secondName, secondOf } from './objects.ts';
import { textOf } from './witness.ts';

export const scenarios = [
  'new-domain',
  'spec-change',
  'second-domain',
  'renewal',
  'deletion',
  'deletion-records',
  'deletion-end',
  'last-deletion',
  'last-deletion-records',
  'last-deletion-end',
] as const;
export type Scenario = (typeof scenarios)[number];

/** Where a scenario is played. */
export interface Stage {
  readonly ground: Ground;
  readonly lane: Lane;
  /** The first; the second goes by its name. */
  readonly domain: string;
}

export interface Play {
  /** What happened while no operator was at work; resolvers have forgotten what they knew. */
  readonly meanwhile?: (stage: Stage) => Promise<void>;
  /** Days that went by in that time, for all that was promised. */
  readonly days?: number;
  /** What a user does. */
  readonly act?: (stage: Stage) => Promise<void>;
  /** How many the CA makes, exactly. */
  readonly certificates: number;
  /** What is missing for its end, as a sentence; undefined when nothing is. */
  readonly missing: (stage: Stage) => Promise<string | undefined>;
}

/** Longer than any promise that a domain of these scenarios makes. */
const longDays = 400;

const get = <T extends KubeObject>({ lane }: Stage, kind: string, name: string): Promise<T | undefined> =>
  lane.kube.get<T>({ apiVersion, kind, namespace: tenant, name });

type Watched = KubeObject & {
  readonly status?: { readonly conditions?: readonly Condition[]; readonly observedGeneration?: number };
};

/** The objects of a run that have conditions. */
export async function watchedObjects(stage: Stage): Promise<readonly Watched[]> {
  const found = await Promise.all([
    get<Watched>(stage, 'MailDomain', objectName),
    get<Watched>(stage, 'MailExchanger', objectName),
    get<Watched>(stage, 'MailDomain', secondName),
  ]);
  return [...found.flatMap((one) => one ?? []), ...(await retirements(stage))];
}

const retirements = ({ lane }: Stage): Promise<readonly Retirement[]> =>
  lane.kube.list<Retirement>({ apiVersion, kind: 'Retirement', namespace: operatorNamespace });

/** Ready, for the object as it stands now. */
function isReady(object: Watched | undefined): boolean {
  const ready = conditionOf(object?.status?.conditions, 'Ready');
  return ready?.status === 'True' && ready.observedGeneration === object?.metadata.generation;
}

async function notReady(stage: Stage, ...names: readonly string[]): Promise<string | undefined> {
  for (const name of names) {
    if (!isReady(await get<Watched>(stage, 'MailDomain', name))) return `the MailDomain ${name} is not Ready`;
  }
  return undefined;
}

/** All Secrets of a namespace. */
const secretsOf = (lane: Lane, namespace: string): Promise<readonly SecretObject[]> =>
  lane.kube.list<SecretObject>({ apiVersion: 'v1', kind: 'Secret', namespace });

async function statesOf({ lane }: Stage): Promise<readonly State[]> {
  const all = await secretsOf(lane, operatorNamespace);
  return all
    .filter(({ type, data }) => type === 'mailseal.dev/state' && data?.['state.json'] !== undefined)
    .map((secret) => JSON.parse(textOf(secret, 'state.json')) as State);
}

async function entriesOf({ lane }: Stage): Promise<Shard['hosts']> {
  const all = await secretsOf(lane, operatorNamespace);
  const shards = all.filter(({ type }) => type === 'mailseal.dev/policy-shard');
  const entries = shards.flatMap((secret) => Object.entries((JSON.parse(textOf(secret, 'shard.json')) as Shard).hosts));
  return Object.fromEntries(entries);
}

/** Every certificate that was renewed stands where it is used. */
async function notRenewed(stage: Stage): Promise<string | undefined> {
  const [states, entries, mounted] = await Promise.all([
    statesOf(stage),
    entriesOf(stage),
    secretsOf(stage.lane, tenant),
  ]);
  for (const state of states) {
    const { kind, name, certificate } = state;
    const given =
      state.kind === 'domain'
        ? [entries[`mta-sts.${state.domain}`]?.certificate]
        : mounted.map((secret) => textOf(secret, 'tls.crt'));
    if (certificate === undefined || certificate.renewAt <= Date.now()) return `the ${kind} ${name} is not renewed`;
    if (!given.includes(certificate.chain)) return `the renewed certificate of the ${kind} ${name} is not in use`;
  }
  return undefined;
}

const ownDomain = (state: State): boolean => state.kind === 'domain' && state.name === objectName;
const secondDomain = (state: State): boolean => state.kind === 'domain' && state.name === secondName;
const exchanger = ({ kind }: State): boolean => kind === 'exchanger';

/** What senders look up first has gone, and what is left waits for caches. */
async function notWithdrawn(stage: Stage, of: (state: State) => boolean): Promise<string | undefined> {
  const state = (await statesOf(stage)).find(of);
  return state?.withdrawn === undefined ? 'the withdrawal of the promises is not stored' : undefined;
}

/** Nothing is left in the cluster of what a deleted object had, but the Secret that hosts mount. */
async function notGone(stage: Stage, of: (state: State) => boolean, claimed: string): Promise<string | undefined> {
  // The TTL of a mark is long, and nothing but that is waited for.
  await Promise.all([stage.domain, secondOf(stage.domain)].map((domain) => stage.ground.forget(domain)));
  const [left] = await retirements(stage);
  if (left !== undefined) return `the Retirement ${left.metadata.name} is there`;
  if ((await statesOf(stage)).some(of)) return 'the durable state is there';
  if (`mta-sts.${claimed}` in (await entriesOf(stage))) return `the policy of ${claimed} is served`;
  const maps = await stage.lane.kube.list<ConfigMapObject>({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    namespace: operatorNamespace,
  });
  return maps.some(({ data }) => data?.['claimed'] === claimed) ? `${claimed} is claimed` : undefined;
}

async function remove({ lane }: Stage, kind: string, name: string): Promise<void> {
  await lane.kube.remove({ apiVersion, kind, namespace: tenant, name });
}

/** The object has gone, and the policy of the deleted domain is held to. */
async function notHeld(stage: Stage, name: string): Promise<string | undefined> {
  if ((await get(stage, 'MailDomain', name)) !== undefined) return `the MailDomain ${name} is there`;
  const held = (await retirements(stage)).find(({ spec }) => spec.name === name && spec.what === 'Domain');
  const { reason } = conditionOf(held?.status?.conditions, 'Ready') ?? {};
  return reason === 'PromiseHeld' ? undefined : 'the withdrawn policy is not yet held to';
}

export const plays: Readonly<Record<Scenario, Play>> = {
  'new-domain': {
    act: ({ lane, domain }) => applyDomain(lane, domain),
    certificates: 2,
    missing: (stage) => notReady(stage, objectName),
  },
  // The host's certificate gets a further name.
  'spec-change': {
    act: ({ lane, domain }) => applyDomain(lane, domain, true),
    certificates: 1,
    missing: (stage) => notReady(stage, objectName),
  },
  'second-domain': {
    act: ({ lane, domain }) => applySecondDomain(lane, domain),
    certificates: 1,
    missing: (stage) => notReady(stage, objectName, secondName),
  },
  renewal: {
    meanwhile: ({ ground, lane }) => ageCertificates(ground, lane.kube, [tenant]),
    certificates: 3,
    missing: async (stage) => (await notRenewed(stage)) ?? notReady(stage, objectName, secondName),
  },
  deletion: {
    act: (stage) => remove(stage, 'MailDomain', objectName),
    certificates: 0,
    missing: async (stage) => (await notHeld(stage, objectName)) ?? notReady(stage, secondName),
  },
  'deletion-records': {
    days: longDays,
    certificates: 0,
    missing: async (stage) => (await notWithdrawn(stage, ownDomain)) ?? notReady(stage, secondName),
  },
  'deletion-end': {
    days: longDays,
    certificates: 0,
    missing: async (stage) => (await notGone(stage, ownDomain, stage.domain)) ?? notReady(stage, secondName),
  },
  // The exchanger with the last domain on it: its certificate is needed until nobody holds to that one's policy.
  'last-deletion': {
    act: async (stage) => {
      await remove(stage, 'MailExchanger', objectName);
      await remove(stage, 'MailDomain', secondName);
    },
    certificates: 0,
    missing: async (stage) => {
      if ((await get(stage, 'MailExchanger', objectName)) !== undefined) return 'the MailExchanger is there';
      return (await notWithdrawn(stage, exchanger)) ?? notHeld(stage, secondName);
    },
  },
  'last-deletion-records': {
    days: longDays,
    certificates: 0,
    missing: (stage) => notWithdrawn(stage, secondDomain),
  },
  'last-deletion-end': {
    days: longDays,
    certificates: 0,
    missing: async (stage) =>
      (await notGone(stage, secondDomain, secondOf(stage.domain))) ?? notGone(stage, exchanger, `mx.${stage.domain}`),
  },
};
