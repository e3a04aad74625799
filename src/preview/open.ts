/** Opens what a plan is made from: the files over the cluster, resolvers, providers; and closes it again. */
import type { Clock } from '../clock.ts';
import type { OperatorConfig } from '../config.ts';
import { createKube } from '../kube/client.ts';
import { loadKubeConfig } from '../kube/config.ts';
import type { Kube, KubeObject } from '../kube/types.ts';
import { createLog } from '../log.ts';
import { createMetrics } from '../metrics.ts';
import { createResolver, type TestedResolver } from '../observe/dns/resolver.ts';
import { keptInstallationId, rememberedId } from '../reconcile/installation.ts';
import { createWorld } from '../reconcile/world.ts';
import { createStore } from '../apply/store.ts';
import { apiVersion } from '../api/types.ts';
import { type PreviewCache, readCache } from './cache.ts';
import { neverWrites, previewKube, type Reading } from './kube.ts';
import { previewAll, type PreviewWorld } from './objects.ts';
import type { ObjectPreview } from './preview.ts';
import { readAsFarAsAllowed } from './rights.ts';
import { select, type Standing } from './select.ts';
import { withholding } from './withheld.ts';
import { harmless } from './world.ts';

export interface PreviewOptions {
  readonly config: OperatorConfig;
  /** `config.kube` leads to one. */
  readonly cluster: boolean;
  readonly policyAddresses: readonly string[];
  readonly probe: boolean;
  /** PEM: whom to trust for `tls://` resolvers beside the public CAs. */
  readonly caBundle: string | undefined;
  readonly clock: Clock;
  /** Namespaces beside those of the files in which it is read what agents say. */
  readonly tenants?: readonly string[];
}

export interface Previewed {
  readonly objects: readonly ObjectPreview[];
  /** What is not known, and what that means. */
  readonly notices: readonly string[];
}

/** Plans the objects of `files`. Rejects only where the cluster or the resolvers can't be asked at all. */
export async function openPreview(files: readonly KubeObject[], options: PreviewOptions): Promise<Previewed> {
  const plan: Look<readonly ObjectPreview[]> = async (world, standing) =>
    previewAll(world, await select(world, files, standing));
  const { found, notices } = await openWorld(files, options, plan);
  return { objects: found, notices };
}

/** What is asked of a world that can't be changed. */
type Look<T> = (world: PreviewWorld, standing: Standing | undefined) => Promise<T>;

/** Opens the world with the files laid over the cluster, for one look. */
export async function openWorld<T>(
  files: readonly KubeObject[],
  options: PreviewOptions,
  look: Look<T>,
): Promise<{ readonly found: T; readonly notices: readonly string[] }> {
  const { config } = options;
  const notices: string[] = [];
  const client = options.cluster
    ? createKube(await loadKubeConfig(config.kube), { userAgent: 'mailseal-plan', mayWrite: neverWrites })
    : undefined;
  const tell = (notice: string): void => void notices.push(notice);
  const cluster = client && readAsFarAsAllowed(client, { ...config, tell });
  const resolvers: TestedResolver[] = [];
  try {
    const open = async (view: 'outside' | 'inside', servers: readonly string[]): Promise<TestedResolver> => {
      const resolver = createResolver({ view, servers, caBundle: options.caBundle });
      resolvers.push(resolver);
      const verdict = await resolver.selfTest(config.secureName, config.bogusName);
      if (verdict !== 'Validating')
        tell(`the ${view} resolver is not shown to validate, and so nothing counts as secure: ${verdict.problem}`);
      return resolver;
    };
    const outside = await open('outside', config.outsideResolvers);
    const inside = config.insideResolvers.length === 0 ? undefined : await open('inside', config.insideResolvers);
    const found = await lookOn(files, { ...options, cluster, outside, inside, tell }, look);
    return { found, notices };
  } finally {
    for (const resolver of resolvers) resolver.close();
    client?.close();
  }
}

interface Opened extends Omit<PreviewOptions, 'cluster'> {
  readonly cluster: Reading | undefined;
  readonly outside: TestedResolver;
  readonly inside: TestedResolver | undefined;
  readonly tell: (notice: string) => void;
}

async function lookOn<T>(files: readonly KubeObject[], opened: Opened, look: Look<T>): Promise<T> {
  const { config, clock, cluster, outside, inside } = opened;
  const log = createLog(() => undefined, 'error', clock);
  const standing = cluster && (await standingIn(cluster));
  const safe = cluster && withholding(cluster, files, standing?.providers ?? [], config.namespace);
  const kube = previewKube(files, safe);
  const tenants = new Set([...(opened.tenants ?? []), ...files.flatMap(({ metadata }) => metadata.namespace ?? [])]);
  const cache = await readCache({
    ...config,
    kube,
    log,
    tenants: cluster === undefined ? [] : [...tenants],
    policyAddresses: opened.policyAddresses,
  });
  const made = createWorld({
    config,
    clock,
    log,
    metrics: createMetrics(),
    kube,
    mayWrite: neverWrites,
    cache,
    outside,
    inside,
    installationId: await knownId(kube, cache, opened),
    events: { record: async () => undefined },
    onShardRebuilt: () => undefined,
  });
  const { world, close } = harmless(made, opened);
  try {
    return await look({ ...world, cache }, standing);
  } finally {
    close();
  }
}

const madeAtStart = 'made-at-the-first-start';

async function knownId(kube: Kube, cache: PreviewCache, { config, tell, cluster }: Opened): Promise<string> {
  const { namespace, installationId: given } = config;
  const known = (await keptInstallationId(kube, namespace, given)) ?? given;
  const id = known ?? (await rememberedId(createStore(kube, namespace), cache));
  if (known === undefined && id === undefined && cluster === undefined)
    tell(
      'the id of the installation is not known: records that carry its mark count as those of another. --installation-id gives it',
    );
  return id ?? madeAtStart;
}

/** What the cluster has without the files. */
async function standingIn(cluster: Reading): Promise<Standing> {
  const [providers, issuers, exchangers] = await Promise.all([
    cluster.list<Standing['providers'][number]>({ apiVersion, kind: 'DNSProvider' }),
    cluster.list<Standing['issuers'][number]>({ apiVersion, kind: 'CertificateIssuer' }),
    cluster.list<Standing['exchangers'][number]>({ apiVersion, kind: 'MailExchanger' }),
  ]);
  return { providers, issuers, exchangers };
}
