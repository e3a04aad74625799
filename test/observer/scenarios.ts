/** What is done to a domain while the observer looks. */
import { type AddressInfo, createServer } from 'node:net';
import { apiVersion, type MailDomainSpec } from '../../src/api/types.ts';
import type { KubeObject, SecretObject } from '../../src/kube/types.ts';
import { createGate } from '../faults/gate.ts';
import { operatorNamespace, tenant } from '../faults/cluster.ts';
import type { Ground } from '../faults/lane.ts';
import { type Running, waitFor } from '../lab/process.ts';
import { issueBy, type Scenario, type Stage } from './play.ts';

export type ScenarioName =
  | 'life'
  | 'slow-volumes'
  | 'host-removed'
  | 'deletion'
  | 'foreign-report'
  | 'foreign-tlsa'
  | 'rest'
  | 'blind'
  | 'unreachable-host'
  | 'brief-certificates'
  | 'brief-certificates-suspended'
  | 'two-operators'
  | 'emptied-shard'
  | 'bad-neighbours';

/** A profile of the CA, in seconds: long enough for a renewal, short enough to see one. */
export const briefProfile = { name: 'brief', seconds: 180 } as const;

/** An address of the lab's network where nobody is. */
const nowhere = '10.53.0.251';

const atOnce = { ttlSeconds: 1, promotion: { immediately: true } } as const;
const dane = { ttlSeconds: 1 } as const;

/** Changes the zone as its owner does. */
const change = (ground: Ground, lines: string): Promise<void> => ground.dns.bind.dynamicUpdate(lines);

/** Resolves when the domain is Ready and its operator at rest. */
async function begin({ apply, start, ready, quiet }: Stage, spec: Partial<MailDomainSpec> = {}): Promise<Running> {
  await apply(spec);
  const operator = start();
  await ready();
  await quiet();
  return operator;
}

const reports = (domain: string): Partial<MailDomainSpec> => ({ tlsRpt: { rua: [`mailto:reports@${domain}`] } });

const briefly: Scenario['before'] = ({ ground, lane }) => issueBy(ground, lane, briefProfile.name);

const remove = ({ lane }: Stage): Promise<unknown> =>
  lane.kube.remove({ apiVersion, kind: 'MailDomain', namespace: tenant, name: 'one' });

interface LeaseLike extends KubeObject {
  readonly spec?: { readonly holderIdentity?: string };
}

/** The first is paused for longer than its Lease lasts, and wakes while the second leads. */
async function twoOperators({ lane, domain, observer, apply, start, ready, watched }: Stage): Promise<void> {
  const join = async (name: string): Promise<Running> => {
    const gate = createGate();
    gate.arm({ spot: undefined, kill: () => undefined, witness: observer.wires(name) });
    const { kubeconfig } = await lane.openApiDoor(name, gate);
    return start({ name, kubeconfig, election: true });
  };
  const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', namespace: operatorNamespace };
  const holder = async (): Promise<string | undefined> =>
    (await lane.kube.get<LeaseLike>({ ...lease, name: 'mailseal-operator' }))?.spec?.holderIdentity;
  await apply();
  const first = await join('first');
  await ready();
  const before = await holder();
  first.signal('SIGSTOP');
  await join('second');
  await waitFor('the second operator leads', async () => (await holder()) !== before, { timeoutMs: 40_000 });
  first.signal('SIGCONT');
  await apply(reports(domain));
  await ready();
  await watched(4000);
}

/** With no operator to put it right, the Secret that the pods mount loses all that it held. */
async function emptyShard(stage: Stage): Promise<void> {
  const { lane, observer, watched } = stage;
  const operator = await begin(stage);
  await operator.stop();
  observer.told({ is: 'away', what: 'kubernetes' });
  const ref = { apiVersion: 'v1', kind: 'Secret', namespace: operatorNamespace, name: 'mailseal-policy-shard-0' };
  const shard = await lane.kube.get<SecretObject>(ref);
  if (shard === undefined) throw new Error('there is no shard');
  const text = JSON.stringify({ formatVersion: 1, hosts: {} });
  await lane.kube.replace({ ...shard, data: { 'shard.json': Buffer.from(text).toString('base64') } });
  await watched(4000);
}

