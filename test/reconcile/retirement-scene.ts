/** What comes after a deletion, on the fakes: the exchanger of the scene, and a domain that one policy pod serves. */
import { createShards } from '../../src/apply/shards.ts';
import { createStore } from '../../src/apply/store.ts';
import {
  apiVersion,
  type CertificateIssuer,
  type DNSProvider,
  type MailDomain,
  type Retirement,
} from '../../src/api/types.ts';
import type { EventNote } from '../../src/kube/events.ts';
import type { KubeObject } from '../../src/kube/types.ts';
import { createLog } from '../../src/log.ts';
import { createPolicyWatch } from '../../src/observe/policypods.ts';
import type { DomainState } from '../../src/plan/state.ts';
import { reconcileDomain } from '../../src/reconcile/domain.ts';
import { reconcileExchanger } from '../../src/reconcile/exchanger.ts';
import { reconcileRetirement } from '../../src/reconcile/retirement.ts';
import type { Acme } from '../../src/apply/acme.ts';
import { MailsealError } from '../../src/errors.ts';
import type { Result, World } from '../../src/world.ts';
import { certificate, day, domainState, key } from '../plan/cases.ts';
import { createScene, runUntil, type Scene, zone } from './scene.ts';

export const domain = 'news.example.com';
const pem = '-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n';

export interface RetirementScene extends Scene {
  /** A program that also knows domains, and sees what the one policy pod serves. */
  readonly begin: () => World;
  /** Looks at everything that there is. */
  readonly look: (world: World) => Promise<Result>;
  readonly mailDomain: () => MailDomain | undefined;
  readonly retirement: () => Retirement | undefined;
  readonly retirements: () => readonly Retirement[];
  /** The renewal of the hosts' certificate is due now. */
  readonly ageCertificate: () => Promise<void>;
  readonly domainState: () => DomainState | undefined;
  /** The policy that the pod shows. */
  readonly policy: () => Promise<string | null | undefined>;
  readonly setOf: (name: string, type: string) => readonly string[] | undefined;
  readonly remove: (kind: 'MailDomain' | 'MailExchanger', name: string) => Promise<void>;
  /** Someone removes the one Retirement that there is. */
  readonly removeRetirement: () => Promise<void>;
  /** Someone asks for a fresh look at it. */
  readonly askRetirement: () => Promise<void>;
  readonly run: (done: () => boolean | Promise<boolean>, options?: RunOptions) => Promise<World>;
  /** The administrator grants otherwise. */
  readonly grant: (spec: Partial<DNSProvider['spec']>) => Promise<void>;
  /** The user edits the domain. */
  readonly edited: (spec: Partial<MailDomain['spec']>) => Promise<void>;
  readonly createDomain: (spec?: Partial<MailDomain['spec']>, at?: object) => Promise<void>;
  /** What the programs told of. */
  readonly events: readonly EventNote[];
  /** Whether the CA can be asked. */
  issuerIsGone: boolean;
  /** Why the provider can't be asked; undefined while it can. */
  providerIsLost: MailsealError | undefined;
}

interface RunOptions {
  readonly world?: World;
  readonly looks?: number;
  readonly onLook?: () => void;
}