/** Domains whose name server takes what it is told and never answers. */
async function badNeighbours({ lane, apply, start, ready, watched }: Stage): Promise<void> {
  const hole = createServer(() => undefined);
  await new Promise<void>((resolve) => hole.listen(0, '127.0.0.1', resolve));
  const rfc2136 = { server: `127.0.0.1:${(hole.address() as AddressInfo).port}`, tsigKeyName: 'mailseal' };
  const allowedNamespaces = { names: [tenant] };
  const credentialsSecretRef = { name: 'dns-update-key' };
  const put = (kind: string, name: string, spec: object): Promise<unknown> => {
    const metadata = kind === 'MailDomain' ? { name, namespace: tenant } : { name };
    return lane.kube.apply({ apiVersion, kind, metadata, spec } as KubeObject, { fieldManager: 'observer' });
  };
  await put('DNSProvider', 'hole', { zones: ['example.test'], allowedNamespaces, rfc2136, credentialsSecretRef });
  for (let index = 0; index < 24; index += 1) {
    const domain = `bad${index}.example.test`;
    await put('MailDomain', `bad${index}`, { domain, mx: { hosts: [`mx.${domain}`] } });
  }
  start();
  await watched(4000);
  await apply();
  await ready();
  hole.close();
}

/** A domain is new, rests, changes, and rests again. */
async function life(stage: Stage): Promise<void> {
  const { domain, apply, ready, quiet, observer } = stage;
  await begin(stage);
  observer.told({ is: 'settled' });
  await apply({ mtaSts: { ...atOnce, maxAgeSeconds: 1_209_600 }, ...reports(domain) });
  await ready();
  await quiet();
  observer.told({ is: 'settled' });
}

export const scenarios: Readonly<Record<ScenarioName, Scenario>> = {
  life: { play: life },
  'slow-volumes': {
    volumeDelayMs: 4000,
    play: life,
  },
  'host-removed': {
    play: async (stage) => {
      const { domain, apply, watched } = stage;
      await begin(stage, { mx: { hosts: [`mx.${domain}`, `smtp.${domain}`], dane } });
      await apply({ mx: { hosts: [`smtp.${domain}`], dane } });
      await watched(10_000);
    },
  },
  deletion: {
    play: async (stage) => {
      await begin(stage);
      await remove(stage);
      await stage.watched(12_000);
    },
  },
  'foreign-report': {
    before: ({ ground, domain }) =>
      change(ground, `update add _smtp._tls.${domain}. 300 TXT "v=TLSRPTv1; rua=mailto:other@example.test"`),
    play: async ({ domain, apply, start, watched }) => {
      await apply(reports(domain));
      start();
      await watched(15_000);
    },
  },
  'foreign-tlsa': {
    before: ({ ground, domain }) => change(ground, `update add _25._tcp.mx.${domain}. 1 TLSA 3 1 1 ${'5a'.repeat(32)}`),
    play: async ({ apply, start, observer, watched }) => {
      // The host presents another key already.
      observer.told({ is: 'excused', invariant: 'I1' });
      await apply();
      start();
      await watched(15_000);
    },
  },
  rest: {
    play: async (stage) => {
      const { observer, start, watched } = stage;
      const operator = await begin(stage);
      observer.told({ is: 'quiet' });
      await operator.stop();
      start();
      await watched(8000);
    },
  },
  blind: {
    play: async ({ observer, apply, start, watched }) => {
      observer.told({ is: 'away', what: 'views' });
      await apply();
      // A name that the resolver ought to refuse, and hands out: it has not been shown to validate.
      start({ flags: ['--bogus-name', 'example.test'] });
      await watched(20_000);
    },
  },
  'unreachable-host': {
    moreHosts: (domain) => [{ host: `far.${domain}`, address: nowhere }],
    before: ({ ground, domain }) => change(ground, `update add far.${domain}. 1 A ${nowhere}`),
    play: async ({ domain, apply, start, watched }) => {
      await apply({
        mx: { hosts: [`mx.${domain}`, `far.${domain}`], dane },
        mtaSts: { mode: 'testing', ttlSeconds: 1 },
      });
      start();
      await watched(45_000);
    },
  },
  'brief-certificates': {
    before: briefly,
    play: async (stage) => {
      await begin(stage);
      await stage.watched(briefProfile.seconds * 850);
    },
  },
  'brief-certificates-suspended': {
    before: briefly,
    play: async (stage) => {
      await begin(stage);
      await stage.apply({ suspend: true });
      await stage.watched(briefProfile.seconds * 850);
    },
  },
  'two-operators': { play: twoOperators },
  'emptied-shard': { play: emptyShard },
  'bad-neighbours': { readyWithinMs: 55_000, play: badNeighbours },
};