export async function createRetirementScene(): Promise<RetirementScene> {
  const scene = await createScene();
  const all = <T extends KubeObject>(kind: string): readonly T[] =>
    scene.kube.dump().filter((object): object is T => object.kind === kind);
  const log = createLog(() => undefined, 'error', { now: scene.now });
  const shards = createShards({
    kube: scene.kube,
    namespace: 'mailseal',
    secretPrefix: 'shard-',
    count: 1,
    pods: () => [],
    gapMs: 0,
    log,
  });
  const store = createStore(scene.kube, 'mailseal');
  await scene.kube.create<CertificateIssuer>({
    apiVersion,
    kind: 'CertificateIssuer',
    metadata: { name: 'ca' },
    spec: { acme: { server: 'https://ca.example/directory' } },
  });
  await store.save(
    domainState({
      domain,
      name: 'news',
      key: { ...key('c'), pem },
      certificate: certificate({
        names: [`mta-sts.${domain}`],
        notAfter: scene.now() + 900 * day,
        renewAt: scene.now() + 600 * day,
      }),
      listedHosts: ['mx1.example.com'],
    }),
    domain,
    undefined,
  );

  /** Retirements that a program saw, until another one begins. */
  const watched = new Map<string, Retirement>();
  const events: EventNote[] = [];
  const begin = (): World => {
    watched.clear();
    const world = scene.start();
    const policyWatch = createPolicyWatch({
      clock: world.clock,
      fetch: async ({ address }) => {
        const entry = await shards.read(`mta-sts.${domain}`);
        const at = world.clock.now();
        if (typeof entry?.policy !== 'string') return { address, at, outcome: 'Failed', detail: 'answers 404' };
        const { spkiSha256 } = key('c');
        return { address, at, outcome: 'Fetched', body: entry.policy, contentType: 'text/plain', spkiSha256 };
      },
    });
    return {
      ...world,
      events: { record: async (_, note) => void events.push(note) },
      shards,
      policyWatch,
      providerOf: async (name) => {
        if (made.providerIsLost !== undefined) throw made.providerIsLost;
        return world.providerOf(name);
      },
      issuerOf: async (name) => {
        if (made.issuerIsGone) throw new MailsealError('IssuerNotFound', `${name} has gone`, { kind: 'Stalled' });
        return name === 'ca' ? { kind: 'acme', name, acme: silent } : world.issuerOf(name);
      },
      cache: {
        ...world.cache,
        domain: (_, name) => all<MailDomain>('MailDomain').find(({ metadata }) => metadata.name === name),
        domains: () => all('MailDomain'),
        policyPods: () => [{ name: 'policy-1', uid: '1', ip: '192.0.2.7' }],
        policyAddresses: () => ({ ipv4: ['192.0.2.7'], ipv6: [] }),
      },
    };
  };
  const look = async (world: World): Promise<Result> => {
    const results: Result[] = [];
    for (const { metadata } of all('MailDomain'))
      results.push(await reconcileDomain(world, metadata.namespace ?? '', metadata.name));
    if (scene.exchanger() !== undefined) results.push(await reconcileExchanger(world, 'mail', 'mx'));
    for (const one of all<Retirement>('Retirement')) watched.set(one.metadata.name, one);
    for (const [name, last] of watched) results.push(await reconcileRetirement(world, name, last));
    const pauses = results.flatMap(({ requeueAfterMs }) => requeueAfterMs ?? []);
    return { requeueAfterMs: Math.min(30 * 60_000, ...pauses) };
  };
  const made: RetirementScene = {
    ...scene,
    events,
    issuerIsGone: false,
    providerIsLost: undefined,
    begin,
    look,
    mailDomain: () => all<MailDomain>('MailDomain')[0],
    retirement: () => all<Retirement>('Retirement')[0],
    retirements: () => all<Retirement>('Retirement'),
    ageCertificate: async () => {
      const stored = await store.load('exchanger', 'mail/mx');
      if (stored?.state.certificate === undefined) throw new Error('there is no certificate');
      const aged = { ...stored.state, certificate: { ...stored.state.certificate, renewAt: scene.now() } };
      await store.save(aged, 'mail/mx', stored.resourceVersion);
    },
    domainState: () => {
      const secret = all<KubeObject & { data: Record<string, string> }>('Secret').find(
        ({ metadata }) => metadata.labels?.['mailseal.dev/state'] === 'domain',
      );
      return secret && JSON.parse(Buffer.from(secret.data['state.json'] ?? '', 'base64').toString('utf8'));
    },
    policy: async () => (await shards.read(`mta-sts.${domain}`))?.policy,
    setOf: (name, type) => scene.provider.sets(zone).find((set) => set.name === name && set.type === type)?.values,
    remove: (kind, name) => scene.kube.remove({ apiVersion, kind, namespace: 'mail', name }),
    removeRetirement: async () => {
      const { name } = made.retirement()?.metadata ?? { name: '' };
      await scene.kube.remove({ apiVersion, kind: 'Retirement', namespace: 'mailseal', name });
    },
    askRetirement: async () => {
      const object = made.retirement();
      if (object === undefined) throw new Error('there is no retirement');
      scene.pass(1000);
      const annotations = { 'mailseal.dev/requested-at': new Date(scene.now()).toISOString() };
      await scene.kube.replace({ ...object, metadata: { ...object.metadata, annotations } });
    },
    run: (done, options = {}) => runUntil(scene, done, { looks: 400, ...options, look, start: begin }),
    grant: async (spec) => {
      const [provider] = all<DNSProvider>('DNSProvider');
      if (provider === undefined) throw new Error('there is no provider');
      await scene.kube.replace({ ...provider, spec: { ...provider.spec, ...spec } });
    },
    edited: async (spec) => {
      const object = made.mailDomain();
      if (object === undefined) throw new Error('there is no domain');
      await scene.kube.replace({ ...object, spec: { ...object.spec, ...spec } });
    },
    createDomain: async (spec = {}, metadata = {}) => {
      await scene.kube.create<MailDomain>({
        apiVersion,
        kind: 'MailDomain',
        metadata: { name: 'news', namespace: 'mail', ...metadata },
        spec: {
          domain,
          exchangerRefs: [{ name: 'mx' }],
          mtaSts: { issuerRef: { name: 'ca' } },
          tlsRpt: { rua: ['mailto:tls@example.net'] },
          ...spec,
        },
      });
    },
  };
  return made;
}

/** A CA that nobody may ask here. */
const refuse = (): Promise<never> =>
  Promise.reject(new MailsealError('ACMEUnavailable', 'the CA is not asked in this scene'));
export const silent: Acme = {
  register: refuse,
  findAccount: refuse,
  accountRefusal: refuse,
  changeKey: refuse,
  newOrder: refuse,
  poll: refuse,
  answer: refuse,
  finalize: refuse,
  certificate: refuse,
  inCaa: refuse,
  revoke: refuse,
  renewalInfo: refuse,
  close: () => Promise.resolve(),
};
